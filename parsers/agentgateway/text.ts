import type { Envelope } from '../../src/model/line.ts';
import {
  type ConnectionRecord,
  type EnvoyFacts,
  type Parsed,
  type Parser,
  type Peer,
  type RequestRecord,
  UNKNOWN_ENVOY,
  UNKNOWN_PEER,
} from '../../src/model/record.ts';
import { parseHostPort } from '../../src/text/address.ts';
import { parseDurationMs } from '../../src/text/duration.ts';
import { type Fields, readPairs } from '../../src/text/key-value.ts';
import { redactQuery, redactSecrets } from '../../src/text/redact.ts';
import { parseSpiffeId } from '../../src/text/spiffe.ts';
import { parseInstant } from '../../src/text/time.ts';

const ID = 'agentgateway-text';

/**
 * Requests and connections that agentgateway passed on or answered, as a gateway or a waypoint of an ambient mesh: `<time>\t<level>\trequest
 * gateway=… http.status=… duration=…` (agentgateway crates/agentgateway/src/telemetry/log.rs). The last fields of its own are a reason, where it has one, and the duration.
 * Lines that were folded when somebody pasted them are read too, and fields of one that end in a reason.
 */
export const agentgatewayText: Parser = {
  id: ID,
  title: 'agentgateway, requests (text)',
  parse(envelope: Envelope): Parsed {
    const head = HEAD.exec(envelope.payload);
    const start = head?.[0].length ?? PART.exec(envelope.payload)?.[0].length;
    if (start === undefined) return null;
    const { values, open } = readPairs(envelope.payload.replace(FOLD, ' '), start);
    if (head === null && !values.has('http.status')) return null;
    if (open || !(isTold(values) || (head !== null && values.has('duration')))) return { kind: 'unfinished' };
    return recordOf(envelope, head?.[1] ?? null, values);
  },
};

const HEAD =
  /^\s{0,64}(?:(\d{4}-\d\d-\d\dT[\d:.]{8,18}Z)\s{1,8})?(?:trace|debug|info|warn|error)\s{1,8}request\s{1,8}(?:\.{3}\s)?(?=(?:gateway|listener|route|endpoint|request\.id|src\.addr)=)/;
/** Some fields of a line, the first ones left out: whatever else has such a status has no such reason. */
const PART =
  /^(?:\.{3}\s?|agentgateway:\s{1,8})?(?=(?:gateway|listener|route|endpoint|src\.addr|http\.(?:method|host|path|version|status))=)(?=[^\n]{0,4096}http\.status=\d{3}\s)/;
/** A line break that somebody made, with the indentation behind it. */
const FOLD = /\s*\n\s*/g;

/** Names of `ProxyResponseReason` (agentgateway crates/agentgateway/src/proxy/mod.rs). An upstream's own answer has none. */
const REASONS: ReadonlySet<string> = new Set(
  (
    'DirectResponse NotFound NoHealthyBackend Internal InvalidRequest JwtAuth Oidc BasicAuth APIKeyAuth ExtAuth Authorization Timeout ' +
    'ExtProc RateLimit Overload Guardrail MCP UpstreamFailure'
  ).split(' '),
);

function isTold(values: Fields): boolean {
  return REASONS.has(values.get('reason') ?? '');
}

function recordOf({ at, origin, payload, time }: Envelope, stamp: string | null, values: Fields): Parsed {
  const endpoint = values.get('endpoint') ?? null;
  const base = {
    at,
    parser: ID,
    proxy: 'agentgateway',
    reporter: null,
    origin,
    time: (stamp === null ? null : parseInstant(stamp)) ?? time,
    raw: redactSecrets(payload.trimStart()),
    source: { ...peerOf(values.get('src.addr')), identity: parseSpiffeId(values.get('src.identity') ?? '') },
    destination: peerOf(endpoint),
    service: values.get('http.host') ?? values.get('tls.sni') ?? null,
    bytesSent: null,
    bytesReceived: null,
    durationMs: parseDurationMs(values.get('duration') ?? null),
  } as const;
  const status = values.get('http.status');
  if (status === undefined && !values.has('http.method')) {
    const error = values.get('error') ?? null;
    return {
      ...base,
      kind: 'connection',
      phase: 'complete',
      hboneAddress: null,
      error,
      envoy: null,
    } satisfies ConnectionRecord;
  }
  return {
    ...base,
    kind: 'request',
    method: values.get('http.method') ?? null,
    path: values.has('http.path') ? redactQuery(values.get('http.path') ?? '') : null,
    authority: values.get('http.host') ?? null,
    protocol: values.get('http.version') ?? null,
    status: status === undefined ? null : numberOf(status),
    envoy: factsOf(values, endpoint),
  } satisfies RequestRecord;
}

function peerOf(address: string | undefined | null): Peer {
  const read = parseHostPort(address ?? null);
  return read === null ? UNKNOWN_PEER : { ...UNKNOWN_PEER, address: read.host, port: read.port };
}

function numberOf(text: string): number | null {
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/** What Envoy has columns for, in agentgateway's words: the reason for the details, the error for the failure of the transport. */
function factsOf(values: Fields, endpoint: string | null): EnvoyFacts {
  return {
    ...UNKNOWN_ENVOY,
    details: values.get('reason') ?? (endpoint === null ? null : 'via_upstream'),
    detailsKnown: true,
    upstreamKnown: true,
    transportFailure: values.get('error') ?? null,
    upstreamHost: endpoint,
    downstreamRemote: values.get('src.addr') ?? null,
    serverName: values.get('tls.sni') ?? null,
    route: values.get('route') ?? null,
    grpcStatus: numberOf(values.get('grpc.status') ?? ''),
    requestId: values.get('trace.id') ?? null,
  };
}
