import type { Certainty } from '../model/finding.ts';
import type { ConnectionRecord, LogRecord, RequestRecord } from '../model/record.ts';
import { envoyFailure } from './envoy-failure.ts';
import type { EnvoyFailureKind } from './envoy-failure-table.ts';
import { jwtReason } from './jwt-refusal.ts';
import { parseRbacDetail } from './rbac-id.ts';
import { type ZtunnelErrorKind, ztunnelErrorOf } from './ztunnel-error.ts';

/** Two columns of one line that no proxy prints together. */
export interface Contradiction {
  /** The most that can be claimed of such a line. `likely`: only the status does not fit, which a proxy can be told to change. */
  readonly atMost: Certainty;
  /** What speaks against what, in sentences, for `unchecked`. Untrusted text. */
  readonly told: string;
}

/**
 * What on the line speaks against its own reading; null: nothing. Lines are edited, merged and mapped on their way, and a
 * verdict that one column gives and another denies is no certain one.
 */
export function contradictionOf(record: LogRecord): Contradiction | null {
  if (record.kind === 'diagnostic') return null;
  if (record.kind === 'request') return ofRequest(record);
  return record.proxy === 'ztunnel' ? ofZtunnel(record) : null;
}

/**
 * Flags of a request that this proxy ended before an upstream was asked, or without reaching one, and the one status each is
 * answered with; null: it depends on settings (envoy 1.37 source/common/router/router.cc, source/extensions/filters/http).
 */
const UNASKED: Readonly<Record<string, number | null>> = {
  UH: 503,
  UO: 503,
  UF: 503,
  NR: 404,
  NC: null,
  RL: null,
  RLSE: null,
  UAEX: null,
  FI: null,
  LH: 503,
  NFCF: 500,
  DF: 503,
  DO: 503,
  UDO: 503,
};

/** Kinds that details tell, and the flag of `UNASKED` that goes with each; the others go with none. */
const FLAG_OF: Readonly<Partial<Record<EnvoyFailureKind, readonly string[]>>> = {
  'no-endpoint': ['UH'],
  overflow: ['UO'],
  route: ['NR'],
  'filter-chain': ['NR'],
  cluster: ['NC', 'UH'],
  'rate-limited': ['RL', 'RLSE'],
  'authorizer-denied': ['UAEX'],
  'authorizer-failed': ['UAEX'],
  fault: ['FI'],
  'application-unhealthy': ['LH'],
  'filter-failed': ['NFCF'],
  dns: ['DF'],
  'load-shed': ['DO', 'UDO'],
};

/** Kinds of a connect that failed, with flag UF. */
const CONNECT: ReadonlySet<EnvoyFailureKind> = new Set([
  'tls-to-plaintext',
  'client-certificate-missing',
  'tls-parameters',
  'tls-broken',
  'peer-certificate',
  'own-certificate',
  'certificate-absent',
  'unreachable',
  'rejected',
  'forbidden',
  'refused',
  'connect-failed',
  'hbone-unreachable',
  'tunnel-denied',
  'tunnel-failed',
  'tunnel-closed',
  'tunnel-target',
]);

/** Kinds that Istio's own filters answer with one status each. */
const POLICY: ReadonlySet<EnvoyFailureKind> = new Set([
  'rbac-none',
  'rbac-rule',
  'authorizer-misconfigured',
  'jwt-refused',
]);

function ofRequest(record: RequestRecord): Contradiction | null {
  const { envoy } = record;
  const failure = envoyFailure(record);
  if (failure === null || failure.kind === 'egress-blocked') return null;
  const flag = envoy.flags?.find((name) => Object.hasOwn(UNASKED, name)) ?? null;
  return (
    answeredThough(record, flag) ??
    (envoy.details !== null && POLICY.has(failure.kind) ? againstPolicy(record, failure, flag) : null) ??
    (flag === null ? null : againstFlag(record, failure.kind, flag))
  );
}

/** An answer of the upstream on a line whose flag or denial says that none was asked. */
function answeredThough(record: RequestRecord, flag: string | null): Contradiction | null {
  const { envoy } = record;
  const denial = parseRbacDetail(envoy.termination) === null ? null : envoy.termination;
  const local = flag ?? denial;
  if (local !== null && envoy.details === 'via_upstream')
    return doubt('possible', `via_upstream says that the destination answered, ${local} that it was never asked`);
  if (flag === null || flag === 'UAEX' || !isSuccess(record)) return null;
  return doubt(
    'possible',
    `${flag} says that the destination was not reached, status ${record.status} that it answered`,
  );
}

/** A denial of this proxy with the flag, the time or the status of an answer that is not its own. */
function againstPolicy(
  record: RequestRecord,
  { kind, text }: { readonly kind: EnvoyFailureKind; readonly text: string },
  flag: string | null,
): Contradiction | null {
  const { envoy, status } = record;
  const isToken = kind === 'jwt-refused';
  const what = `the details are a ${isToken ? 'refusal of the token' : 'denial by policy'}`;
  if (flag !== null) return doubt('possible', `${what}, and the flag ${flag} stands for another reason`);
  if (envoy.upstreamServiceMs !== null || isSuccess(record))
    return doubt('possible', `${what}, and the line also shows an answer of the destination (status ${status})`);
  const usual = isToken && jwtReason(text) !== 'audience' ? 401 : 403;
  const fits = status === null || status === usual || isGrpcReply(record);
  return fits ? null : doubt('likely', `${what}, which is answered with ${usual}, and the status is ${status}`);
}

function againstFlag(record: RequestRecord, kind: EnvoyFailureKind, flag: string): Contradiction | null {
  const { details } = record.envoy;
  if (details !== null) {
    const own = CONNECT.has(kind) ? ['UF'] : (FLAG_OF[kind] ?? []);
    return own.includes(flag) || !KNOWN.has(kind)
      ? null
      : doubt('possible', `the details (${details}) and the flag ${flag} stand for different reasons`);
  }
  const usual = UNASKED[flag] ?? null;
  const { status } = record;
  if (usual === null || status === null || status === 0 || status === usual || isGrpcReply(record)) return null;
  return doubt('likely', `${flag} is answered with ${usual}, and the status is ${status}`);
}

/** Kinds whose flag is known, and those of a connection that was made, which have none of these. */
const KNOWN: ReadonlySet<string> = new Set([...Object.keys(FLAG_OF), ...CONNECT, 'closed', 'stream-reset']);

function isSuccess(record: RequestRecord): boolean {
  return record.status !== null && record.status >= 100 && record.status < 400 && !isGrpcReply(record);
}

/** A proxy's answer to gRPC has status 200, a gRPC status and no body. Columns that are not printed contradict nothing. */
function isGrpcReply({ status, protocol, bytesSent, envoy }: RequestRecord): boolean {
  const looksLikeIt = (protocol ?? 'HTTP/2') === 'HTTP/2' && (bytesSent ?? 0) === 0;
  return status === 200 && (envoy.grpcStatus !== null || looksLikeIt);
}

/** Texts that only the caller's ztunnel prints, and those that only the destination's does (istio/ztunnel 62d82653 src/proxy). */
const OF_SOURCE: ReadonlySet<ZtunnelErrorKind> = new Set([
  'status',
  'hbone-timed-out',
  'upstream-unhealthy',
  'waypoint-unready',
  'waypoint-unknown',
  'gateway-unknown',
]);
const OF_DESTINATION: ReadonlySet<ZtunnelErrorKind> = new Set([
  'policy-denied',
  'mtls-required',
  'allow-missed',
  'policy-rejected',
  'policy-changed',
]);

function ofZtunnel(record: ConnectionRecord): Contradiction | null {
  const error = ztunnelErrorOf(record);
  if (error === null) return null;
  if (record.reporter === 'destination' && OF_SOURCE.has(error.kind))
    return doubt('possible', 'the line says inbound, and only the ztunnel of the caller prints this error');
  if (record.reporter === 'source' && OF_DESTINATION.has(error.kind))
    return doubt('possible', 'the line says outbound, and only the ztunnel of the destination prints this error');
  if (error.kind === 'mtls-required' && record.source.identity !== null)
    return doubt('possible', `the policy refuses plain text only, and the line shows the caller's proven identity`);
  return null;
}

function doubt(atMost: Certainty, what: string): Contradiction {
  const how =
    atMost === 'likely'
      ? 'An EnvoyFilter with local reply rules can change the status, and so can whoever handled the line.'
      : 'It was changed on its way, or put together from two: read it where the proxy printed it.';
  return { atMost, told: `The line contradicts itself: ${what}. ${how}` };
}
