import type { Rule } from '../src/model/finding.ts';

/** The verdict of the JWT filter in the debug log; the access line of the request has the finding. */
export const rule: Rule = {
  meta: {
    id: 'envoy-debug-jwt-refused',
    category: 'authentication',
    level: 'note',
    title: 'The JWT filter refused a token (debug log)',
    page: {
      meaning:
        'The debug log of the JWT filter says how the check of a token ended. With several providers one of them may refuse what another accepts, so the access log has the last word.',
      printedBy: 'The proxy that verifies, with logger jwt at debug.',
      confirm: ['kubectl get requestauthentications -A -o yaml'],
      change: 'As for the refusal in the access log.',
      never: 'Do not leave the logger at debug: it prints whole tokens.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/jwt_authn/authenticator.cc',
      'envoy 1.37 source/extensions/filters/http/jwt_authn/filter.cc',
    ],
  },
  on: ['envoy/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic' || !record.scope.includes('jwt')) return null;
    const message = VERDICT.exec(record.message)?.[1] ?? null;
    // Without token a request passes this filter; what a policy says to that is in the access log.
    if (message === null || message === 'OK' || message === 'Jwt is missing') return null;
    return {
      certainty: 'certain',
      cause: `The check of a token ended with: ${message}.`,
      intended: 'unknown',
      subject: [message],
    };
  },
};

/**
 * The ends of the check for the request, for a token, for one provider: releases differ in which they print, and those of one
 * request are one incident (`src/traffic/join/pairs.ts`).
 */
const VERDICT =
  /^(?:\S+\.cc:\d+\s+)?(?:status is|Jwt authentication completed with|\S+: JWT verification completed with): (.+)$/;
