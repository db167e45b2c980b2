import type { LogRecord } from '../model/record.ts';

/**
 * Why a kubelet's health probe failed. `unreached`: no answer in time. `refused`: nothing listens. `reset`: the connection
 * was ended without an answer. `answered`: the application or its proxy said no. `command`: a command in the container.
 */
export type ProbeFailureKind = 'unreached' | 'refused' | 'reset' | 'answered' | 'command';

/** A failed probe, and how it was told. */
export interface ProbeFailure {
  readonly kind: ProbeFailureKind;
  /** `Readiness`, `Liveness` or `Startup`. */
  readonly probe: string;
  /** The words behind the name of the probe. Untrusted text. */
  readonly text: string;
}

/** k8s.io/kubernetes pkg/kubelet/prober, pkg/probe/{http,tcp,grpc}; the words of errors are those of Go's net and net/http. */
const KINDS: readonly (readonly [RegExp, ProbeFailureKind])[] = [
  [/connection refused/, 'refused'],
  [/connection reset by peer|\bEOF\b|broken pipe|malformed HTTP|tls: /, 'reset'],
  [/statuscode: \d{3}|service unhealthy|does not implement the grpc health/, 'answered'],
  [
    /context deadline exceeded|i\/o timeout|Client\.Timeout|request canceled|failed to connect service|no route to host|network is unreachable/,
    'unreached',
  ],
];
const PROBE = /^(Readiness|Liveness|Startup) probe \w{1,10}(?: and resulted in \w{1,20} state)?: ([\s\S]*)$/;

/** Reads a connection of a kubelet that failed; null: another record. */
export function probeFailure(record: LogRecord): ProbeFailure | null {
  if (record.kind !== 'connection' || record.proxy !== 'kubernetes' || record.error === null) return null;
  const [, probe, text = ''] = PROBE.exec(record.error) ?? [];
  if (probe === undefined) return null;
  const isCall = record.destination.address !== null || /statuscode: |service unhealthy|grpc/.test(text);
  const kind = isCall ? (KINDS.find(([pattern]) => pattern.test(text))?.[1] ?? 'command') : 'command';
  return { kind, probe, text };
}
