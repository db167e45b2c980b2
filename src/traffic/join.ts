import { relayOf } from '../causes/ztunnel-hop.ts';
import type { ConnectionRecord, LogRecord, RequestRecord } from '../model/record.ts';
import type { Flow } from '../model/traffic.ts';
import { parseHostPort } from '../text/address.ts';
import { pathShape } from '../text/path-shape.ts';
import { instantMs } from '../text/time.ts';

/** One failure as it was observed: the flow that names the cause, and the other end's flows of the same failure. */
export interface Incident {
  readonly flow: Flow;
  readonly others: readonly Flow[];
  /** Failures: records of the flow, or of the other end where that saw more. */
  readonly count: number;
}

/** Two ends that print one failure in two ways. */
interface EndPair {
  /** What the pair is, for readers. */
  readonly about: string;
  /** The end that knows the cause; the other end's flows are told as its evidence. */
  readonly namedBy: 'source' | 'destination';
  /** Key of a record of the source's proxy that sees this failure, null if it does not. */
  source(record: LogRecord): string | null;
  /** The same for the destination's proxy. */
  destination(record: LogRecord): string | null;
}

/** Flows of two ends that are further apart than this in time are not one failure. */
const MAX_SKEW_MS = 120_000;

/**
 * Joins the two ends of one failure, flow by flow. Each flow ends in exactly one incident, as the flow or as one of the
 * others, and counts are kept: what the source saw beyond what the destination saw stays an incident of its own.
 */
export function joinEnds(flows: readonly Flow[]): readonly Incident[] {
  const explained = new Map<Flow, Flow>();
  const surplus = new Map<Flow, number>();
  // In the order of keys: the order of input must not decide which flow keeps a surplus.
  const sorted = [...flows].sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const pair of END_PAIRS) joinPair(pair, sorted, explained, surplus);
  const others = new Map<Flow, Flow[]>();
  for (const [other, flow] of explained) {
    const list = others.get(flow) ?? [];
    list.push(other);
    others.set(flow, list);
  }
  return flows
    .filter((flow) => !explained.has(flow) || surplus.has(flow))
    .map((flow) => ({ flow, others: others.get(flow) ?? [], count: surplus.get(flow) ?? flow.count }));
}

function joinPair(pair: EndPair, flows: readonly Flow[], explained: Map<Flow, Flow>, surplus: Map<Flow, number>): void {
  const [namer, other] =
    pair.namedBy === 'destination' ? [pair.destination, pair.source] : [pair.source, pair.destination];
  const named = groupBy(flows, (flow) => (explained.has(flow) ? null : namer(flow.record)));
  if (named.size === 0) return;
  for (const [key, seen] of groupBy(flows, (flow) => (explained.has(flow) ? null : other(flow.record)))) {
    const causes = named.get(key);
    if (causes !== undefined) explain(seen, causes, explained, surplus);
  }
}

/** Gives what one end saw to the causes that the other end named and that overlap in time; what is left over is surplus. */
function explain(
  seen: readonly Flow[],
  causes: readonly Flow[],
  explained: Map<Flow, Flow>,
  surplus: Map<Flow, number>,
): void {
  const left = new Map(causes.map((cause) => [cause, cause.count]));
  for (const flow of seen) {
    const near = causes.filter((cause) => cause !== flow && overlaps(cause, flow));
    const [first] = near;
    if (first === undefined) continue;
    explained.set(flow, first);
    let rest = flow.count;
    for (const cause of near) {
      const taken = Math.min(rest, left.get(cause) ?? 0);
      left.set(cause, (left.get(cause) ?? 0) - taken);
      rest -= taken;
    }
    if (rest > 0) surplus.set(flow, rest);
  }
}

function groupBy(flows: readonly Flow[], keyOf: (flow: Flow) => string | null): Map<string, Flow[]> {
  const groups = new Map<string, Flow[]>();
  for (const flow of flows) {
    const key = keyOf(flow);
    if (key === null) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [flow]);
    else group.push(flow);
  }
  return groups;
}

function overlaps(a: Flow, b: Flow): boolean {
  if (a.firstSeen === null || a.lastSeen === null || b.firstSeen === null || b.lastSeen === null) return true;
  const apart = Math.max(
    instantMs(a.firstSeen) - instantMs(b.lastSeen),
    instantMs(b.firstSeen) - instantMs(a.lastSeen),
  );
  return apart <= MAX_SKEW_MS;
}

/** ztunnel's record of one end with an error that matches: keyed by the caller's pod and the address inside the tunnel. */
function tunnel(reporter: 'source' | 'destination', error: RegExp): (record: LogRecord) => string | null {
  return (record) => {
    if (!isZtunnel(record, reporter) || !error.test(record.error ?? '')) return null;
    return record.source.address === null || record.hboneAddress === null
      ? null
      : `${record.source.address} ${record.hboneAddress}`;
  };
}

/** The same, keyed by the two pods: for failures that end before the inner address is known. */
function podPair(reporter: 'source' | 'destination', error: RegExp): (record: LogRecord) => string | null {
  return (record) => {
    if (!isZtunnel(record, reporter) || !error.test(record.error ?? '')) return null;
    return record.source.address === null || record.destination.address === null
      ? null
      : `${record.source.address} ${record.destination.address}`;
  };
}

/** A 503 of a waypoint or gateway, keyed by its pod and the Service that was called. */
function relayedService(record: LogRecord): string | null {
  if (!isZtunnel(record, 'source') || relayOf(record) === null || !/^http status: 503/.test(record.error ?? ''))
    return null;
  return record.service === null ? null : `${record.destination.address} ${record.service}`;
}

/** What the ztunnel behind it saw: the waypoint or gateway is the caller there. */
function serviceBehindRelay(record: LogRecord): string | null {
  if (!isZtunnel(record, 'destination') || !(REJECTED.test(record.error ?? '') || UNREACHED.test(record.error ?? '')))
    return null;
  return record.source.address === null || record.service === null
    ? null
    : `${record.source.address} ${record.service}`;
}

function isZtunnel(record: LogRecord, reporter: 'source' | 'destination'): record is ConnectionRecord {
  return record.kind === 'connection' && record.proxy === 'ztunnel' && record.reporter === reporter;
}

/** A request at the caller's sidecar or gateway that `accepts` likes, keyed by both pods, port, method and path. */
function outboundRequest(accepts: (record: RequestRecord) => boolean): (record: LogRecord) => string | null {
  return (record) => {
    if (record.kind !== 'request' || (record.reporter !== 'source' && record.reporter !== 'gateway')) return null;
    const own = parseHostPort(record.envoy.upstreamLocal)?.host ?? record.source.address;
    return accepts(record) ? requestEnds(own, record.envoy.upstreamHost, record) : null;
  };
}

function inboundRequest(accepts: (record: RequestRecord) => boolean): (record: LogRecord) => string | null {
  return (record) =>
    record.kind === 'request' && record.reporter === 'destination' && accepts(record)
      ? requestEnds(record.source.address, record.envoy.downstreamLocal, record)
      : null;
}

function requestEnds(source: string | null, destination: string | null, record: RequestRecord): string | null {
  return source === null || destination === null
    ? null
    : `${source} ${destination} ${record.method} ${pathShape(record.path)} ${record.status}`;
}

/** Envoy's connection or request that was cut, keyed by both pods and the port. */
function outboundCut(record: LogRecord): string | null {
  if (record.kind === 'diagnostic' || record.envoy === null || record.reporter !== 'source') return null;
  const { flags, upstreamHost } = record.envoy;
  const cut = flags?.includes('UC') || flags?.includes('UR');
  return cut && record.source.address !== null && upstreamHost !== null
    ? `${record.source.address} ${upstreamHost}`
    : null;
}

function inboundNoChain(record: LogRecord): string | null {
  if (record.kind !== 'connection' || record.envoy === null) return null;
  const { details, downstreamLocal } = record.envoy;
  return details === 'filter_chain_not_found' && record.source.address !== null
    ? `${record.source.address} ${downstreamLocal}`
    : null;
}

/** A denial in the debug log of an RBAC filter, by the rule that it names. */
function debugDenial(record: LogRecord): string | null {
  if (record.kind !== 'diagnostic' || record.proxy !== 'envoy') return null;
  const { mode, result, policy } = record.fields;
  return mode === 'enforced' && result === 'denied' && policy !== undefined ? `${record.origin.pod} ${policy}` : null;
}

/** The same in the access log. */
function accessDenial(record: LogRecord): string | null {
  if (record.kind === 'diagnostic' || record.envoy === null) return null;
  const { details, termination } = record.envoy;
  const id = DENIAL.exec(details ?? termination ?? '')?.[1];
  return id === undefined ? null : `${record.origin.pod} ${id}`;
}

const DENIAL = /^rbac_access_denied_matched_policy\[(.*)\]$/;

/** What the destination answers with 401: the last is a fault of its own (istio/ztunnel 62d82653 src/proxy/inbound.rs). */
const REJECTED = /^connection (?:closed due to policy rejection|tracking failed)/;
const UNREACHED = /^connection failed: |\(os error \d+\)$/;
const PEER_REFUSED = /^(?:io error: .*(?:tls handshake eof|reset by peer|unexpected end of file)|h2 failed: )/i;

/**
 * Which two lines are one failure (istio/ztunnel 62d82653, src/proxy/{inbound,outbound}.rs; seen in captures of 1.22 to
 * 1.31). Order matters: a flow explained by one pair is not looked at by the next.
 */
const END_PAIRS: readonly EndPair[] = [
  {
    about: 'the destination ztunnel refused the connection, mostly by policy, and answered 401',
    namedBy: 'destination',
    source: tunnel('source', /^http status: 401/),
    destination: tunnel('destination', REJECTED),
  },
  {
    about:
      'the ztunnel behind a waypoint or gateway refused that by policy or could not reach its application; it answered 503',
    namedBy: 'destination',
    source: relayedService,
    destination: serviceBehindRelay,
  },
  {
    about: 'the destination ztunnel could not reach its application and answered 503',
    namedBy: 'destination',
    source: tunnel('source', /^http status: 503/),
    destination: tunnel('destination', UNREACHED),
  },
  {
    about: 'the destination ztunnel refused the request before any policy and answered 400 or 503',
    namedBy: 'destination',
    source: podPair('source', /^http status: (?:400|503)/),
    destination: podPair(
      'destination',
      /^(?:ip mismatch|no valid authority|invalid CONNECT|attempted recursive|requested service|no service or workload)/,
    ),
  },
  {
    about: 'the destination ended an open connection; the source sees a broken pipe',
    namedBy: 'destination',
    source: tunnel('source', /^(?:while closing connection|send|receive): /),
    destination: tunnel(
      'destination',
      /^connection closed(?: due to policy change| due to connection drain|: peer certificate)/,
    ),
  },
  {
    about: 'the source refused the certificate of the destination, which is told so by an alert',
    namedBy: 'source',
    source: podPair('source', /^io error: invalid peer certificate/),
    destination: podPair('destination', /^tls handshake error: .*AlertReceived/),
  },
  {
    about: 'the destination refused the certificate of the source',
    namedBy: 'destination',
    source: podPair('source', PEER_REFUSED),
    destination: podPair('destination', /^tls handshake error: .*InvalidCertificate/),
  },
  {
    about: 'the destination has no certificate of its own and closed the connection',
    namedBy: 'destination',
    source: podPair('source', PEER_REFUSED),
    destination: podPair('destination', /^signing error: /),
  },
  {
    about: "the server's sidecar refused the request by policy or token; the client's sidecar passed the answer on",
    namedBy: 'destination',
    source: outboundRequest((record) => record.envoy.details === 'via_upstream'),
    destination: inboundRequest((record) =>
      /^(?:rbac_access_denied|jwt_authn|ext_authz)/.test(record.envoy.details ?? ''),
    ),
  },
  {
    about: 'the application answered with an error; both sidecars passed it on',
    namedBy: 'destination',
    source: outboundRequest((record) => record.envoy.details === 'via_upstream' && (record.status ?? 0) >= 400),
    destination: inboundRequest((record) => record.envoy.details === 'via_upstream' && (record.status ?? 0) >= 400),
  },
  {
    about: "the server's listener had no filter chain for the connection; the client sees it closed",
    namedBy: 'destination',
    source: outboundCut,
    destination: inboundNoChain,
  },
  {
    about: 'the RBAC filter said in the debug log that it denied; the access line says who was denied',
    namedBy: 'destination',
    source: debugDenial,
    destination: accessDenial,
  },
];
