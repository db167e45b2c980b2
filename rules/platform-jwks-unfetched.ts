import type { Match, Rule } from '../src/model/finding.ts';
import type { ObjectRef } from '../src/model/mesh.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { type KnownIssuer, knownIssuers } from '../src/remedy/edits/tokens.ts';
import { distinctRefs, nameOf } from '../src/text/object-ref.ts';

const MESSAGE =
  /failed to (?:fetch|refresh) (?:jwt )?public key from|jwks key is not yet fetched|failed to fetch jwks|fake jwks/i;
const URI = /https?:\/\/[^\s"',]{1,300}/i;

/** istiod cannot fetch the keys of a token issuer. */
export const rule: Rule = {
  meta: {
    id: 'platform-jwks-unfetched',
    category: 'platform',
    level: 'error',
    title: 'istiod could not fetch the keys of a token issuer',
    page: {
      meaning:
        'A RequestAuthentication names a jwksUri, and istiod cannot fetch it. istiod sends proxies a placeholder key instead, so that every token of that issuer is refused with 401 until the fetch works.',
      printedBy: 'istiod. Proxies then say "Jwt verification fails".',
      confirm: [
        'kubectl -n istio-system logs deploy/istiod | grep -i jwks',
        'kubectl get requestauthentications -A -o yaml | grep -e issuer -e jwksUri',
        'kubectl -n istio-system debug -it ISTIOD_POD --image=curlimages/curl -- curl -sv JWKS_URI',
      ],
      change:
        'Make the URI reachable for istiod: egress NetworkPolicy, proxy, CA bundle. If it is served in the mesh under STRICT, istiod speaks plain text to it: use an address outside of it, or put the keys into jwks.',
      never: 'Do not delete the RequestAuthentication to get rid of the 401.',
    },
    cites: ['istio 86c9f01f pilot/pkg/model/jwks_resolver.go'],
  },
  on: ['istiod/diagnostic', 'istio-agent/diagnostic'],
  match(flow, mesh) {
    const { record } = flow;
    if (record.kind !== 'diagnostic' || !MESSAGE.test(record.message)) return null;
    const uri = URI.exec(record.message)?.[0] ?? '';
    const asking = askingFor(uri, knownIssuers(record, mesh));
    const named = asking.length === 0 ? '' : ` RequestAuthentication ${asking.map(nameOf).join(', ')} needs them.`;
    return {
      certainty: 'certain',
      cause: `istiod cannot fetch the keys of a token issuer${uri === '' ? '' : ` from ${uri}`}; proxies refuse all tokens of it meanwhile.${named}`,
      policies: asking,
      subject: [uri],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step(
        'configuration',
        'Make the jwksUri reachable for istiod, or put the keys inline into the RequestAuthentication. istiod tries again by itself (every 20 minutes, PILOT_JWT_PUB_KEY_REFRESH_INTERVAL).',
        {
          confirm: [
            inRoot(mesh, 'logs deploy/istiod --tail=500'),
            'kubectl get requestauthentications -A -o yaml',
            inRoot(mesh, 'get networkpolicies -o yaml'),
          ],
        },
      ),
    ];
  },
};

/** Without a jwksUri istiod asks the issuer itself where its keys are. */
function askingFor(uri: string, issuers: readonly KnownIssuer[]): readonly ObjectRef[] {
  if (uri === '') return [];
  const asking = issuers.filter(
    ({ issuer, jwksUri }) => jwksUri === uri || issuer === uri || (jwksUri === null && uri.startsWith(issuer)),
  );
  return distinctRefs(asking.map(({ ref }) => ref));
}
