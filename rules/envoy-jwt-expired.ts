import type { Rule } from '../src/model/finding.ts';
import { matchRefusedToken, repairToken } from '../src/remedy/edits/refused-token.ts';

/** The token of the request had expired or was not valid yet. */
export const rule: Rule = {
  meta: {
    id: 'envoy-jwt-expired',
    category: 'authentication',
    level: 'warning',
    title: 'The token of the request had expired or was not valid yet',
    page: {
      meaning:
        'The token itself is in order, but its time is not: exp has passed, or nbf lies ahead. Envoy tolerates 60 seconds. The caller does not renew its token, keeps it too long, or a clock is wrong.',
      printedBy:
        'The proxy that verifies: mostly a gateway, else the sidecar or waypoint of the destination, as jwt_authn_access_denied{Jwt_is_expired} or {Jwt_not_yet_valid}. The body of the answer is the same text.',
      confirm: [
        'printf %s TOKEN | cut -d. -f2 | tr _- /+ | base64 -d # confirmed if exp lies before the time of the line, or nbf behind it',
        'date +%s',
      ],
      change:
        'Let the caller renew its token before exp. If exp lies ahead of the time in the log, the clock of the node is wrong; if nbf does, that of the issuer may be.',
      never:
        'Do not lengthen the life of tokens for one caller that does not renew, and do not change policies: the refusal is right.',
    },
    cites: ['envoy 1.37 source/extensions/filters/http/jwt_authn/filter.cc', 'google/jwt_verify_lib src/status.cc'],
  },
  on: ['envoy/request'],
  match({ record }, mesh) {
    return matchRefusedToken(record, mesh, ['expired', 'not-yet-valid']);
  },
  propose: repairToken,
};
