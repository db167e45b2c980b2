import { authorizerVerdict } from '../../causes/authorizer-verdict.ts';
import type { LogRecord } from '../../model/record.ts';
import {
  askedByHost,
  behindKnative,
  deniedBy,
  envoyLine,
  fromCaller,
  inboundRefusal,
  inboundRequest,
  intoTunnel,
  knativeAnswer,
  knativeCall,
  knativeError,
  outboundCut,
  outboundRequest,
  passedThrough,
  refusedConnect,
  refusedRequest,
  throughKnative,
  waypointCall,
  waypointTunnel,
} from './envoy-keys.ts';
import type { KeyOf } from './key.ts';
import {
  answeredConnect,
  calledByWaypoint,
  cutFromKnative,
  errorPart,
  notOpened,
  notOpenedByKnative,
  podPair,
  relayedService,
  servedPod,
  serviceBehindRelay,
  throughGateway,
  tunnel,
  ztunnelLine,
  ztunnelMessage,
} from './ztunnel-keys.ts';

/**
 * Whose log names the cause: the ztunnel of the node of either end, the sidecar of the pod that was called, or the waypoint or
 * gateway that is the next hop. Null: the log of the other line itself, or none that can be told from it.
 */
export type CausePrinter = 'source-ztunnel' | 'destination-ztunnel' | 'sidecar' | 'relay' | null;

/** Two kinds of lines that tell of one failure. */
export interface LinePair {
  /** What the pair is, for readers. */
  readonly about: string;
  readonly causePrintedBy: CausePrinter;
  /** The line that names the cause. */
  readonly cause: KeyOf;
  /** The line of who only saw it fail, or told more of it. */
  readonly seen: KeyOf;
  /**
   * What names the event in both lines (`marksOf`), where there is such a thing: lines that share it are one, lines of which
   * all are known and none is shared are not. Null: the lines have no such thing in common.
   */
  readonly mark: 'request' | 'socket' | null;
  /** True: only lines that share the mark are one. */
  readonly needsMark: boolean;
  /**
   * True: the key names one caller, one pod and one port, or the other line tells nothing that the cause does not. Then, where
   * several lines fit, which of them belong together makes no difference to what is told, and they are counted together.
   */
  readonly isOneSubject: boolean;
  /** True: wrong clocks are what makes it fail, so that times are no argument. */
  readonly isClockFault: boolean;
}

const DEFAULTS = { mark: null, needsMark: false, isOneSubject: false, isClockFault: false } as const;

/** What the destination answers with 401: the last is a fault of its own (istio/ztunnel 62d82653 src/proxy/inbound.rs). */
const REJECTED = /^connection (?:closed due to policy rejection|tracking failed)/;
const UNREACHED = /^connection failed: |\(os error \d+\)$/;
const REFUSED_OR_UNREACHED = new RegExp(`${REJECTED.source}|${UNREACHED.source}`);
/** What is refused before the pod's policies are asked. */
const MISDIRECTED =
  /^(?:ip mismatch|no valid authority|invalid CONNECT|attempted recursive|requested service|no service or workload)/;
const PEER_REFUSED = /^(?:io error: .*(?:tls handshake eof|reset by peer|unexpected end of file)|h2 failed: )/i;
const OPEN_ENDED = /^(?:while closing connection|send|receive): /;
const ENDED = /^connection closed(?: due to policy change| due to connection drain|: peer certificate)/;
const AWAITED = /(?:local workload: |workload is unknown: )(.+)$/;

/**
 * Between ztunnels, and between ztunnel and a waypoint or gateway (istio/ztunnel 62d82653, src/proxy/{inbound,outbound}.rs;
 * seen in captures of 1.22 to 1.31).
 */
const TUNNEL_PAIRS: readonly LinePair[] = [
  {
    ...DEFAULTS,
    about: 'the destination ztunnel refused the connection, mostly by policy, and answered 401',
    causePrintedBy: 'destination-ztunnel',
    cause: tunnel('destination', REJECTED),
    seen: tunnel('source', /^http status: 401/),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the same through an east-west gateway, which passes the tunnel on',
    causePrintedBy: 'relay',
    cause: throughGateway('destination', REFUSED_OR_UNREACHED),
    seen: throughGateway('source', /^http status: (?:401|503)/),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the ztunnel behind a waypoint or gateway refused that or could not reach its application; it answered 503',
    causePrintedBy: 'relay',
    cause: serviceBehindRelay(REFUSED_OR_UNREACHED),
    seen: relayedService(/^http status: 503/),
  },
  {
    ...DEFAULTS,
    about: 'the destination ztunnel could not reach its application and answered 503',
    causePrintedBy: 'destination-ztunnel',
    cause: tunnel('destination', UNREACHED),
    seen: tunnel('source', /^http status: 503/),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the destination ztunnel refused the request before any policy and answered 400 or 503',
    causePrintedBy: 'destination-ztunnel',
    cause: podPair('destination', MISDIRECTED),
    seen: podPair('source', /^http status: (?:400|503)/),
  },
  {
    ...DEFAULTS,
    about: 'a sidecar or waypoint refused the CONNECT and answered with a status of HTTP',
    causePrintedBy: 'relay',
    cause: refusedConnect,
    seen: answeredConnect,
  },
  {
    ...DEFAULTS,
    about: 'the destination ended an open connection; the source sees a broken pipe',
    causePrintedBy: 'destination-ztunnel',
    cause: tunnel('destination', ENDED),
    seen: tunnel('source', OPEN_ENDED),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the source ended an open connection; the destination sees a broken pipe',
    causePrintedBy: 'source-ztunnel',
    cause: tunnel('source', ENDED),
    seen: tunnel('destination', OPEN_ENDED),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the certificate of the destination is out of date by the clock of the source',
    causePrintedBy: 'source-ztunnel',
    cause: podPair(
      'source',
      /^io error: invalid peer certificate: (?:certificate (?:expired|not valid yet)|Expired|NotValidYet)/,
    ),
    seen: podPair('destination', /^tls handshake error: .*AlertReceived\(CertificateExpired\)/),
    isClockFault: true,
  },
  {
    ...DEFAULTS,
    about: 'the certificate of the source is out of date by the clock of the destination',
    causePrintedBy: 'destination-ztunnel',
    cause: podPair('destination', /^tls handshake error: .*InvalidCertificate\((?:Expired|NotValidYet)/),
    seen: podPair('source', PEER_REFUSED),
    isClockFault: true,
  },
  {
    ...DEFAULTS,
    about: 'the source refused the certificate of the destination, which is told so by an alert',
    causePrintedBy: 'source-ztunnel',
    cause: podPair('source', /^io error: invalid peer certificate/),
    seen: podPair('destination', /^tls handshake error: .*AlertReceived/),
  },
  {
    ...DEFAULTS,
    about: 'the destination refused the certificate of the source',
    causePrintedBy: 'destination-ztunnel',
    cause: podPair('destination', /^tls handshake error: .*InvalidCertificate/),
    seen: podPair('source', PEER_REFUSED),
  },
  {
    ...DEFAULTS,
    about: 'the destination has no certificate of its own and closed the connection',
    causePrintedBy: 'destination-ztunnel',
    cause: podPair('destination', /^signing error: /),
    seen: podPair('source', PEER_REFUSED),
  },
];

/** What a request or connection that was refused looks like in two Envoys (envoy 1.37; captures of 1.36 to 1.39). */
const ENVOY_PAIRS: readonly LinePair[] = [
  ...[false, true].map(
    (byMark): LinePair => ({
      ...DEFAULTS,
      about:
        "the server's sidecar refused the request, or passed an error on; the client's sidecar or a gateway passed that on",
      causePrintedBy: 'sidecar',
      cause: byMark ? inboundRequest(isError) : fromCaller(inboundRequest(isError)),
      seen: byMark ? outboundRequest(isPassedOn) : fromCaller(outboundRequest(isPassedOn)),
      mark: 'request',
      needsMark: byMark,
      isOneSubject: !byMark,
    }),
  ),
  {
    ...DEFAULTS,
    about: "the server's sidecar refused the request, which the client's sidecar passed on without knowing the Service",
    causePrintedBy: 'sidecar',
    cause: refusedRequest(isError),
    seen: passedThrough(isPassedOn),
    mark: 'request',
    needsMark: true,
  },
  {
    ...DEFAULTS,
    about:
      "the server's listener had no filter chain for the connection, or a policy that denied it; the client sees it closed",
    causePrintedBy: 'sidecar',
    cause: fromCaller(inboundRefusal),
    seen: fromCaller(outboundCut),
    mark: 'socket',
    isOneSubject: true,
  },
  ...[true, false].map(
    (isNamed): LinePair => ({
      ...DEFAULTS,
      about: 'the ztunnel of the pod refused the tunnel of a waypoint',
      causePrintedBy: 'destination-ztunnel',
      cause: calledByWaypoint(REFUSED_OR_UNREACHED, isNamed),
      seen: waypointCall,
    }),
  ),
  {
    ...DEFAULTS,
    about: 'the tunnel that a waypoint opened for a request failed',
    causePrintedBy: null,
    cause: waypointTunnel,
    seen: intoTunnel,
  },
];

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
const OTHER_LINES: readonly LinePair[] = [
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

/** All pairs. Order matters: a line that one pair explains is not looked at by the next. */
export const LINE_PAIRS: readonly LinePair[] = [...TUNNEL_PAIRS, ...ENVOY_PAIRS, ...OTHER_LINES];

const NONE = 'no policy';

function policyOf(error: string): string | null {
  return /explicitly denied by: (.+)$/.exec(error)?.[1] ?? (/none allowed$/.test(error) ? NONE : null);
}

function isError({
  status,
  envoy,
}: {
  readonly status: number | null;
  readonly envoy: { readonly details: string | null };
}): boolean {
  return (status ?? 0) >= 400 || /^(?:rbac_access_denied|jwt_authn|ext_authz)/.test(envoy.details ?? '');
}

/** A format without details shows by its flags only that the proxy itself had no part in the answer. */
function isPassedOn({
  envoy: { details, detailsKnown, flags },
}: {
  readonly envoy: {
    readonly details: string | null;
    readonly detailsKnown: boolean;
    readonly flags: readonly string[] | null;
  };
}): boolean {
  return detailsKnown ? details === 'via_upstream' : details === null && flags?.length === 0;
}

/** Who prints the line that names the cause of this one, if it is one that only sees a failure; null: see `CausePrinter`. */
export function causePrinterOf(record: LogRecord): CausePrinter {
  return LINE_PAIRS.find(({ seen }) => seen(record) !== null)?.causePrintedBy ?? null;
}
