import type { Rule } from '../src/model/finding.ts';
import { matchRefusedToken, repairToken } from '../src/remedy/edits/refused-token.ts';

/** The keys of the issuer could not be fetched or read. */
export const rule: Rule = {
  meta: {
    id: 'envoy-jwt-keys-unusable',
    category: 'authentication',
    level: 'warning',
    title: 'The keys of the issuer could not be fetched or read',
    page: {
      meaning:
        'The proxy cannot verify tokens of this issuer at all, because it has no usable keys: the fetch failed (only where the proxy fetches for itself, PILOT_JWT_ENABLE_REMOTE_JWKS), or what it was given is no valid key set: no JSON, no keys, fields missing, a key type it does not know.',
      printedBy:
        'The proxy that verifies: mostly a gateway, else the sidecar or waypoint of the destination, as jwt_authn_access_denied{Jwks_remote_fetch_is_failed} or another text about Jwks, X509, PEM or [kty}. The body of the answer is the same text.',
      confirm: [
        'kubectl get requestauthentications -A -o yaml | grep -e jwksUri: -e jwks: -A1',
        'kubectl -n NAMESPACE logs POD -c istio-proxy | grep -i jwks',
      ],
      change:
        'Fetch jwksUri by hand from inside the mesh: it must answer a JSON object with an array keys, each with kty and the fields of its kind. Correct the address, or give the proxy a way to it (ServiceEntry, NetworkPolicy).',
      never:
        'Do not take the issuer out of the policy so that its tokens are ignored: requests then pass unverified, or are denied later for another reason.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/jwt_authn/filter.cc',
      'google/jwt_verify_lib src/status.cc',
      'istio 86c9f01f pilot/pkg/security/authn/policy_applier.go',
    ],
  },
  on: ['envoy/request'],
  match({ record }, mesh) {
    return matchRefusedToken(record, mesh, ['fetch', 'key-set']);
  },
  propose: repairToken,
};
