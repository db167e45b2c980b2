import type { ConnectionRecord, LogRecord } from '../model/record.ts';
import { parseHostPort } from '../text/address.ts';

/**
 * What ztunnel's error text says went wrong. Each failed record has exactly one kind, so rules that each own their kinds
 * exclude one another. `hbone-*`: the tunnel to the next hop; `plain-*`: a destination without tunnel; `application-*`: the
 * own pod, seen by the destination ztunnel.
 */
export type ZtunnelErrorKind =
  | 'policy-denied'
  | 'mtls-required'
  | 'allow-missed'
  | 'policy-rejected'
  | 'policy-changed'
  | 'status'
  | 'hbone-timed-out'
  | 'hbone-refused'
  | 'hbone-unreachable'
  | 'hbone-closed'
  | 'peer-not-mesh'
  | 'plain-timed-out'
  | 'plain-refused'
  | 'plain-unreachable'
  | 'plain-closed'
  | 'application-timed-out'
  | 'application-refused'
  | 'application-unreachable'
  | 'application-closed'
  | 'descriptors-exhausted'
  | 'ports-exhausted'
  | 'upstream-unhealthy'
  | 'waypoint-unready'
  | 'waypoint-unknown'
  | 'waypoint-unsupported'
  | 'gateway-unknown'
  | 'unroutable'
  | 'workload-unknown'
  | 'misaddressed'
  | 'recursive'
  | 'request-malformed'
  | 'certificate-expired'
  | 'certificate-untrusted'
  | 'certificate-revoked'
  | 'certificate-refused'
  | 'revocation-unchecked'
  | 'identity-mismatched'
  | 'trust-domain-mismatched'
  | 'certificate-unavailable'
  | 'port-probed'
  | 'tunnel-rejected'
  | 'tunnel-failed'
  | 'drained'
  | 'stream-interrupted'
  | 'stream-aborted'
  | 'path-lost'
  | 'internal'
  | 'unknown';

/** A failure as ztunnel worded it. `values` are parts of the text, per kind (see the table); untrusted. */
export interface ZtunnelError {
  readonly kind: ZtunnelErrorKind;
  readonly values: readonly string[];
  /** The whole error text. Untrusted. */
  readonly text: string;
  /** Whose certificate was refused, where the text is about one. */
  readonly refused: 'source' | 'destination' | null;
}

type Hop = 'hbone' | 'plain' | 'application';
type ConnectFault = 'timed-out' | 'refused' | 'unreachable' | 'closed';

/** Rows are tried in order. Groups of the pattern are the `values`. */
type Row = readonly [kind: ZtunnelErrorKind, pattern: RegExp];

/** Texts that have one meaning wherever they stand (istio/ztunnel 62d82653 src/proxy.rs, src/rbac.rs, src/identity.rs, src/state.rs). */
const TEXTS: readonly Row[] = [
  [
    'mtls-required',
    /^connection closed due to policy rejection: explicitly denied by: ([^/]*)\/(istio_converted_static_strict|converted_peer_authentication_[\s\S]*)$/,
  ],
  ['policy-denied', /^connection closed due to policy rejection: explicitly denied by: ([^/]*)\/([\s\S]*)$/],
  ['allow-missed', /^connection closed due to policy rejection: allow policies exist, but none allowed/],
  ['policy-rejected', /^connection closed due to policy rejection/],
  ['policy-changed', /^connection closed due to policy change/],
  ['certificate-revoked', /^connection closed: peer certificate revoked/],
  [
    'drained',
    /^(?:connection closed due to connection drain|pool draining|connection failed to drain|identity error: the identity is no longer needed)/,
  ],
  ['status', /^http status: (\d{3}) ?(.*)$/],
  ['hbone-timed-out', /^connection timed out,? maybe a NetworkPolicy is blocking HBONE port/],
  [
    'path-lost',
    /^(?:while closing connection: )?(send|receive): .*(?:\(os error (?:110|113|101)\)|deadline has elapsed)$/,
  ],
  ['stream-interrupted', /^while closing connection: /],
  ['drained', /^(?:send|receive): io error: connection error received: not a result of an error/],
  [
    'stream-interrupted',
    /^(?:send|receive): io error: stream error received: (?:stream no longer needed|not a result of an error)/,
  ],
  ['stream-aborted', /^(send|receive): io error: (?:stream|connection) error (?:received|detected): (.*)$/],
  ['stream-interrupted', /^(?:send|receive): (?!io error: received fatal alert: CertificateRevoked)/],
  ['upstream-unhealthy', /^no healthy upstream: (.*)$/],
  ['upstream-unhealthy', /^no endpoints for workload: (.*)$/],
  ['waypoint-unready', /^unknown waypoint: waypoint GatewayAddress .*hostname: \\?"([^"\\]*)/],
  ['waypoint-unready', /^unknown waypoint: waypoint GatewayAddress .*address: ([0-9A-Fa-f.:]+)/],
  ['waypoint-unknown', /^unknown waypoint: (?:waypoint )?(.*?)(?: not found)?$/],
  ['waypoint-unsupported', /^unsupported feature: hostname lookup/],
  ['gateway-unknown', /^unknown network gateway: .*hostname: \\?"([^"\\]*)/],
  ['gateway-unknown', /^unknown network gateway: .*network: \\?"([^"\\]*)\\?", address: ([0-9A-Fa-f.:]+)/],
  ['gateway-unknown', /^unknown network gateway: (?:network gateway )?(.*?)(?: not found)?$/],
  ['gateway-unknown', /^no gateway address: (.*)$/],
  ['unroutable', /^no valid routing destination for workload: (.*)$/],
  ['unroutable', /^no ip addresses were resolved for workload: (.*)$/],
  ['unroutable', /^ip addresses were resolved for workload (.*?), but/],
  ['unroutable', /^no service for target address: (.*)$/],
  ['unroutable', /^(?:unsupported feature|dns lookup|dns|HostUnreachable|no valid target port for workload): (.*)$/],
  ['unroutable', /^dns response had no valid IP addresses/],
  ['misaddressed', /^ip mismatch: (\S+) != (\S+)/],
  ['misaddressed', /^no service or workload for hostname: (.*)$/],
  ['misaddressed', /^requested service (\S+) found, but/],
  ['recursive', /^attempted recursive call to ourselves/],
  ['request-malformed', /^expected method CONNECT, got (.*)$/],
  ['request-malformed', /^no valid (?:authority pseudo header|service port in authority header): (.*)$/],
  ['request-malformed', /^invalid CONNECT address (.*)$/],
  ['workload-unknown', /^(?:identity|signing) error: workload is unknown: (.*)$/],
  ['workload-unknown', /^failed to fetch information about local workload: (.*)$/],
  ['workload-unknown', /^(?:unknown source|invalid source|unknown destination): (.*)$/],
  ['workload-unknown', /^certificate lookup error: \/?(\S+) is not a known destination/],
  ['certificate-unavailable', /^(?:identity|signing|certificate lookup|tls|ssl) error: (.*)$/],
  ['descriptors-exhausted', /\(os error (23|24)\)$/],
  ['ports-exhausted', /\(os error (98|99)\)$/],
  [
    'peer-not-mesh',
    /^(?:io error|http2 handshake failed): (received corrupt message|peer is incompatible|peer misbehaved|received unexpected (?:handshake )?message)/,
  ],
  [
    'peer-not-mesh',
    /^io error: (peer doesn't support any known protocol|cannot decrypt peer's message|peer sent no certificates|peer sent excess record size)/,
  ],
  [
    'peer-not-mesh',
    /^io error: received fatal alert: (ProtocolVersion|HandshakeFailure|NoApplicationProtocol|UnrecognisedName)/,
  ],
  [
    'internal',
    /^(connection tracking failed|connection does not match workload key!|bug: connection seen twice|pool is already connecting)/,
  ],
];

/** Reasons for refusing a certificate, as rustls 0.23 and ztunnel's verifiers word them (istio/ztunnel 62d82653 src/tls/workload.rs). */
const CERTIFICATE: readonly Row[] = [
  ['certificate-expired', /^(Expired(?!Rev)|certificate expired)/],
  ['certificate-expired', /^(NotValidYet|certificate not valid yet)/],
  ['certificate-untrusted', /^(UnknownIssuer|BadSignature)/],
  ['certificate-revoked', /^(Revoked)/],
  ['revocation-unchecked', /^(ExpiredRevocationList|certificate revocation list expired)/],
  ['revocation-unchecked', /^(UnknownRevocationStatus)/],
  [
    'trust-domain-mismatched',
    /^Other\(OtherError\(SanTrustDomainError\(\\?"([^"\\]*)\\?", \[Spiffe \{ trust_domain: \\?"([^"\\]*)/,
  ],
  ['trust-domain-mismatched', /^Other\(OtherError\(SanTrustDomainError/],
  ['identity-mismatched', /^Other\(OtherError\([^(]*expected SAN \(([^)]*)\), got ([^)]*)\)/],
  ['identity-mismatched', /^(?:Other\(OtherError\(SanError|ApplicationVerificationFailure)/],
  ['certificate-refused', /^([\s\S]*)$/],
];

/** Fatal alerts by which a peer says that it refused a certificate (rustls 0.23 src/error.rs, mapping of CertificateError). */
const ALERTS: readonly Row[] = [
  ['certificate-expired', /^(CertificateExpired)/],
  ['certificate-untrusted', /^(UnknownCA|DecryptError)/],
  ['certificate-revoked', /^(CertificateRevoked)/],
  ['certificate-refused', /^(\w+)/],
];

/**
 * Handshakes that no mesh client starts: no certificate, old TLS, plain text, broken TLS, no HTTP/2 (which ztunnel always
 * offers), connect and close or keep silent. Variants of rustls 0.23 src/error.rs and kinds of io errors.
 */
const PROBE =
  /NoCertificatesPresented|NoApplicationProtocol|PeerIncompatible|PeerMisbehaved|PeerSentOversizedRecord|InvalidMessage|Inappropriate(?:Handshake)?Message|UnexpectedEof|ConnectionReset|BrokenPipe|NotConnected|TimedOut|deadline has elapsed/;

/** A peer's alert at the source: in the handshake, or (a revocation list that changed) on an open connection. */
const ALERT = /^(?:h2 failed|http2 handshake failed|(?:(?:send|receive): )?io error): received fatal alert: (\w+)/;

/** A GOAWAY or reset without error code, perhaps with the peer's debug text (`(b"shutdown")`): a graceful shutdown. */
const GRACEFUL = / error received: not a result of an error(?: \(b"|$)/;

const CONNECT: readonly (readonly [fault: ConnectFault, pattern: RegExp])[] = [
  ['timed-out', /(?:^|: )(?:deadline has elapsed|Connection timed out \(os error 110\))$/],
  ['refused', /\(os error 111\)$/],
  ['unreachable', /\(os error (?:1|13|100|101|112|113)\)$/],
  ['closed', /\(os error (?:32|103|104|107)\)$|broken pipe$|tls handshake eof$|unexpected end of file$|close_notify/],
];

/**
 * What a record of a ztunnel says went wrong: a connection that failed, or the `TLS handshake error`, `Failed TCP handshake`
 * and `proxying failed` lines that stand for one (istio/ztunnel src/tls/server.rs up to 1.25; release-1.18 to release-1.21
 * src/proxy/inbound.rs). Null: nothing failed, or another kind of record.
 */
export function ztunnelErrorOf(record: LogRecord): ZtunnelError | null {
  if (record.proxy !== 'ztunnel') return null;
  if (record.kind === 'diagnostic') {
    const refused = record.scope === 'proxy::inbound' ? afterPrefix(record.message, 'proxying failed: ') : null;
    return refused === null ? diagnosticError(record.message) : readZtunnelError(refused, 'application');
  }
  if (record.kind !== 'connection' || (record.error === null && record.phase !== 'failed')) return null;
  const error = readZtunnelError(record.error ?? '', hopOf(record));
  return callsOwnPort(record, error) ? { ...error, kind: 'recursive' } : error;
}

function diagnosticError(message: string): ZtunnelError | null {
  const handshake = afterPrefix(message, 'TLS handshake error: ');
  if (handshake !== null) {
    const error = readZtunnelError(handshake, 'application');
    return error.kind === 'workload-unknown' && isLoopback(error.values[0]) ? { ...error, kind: 'recursive' } : error;
  }
  const accept = afterPrefix(message, 'Failed TCP handshake ');
  if (accept === null) return null;
  const error = readZtunnelError(accept, 'application');
  return error.kind === 'descriptors-exhausted' ? error : null;
}

/** Reads ztunnel's error text. `hop` says what a failed connect was about. Linear in the text. */
export function readZtunnelError(text: string, hop: Hop): ZtunnelError {
  return (
    byTable(TEXTS, text, text, null) ?? handshakeError(text) ?? connectError(text, hop) ?? result('unknown', [], text)
  );
}

function handshakeError(text: string): ZtunnelError | null {
  const ofServer = afterPrefix(text, 'io error: invalid peer certificate: ');
  if (ofServer !== null) return byTable(CERTIFICATE, ofServer, text, 'destination');
  const alert = ALERT.exec(text)?.[1];
  if (alert !== undefined) return alertError(alert, text, 'source');
  if (text.startsWith('h2 failed: ') || text.startsWith('http2 handshake failed: ')) return tunnelError(text);
  const handshake = afterPrefix(text, 'tls handshake error: ');
  return handshake === null ? null : acceptError(handshake, text);
}

/** The destination's side of a handshake: `Custom { kind: …, error: InvalidCertificate(…) }`, Debug form of an io error. */
function acceptError(handshake: string, text: string): ZtunnelError {
  const received = /AlertReceived\((\w+)/.exec(handshake)?.[1];
  if (received !== undefined) return alertError(received, text, 'destination');
  const invalid = handshake.indexOf('InvalidCertificate(');
  if (invalid >= 0) {
    const reason = handshake.slice(invalid + 'InvalidCertificate('.length);
    const error = byTable(CERTIFICATE, reason, text, 'source');
    if (error !== null) return error;
  }
  return result(PROBE.test(handshake) ? 'port-probed' : 'certificate-refused', [handshake], text);
}

/**
 * `CertificateUnknown` stands for a verifier's own reason: at the source that is the expected identity, at the destination
 * the trust domain (the only checks of their own that ztunnel's verifiers make).
 */
function alertError(alert: string, text: string, refused: 'source' | 'destination'): ZtunnelError {
  if (alert === 'CertificateUnknown' || alert === 'AccessDenied') {
    return result(refused === 'source' ? 'trust-domain-mismatched' : 'identity-mismatched', [], text, refused);
  }
  return byTable(ALERTS, alert, text, refused) ?? result('certificate-refused', [alert], text, refused);
}

function tunnelError(text: string): ZtunnelError {
  if (GRACEFUL.test(text)) return result('drained', [], text);
  return result(
    /broken pipe|reset by peer|unexpected end of file|close_notify/.test(text) ? 'tunnel-rejected' : 'tunnel-failed',
    [],
    text,
  );
}

function connectError(text: string, hop: Hop): ZtunnelError | null {
  if (/^(?:http handshake failed|http failed|no upgrade available|connection streams maxed out)/.test(text)) {
    return result('tunnel-failed', [], text);
  }
  const fault = CONNECT.find(([, pattern]) => pattern.test(text))?.[0];
  return fault === undefined ? null : result(`${hop}-${fault}`, [], text);
}

function byTable(
  rows: readonly Row[],
  part: string,
  text: string,
  refused: ZtunnelError['refused'],
): ZtunnelError | null {
  for (const [kind, pattern] of rows) {
    const match = pattern.exec(part);
    if (match !== null)
      return result(
        kind,
        match.slice(1).map((value) => value ?? ''),
        text,
        refused,
      );
  }
  return null;
}

function result(
  kind: ZtunnelErrorKind,
  values: readonly string[],
  text: string,
  refused: ZtunnelError['refused'] = null,
): ZtunnelError {
  return { kind, values, text, refused };
}

function afterPrefix(text: string, prefix: string): string | null {
  return text.startsWith(prefix) ? text.slice(prefix.length) : null;
}

/**
 * A line without direction is judged by its wording: only the destination says `connection failed`. A fragment without
 * addresses counts as a tunnel, which most connections in a mesh are.
 */
function hopOf({ reporter, error, hboneAddress, source, destination }: ConnectionRecord): Hop {
  if (reporter === 'destination' || error?.startsWith('connection failed: ') === true) return 'application';
  const isTunnel = hboneAddress !== null || destination.port === 15008 || source.identity !== null;
  return isTunnel || destination.address === null ? 'hbone' : 'plain';
}

/** ztunnel's own listeners (istio/ztunnel 62d82653 src/config.rs). */
const OWN_PORTS: ReadonlySet<number | null> = new Set([15001, 15006, 15008]);

/** A call to ztunnel's own port, which shows as 400 or 503 at the source, or as an unknown loopback source (1.22, 1.23). */
function callsOwnPort(record: ConnectionRecord, error: ZtunnelError): boolean {
  if (error.kind === 'workload-unknown') return isLoopback(record.source.address) || isLoopback(error.values[0]);
  if (error.kind !== 'status' || (error.values[0] !== '400' && error.values[0] !== '503')) return false;
  return OWN_PORTS.has(parseHostPort(record.hboneAddress)?.port ?? null);
}

function isLoopback(address: string | null | undefined): boolean {
  return address?.startsWith('127.') === true || address === '::1';
}
