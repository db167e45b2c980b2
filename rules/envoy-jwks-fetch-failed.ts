import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** istiod (or the proxy in remote mode) could not fetch a JWKS. */
export const rule: Rule = {
  meta: {
    id: 'envoy-jwks-fetch-failed',
    category: 'authentication',
    level: 'error',
    title: 'The keys for checking tokens could not be fetched',
    page: {
      meaning:
        'istiod fetches the keys of a jwksUri for all proxies and could not. It pushes a substitute that fits no token, so that every token of this issuer is refused with 401 until a fetch works.',
      printedBy: 'istiod; in remote JWKS mode the proxy.',
      confirm: [
        'kubectl -n istio-system logs deploy/istiod | grep -i jwks',
        'kubectl get requestauthentications -A -o yaml',
        'kubectl -n istio-system exec deploy/istiod -- curl -sv JWKS_URI',
      ],
      change:
        'Let istiod reach jwksUri: DNS, egress, certificates. If the issuer runs inside the mesh under STRICT, istiod, which has no sidecar, cannot call it in plaintext: give that one port of the issuer an exception, or put the keys into jwks.',
      never: 'Do not delete the RequestAuthentication: then any token passes.',
    },
    cites: ['istio 86c9f01f pilot/pkg/model/jwks_resolver.go', 'istio/istio#53260'],
  },
  on: ['istiod/diagnostic', 'istio-agent/diagnostic', 'envoy/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic' || !FETCH.test(record.message)) return null;
    const uri = /https?:\/\/[^\s"',]+/.exec(record.message)?.[0] ?? null;
    const fetched = uri === null ? 'the keys of an issuer' : `the keys at ${uri}`;
    return {
      certainty: 'certain',
      cause: `${record.proxy === 'istiod' ? 'istiod' : 'The proxy'} could not fetch ${fetched}. Until it can, every token of that issuer is refused with 401.`,
      intended: 'no',
      subject: uri === null ? [] : [uri],
    };
  },
  propose() {
    return [
      step(
        'configuration',
        'Give istiod a way to jwksUri; for an issuer inside a STRICT mesh an exception for that one port, or the keys inline.',
        {
          confirm: [
            'kubectl -n istio-system logs deploy/istiod | grep -i jwks',
            'kubectl get requestauthentications -A -o yaml',
          ],
        },
      ),
    ];
  },
};

const FETCH =
  /failed to fetch (?:public key|JWKS?|jwt)|JWKS key is not yet fetched|Jwks remote fetch is failed|jwks_?fetcher|jwksUri .*fail/i;
