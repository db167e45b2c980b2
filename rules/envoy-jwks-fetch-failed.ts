import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** A proxy that fetches the JWKS itself (remote mode) could not. */
export const rule: Rule = {
  meta: {
    id: 'envoy-jwks-fetch-failed',
    category: 'authentication',
    level: 'error',
    title: 'The proxy could not fetch the keys for checking tokens',
    page: {
      meaning:
        'With PILOT_JWT_ENABLE_REMOTE_JWKS the proxy fetches the keys of a jwksUri itself, and it could not. Until it can, every token of this issuer is refused with 401 "Jwks remote fetch is failed". In the default mode istiod fetches the keys and has a line of its own.',
      printedBy: 'The proxy that verifies, with logger jwt.',
      confirm: [
        'kubectl get requestauthentications -A -o yaml | grep -e issuer: -e jwksUri:',
        'istioctl proxy-config cluster POD.NAMESPACE',
        'kubectl get serviceentries -A',
      ],
      change:
        'Give the proxy a way to jwksUri: a ServiceEntry for the host, DNS, and network policies that let it out.',
      never: 'Do not delete the RequestAuthentication: then any token passes.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/common/jwks_fetcher.cc',
      'istio 86c9f01f pilot/pkg/security/authn/policy_applier.go',
    ],
  },
  on: ['envoy/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic' || record.severity === 'debug') return null;
    const [, uri, reason] = FETCH.exec(record.message) ?? [];
    if (uri === undefined) return null;
    return {
      certainty: 'certain',
      cause: `The proxy could not fetch the keys at ${uri} (${reason}). Until it can, every token of that issuer is refused with 401.`,
      intended: 'no',
      subject: [uri],
    };
  },
  propose() {
    return [
      step(
        'configuration',
        'Give the proxy a way to jwksUri: a ServiceEntry for the host, DNS, and network policies that let it out.',
        {
          confirm: ['kubectl get requestauthentications -A -o yaml', 'kubectl get serviceentries -A'],
        },
      ),
    ];
  },
};

const FETCH = /fetch pubkey \[uri = ([^\]]+)\]: (.+)/;
