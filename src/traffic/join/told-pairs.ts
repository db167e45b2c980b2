import { authorizerVerdict } from '../../causes/authorizer-verdict.ts';
import {
  askedByHost,
  behindKnative,
  deniedBy,
  envoyLine,
  knativeAnswer,
  knativeCall,
  knativeError,
  throughKnative,
} from './envoy-keys.ts';
import type { KeyOf } from './key.ts';
import { DEFAULTS, type LinePair, OPEN_ENDED, REJECTED } from './pair.ts';
import {
  cutFromKnative,
  errorPart,
  notOpened,
  notOpenedByKnative,
  servedPod,
  ztunnelLine,
  ztunnelMessage,
} from './ztunnel-keys.ts';

const AWAITED = /(?:local workload: |workload is unknown: )(.+)$/;
/**
 * How the filter for tokens ends: for the request, for a token, for one provider. Releases differ in which they print (envoy 1.37
 * source/extensions/filters/http/jwt_authn/{filter,authenticator}.cc).
 */
const JWT_ORDER: readonly RegExp[] = [
  /^(?:\S+\.cc:\d+\s+)?Jwt authentication completed with: (.+)$/,
  /^(?:\S+\.cc:\d+\s+)?status is: (.+)$/,
  /^(?:\S+\.cc:\d+\s+)?\S+: JWT verification completed with: (.+)$/,
];

/** A line of that filter of one of these kinds, keyed by pod and what it found. */
function jwtLine(kinds: readonly RegExp[]): KeyOf {
  return envoyLine(({ scope, message }) =>
    /\bjwt\b/.test(scope) ? kinds.map((kind) => kind.exec(message)?.[1]).find((found) => found !== undefined) : null,
  );
}

/** What is told of a failure beside its access line, or by programs above the proxies. */
export const TOLD_PAIRS: readonly LinePair[] = [
  {
    ...DEFAULTS,
    about: 'a proxy of Knative answered 502 because its own connection failed',
    causePrintedBy: null,
    cause: notOpened,
    seen: knativeAnswer,
  },
  {
    ...DEFAULTS,
    about: 'a proxy of Knative said that its own connection broke',
    causePrintedBy: null,
    cause: notOpened,
    seen: knativeError,
    mark: 'socket',
    needsMark: true,
  },
  {
    ...DEFAULTS,
    about: 'a proxy of Knative said that its own call was closed before an answer came',
    causePrintedBy: null,
    cause: notOpenedByKnative,
    seen: cutFromKnative,
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the proxy of a revision refused what the activator passed on; a gateway shows the same status',
    causePrintedBy: null,
    cause: behindKnative,
    seen: throughKnative,
    mark: 'request',
    needsMark: true,
  },
  {
    ...DEFAULTS,
    about: 'a probe or scrape of Knative was refused; the access line says by what',
    causePrintedBy: null,
    cause: askedByHost,
    seen: knativeCall,
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the RBAC filter said in the debug log that it denied; the access line says who was denied',
    causePrintedBy: null,
    cause: deniedBy(/^rbac_access_denied_matched_policy\[(.*)\]$/),
    seen: envoyLine(({ fields: { mode, result, policy } }) =>
      mode === 'enforced' && result === 'denied' ? policy : null,
    ),
    mark: 'request',
    isOneSubject: true,
  },
  ...JWT_ORDER.map(
    (seen, index): LinePair => ({
      ...DEFAULTS,
      about: 'the filter for tokens says in several lines of the debug log what it found',
      causePrintedBy: null,
      cause: jwtLine(JWT_ORDER.slice(0, index)),
      seen: jwtLine([seen]),
      isOneSubject: true,
    }),
  ).slice(1),
  {
    ...DEFAULTS,
    about: 'the filter for tokens said in the debug log what it found; the access line says who was refused',
    causePrintedBy: null,
    cause: deniedBy(/^jwt_authn_access_denied\{(.*)\}$/),
    seen: jwtLine(JWT_ORDER),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the filter for external authorizers said in the debug log what came of it; the access line says of whom',
    causePrintedBy: null,
    cause: deniedBy(/^(ext_authz_(?:denied|error))$/),
    seen: envoyLine(({ scope, message }) => authorizerVerdict(scope, message)),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'ztunnel said by which policy it denies; its access line says who was denied',
    causePrintedBy: null,
    cause: servedPod('destination', REJECTED, policyOf),
    seen: ztunnelLine(/^state$/, ({ message, fields }) =>
      message === 'deny policy match'
        ? (fields['policy'] ?? null)
        : /^no allow policies match/.test(message)
          ? NONE
          : null,
    ),
    mark: 'socket',
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'ztunnel said that it closes a connection which a changed policy forbids',
    causePrintedBy: null,
    cause: servedPod('destination', /^connection closed due to policy change/, () => 'closed'),
    seen: ztunnelLine(/connection_manager$/, ({ message }) => (/no longer allowed/.test(message) ? 'closed' : null)),
    mark: 'socket',
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'ztunnel waited for what it should know of its own pod; its access line says what failed for it',
    causePrintedBy: null,
    cause: errorPart(AWAITED),
    seen: ztunnelMessage(/^timed out waiting for workload '(.+?)'/),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the tunnel of a connection that failed could not be opened',
    causePrintedBy: null,
    cause: servedPod('source', /^h2 failed: /, () => 'tunnel'),
    seen: ztunnelLine(/h2::client$|h2_client$/, () => 'tunnel'),
  },
  {
    ...DEFAULTS,
    about: 'the tunnel of an open connection died',
    causePrintedBy: null,
    cause: ztunnelLine(/h2::client$|h2_client$/, () => 'tunnel'),
    seen: servedPod('source', OPEN_ENDED, () => 'tunnel'),
  },
];

const NONE = 'no policy';

function policyOf(error: string): string | null {
  return /explicitly denied by: (.+)$/.exec(error)?.[1] ?? (/none allowed$/.test(error) ? NONE : null);
}
