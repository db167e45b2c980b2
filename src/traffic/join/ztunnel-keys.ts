import { relayOf } from '../../causes/ztunnel-hop.ts';
import type { ConnectionRecord, DiagnosticRecord, LogRecord } from '../../model/record.ts';
import { parseKnativeCall } from '../../text/knative-line.ts';
import { type KeyOf, keyOf } from './key.ts';

type End = 'source' | 'destination';

/** ztunnel's record of one end with an error that matches. */
function ztunnel(reporter: End, error: RegExp, key: (record: ConnectionRecord) => string | null): KeyOf {
  return (record) =>
    record.kind === 'connection' &&
    record.proxy === 'ztunnel' &&
    record.reporter === reporter &&
    error.test(record.error ?? '')
      ? key(record)
      : null;
}

/** Keyed by the caller's pod and the address inside the tunnel: one caller, one pod, one port. */
export function tunnel(reporter: End, error: RegExp): KeyOf {
  return ztunnel(reporter, error, ({ source, hboneAddress }) => keyOf(source.address, hboneAddress));
}

/** Keyed by the two pods: for failures that end before the inner address is known. */
export function podPair(reporter: End, error: RegExp): KeyOf {
  return ztunnel(reporter, error, ({ source, destination }) => keyOf(source.address, destination.address));
}

/** An answer of a waypoint or gateway on the way, keyed by its pod and the Service that was called. */
export function relayedService(error: RegExp): KeyOf {
  return ztunnel('source', error, (record) =>
    relayOf(record) === null ? null : keyOf(record.destination.address, record.service),
  );
}

/** What the ztunnel behind it saw: the waypoint or gateway is the caller there. */
export function serviceBehindRelay(error: RegExp): KeyOf {
  return ztunnel('destination', error, ({ source, service }) => keyOf(source.address, service));
}

/**
 * A tunnel inside a tunnel through an east-west gateway: the inner one is the caller's own, so the answer and the identity
 * are those of the two ends, and only the address is the gateway's (captures, remote-network-double-hbone).
 */
export function throughGateway(reporter: End, error: RegExp): KeyOf {
  return ztunnel(reporter, error, (record) => {
    const { source, destination, hboneAddress } = record;
    if (reporter === 'source' && relayOf(record) === null) return null;
    const gateway = reporter === 'source' ? destination.address : source.address;
    return keyOf(gateway, hboneAddress, source.identity);
  });
}

/** ztunnel's record of one end, keyed by the pod it serves and a part of the error. */
export function servedPod(reporter: End, error: RegExp, part: (error: string) => string | null): KeyOf {
  return ztunnel(reporter, error, (record) => {
    const { namespace, workload } = reporter === 'source' ? record.source : record.destination;
    return keyOf(namespace, workload, part(record.error ?? ''));
  });
}

/** ztunnel's record of either end, keyed by a part of its error alone. */
export function errorPart(pattern: RegExp): KeyOf {
  return (record) =>
    record.kind === 'connection' && record.proxy === 'ztunnel' ? keyOf(pattern.exec(record.error ?? '')?.[1]) : null;
}

/** ztunnel's record of a connection that the caller could not open, keyed by the address of the caller's pod. */
export const notOpened: KeyOf = ztunnel(
  'source',
  /^(?!while closing connection|send: |receive: |connection closed)/,
  ({ source }) => keyOf(source.address),
);

/** The same of a pod of Knative, keyed by its component and what it called. */
export const notOpenedByKnative: KeyOf = ztunnel(
  'source',
  /^(?!while closing connection|send: |receive: |connection closed)/,
  ({ source, hboneAddress }) => keyOf(/^(activator|autoscaler)-/.exec(source.workload ?? '')?.[1], hboneAddress),
);

/** What that pod said of it: Go names no end of a connection that was closed before an answer. */
export function cutFromKnative(record: LogRecord): string | null {
  if (record.kind !== 'diagnostic' || record.proxy !== 'knative') return null;
  const error = record.fields['error'] ?? '';
  const call = parseKnativeCall(record.scope, record.message, record.fields);
  return call === null || !/\bEOF\b|reset by peer/.test(error)
    ? null
    : keyOf(call.component, `${call.host}:${call.port}`);
}

/** A diagnostic line of ztunnel, keyed by the pod in its span and what `part` finds in it. */
export function ztunnelLine(scope: RegExp, part: (record: DiagnosticRecord) => string | null): KeyOf {
  return (record) => {
    if (record.kind !== 'diagnostic' || record.proxy !== 'ztunnel' || !scope.test(record.scope)) return null;
    const [namespace, pod] = record.fields['wl']?.split('/') ?? [];
    return keyOf(namespace, pod, part(record));
  };
}

/** A message of ztunnel, keyed by a part of it. */
export function ztunnelMessage(pattern: RegExp): KeyOf {
  return (record) =>
    record.kind === 'diagnostic' && record.proxy === 'ztunnel' ? keyOf(pattern.exec(record.message)?.[1]) : null;
}

/** What the ztunnel of the pod saw of it; a waypoint that the log does not name must be called like one. */
export function calledByWaypoint(error: RegExp, isNamed: boolean): KeyOf {
  return ztunnel('destination', error, ({ source, destination, hboneAddress }) => {
    const isWaypoint = /(?:^|-)waypoint(?:-|$)/.test(source.workload ?? '');
    const caller = isNamed ? source.workload : isWaypoint ? 'a waypoint' : null;
    return keyOf(caller, destination.address, hboneAddress);
  });
}

/** What the caller's ztunnel saw of that. */
export const answeredConnect: KeyOf = ztunnel('source', /^http status: \d/, ({ source, destination, error }) =>
  keyOf(source.address, destination.address, /^http status: (\d{3})/.exec(error ?? '')?.[1]),
);
