import type { Envelope } from '../../src/model/line.ts';
import { type Parsed, type Parser, type Peer, UNKNOWN_PEER } from '../../src/model/record.ts';
import { type HostPort, parseHostPort } from '../../src/text/address.ts';
import { redactSecrets } from '../../src/text/redact.ts';
import { outsideCall } from './outside-call.ts';

const ID = 'platform-probe';

/**
 * Health probes that the kubelet says failed: as an event (`kubectl get events`, `kubectl describe pod`), as a line of the
 * kubelet's own log, or the message alone. A connection of the kubelet, which stands outside of the mesh.
 */
export const platformProbe: Parser = {
  id: ID,
  title: 'kubelet, health probes that failed (events, kubectl describe, kubelet log)',
  takesParts: true,
  parse(envelope: Envelope): Parsed {
    const { payload } = envelope;
    if (!payload.includes('robe')) return null;
    const probe = loggedProbe(payload) ?? eventProbe(payload);
    if (probe === null) return null;
    const { called, from } = endsOf(probe.message);
    return outsideCall(envelope, {
      parser: ID,
      caller: 'kubelet',
      from,
      destination: { ...probe.pod, address: called?.host ?? null, port: called?.port ?? null },
      service: null,
      error: redactSecrets(probe.message),
    });
  },
};

/** What failed, in the words of an event, and whose probe it was. */
interface Probe {
  readonly message: string;
  readonly pod: Peer;
}

/** The words of the event (k8s.io/kubernetes pkg/kubelet/prober/prober.go), since 1.0 but for `Startup` and `errored`. */
const MESSAGE = /(?:Readiness|Liveness|Startup) probe (?:failed|errored)(?: and resulted in \w{1,20} state)?: \S/;
/** Columns of a table before the message: those of kubectl always name the reason. `get events` begins with the age, `describe` does not. */
const COLUMNS =
  /^\s{0,16}(?:(?:[a-z0-9-]{1,63}\s{1,64})?(?:<unknown>|\d[\dhmsdy]{0,12}(?: \(x\d{1,9} over [\dhmsdy]{1,12}\))?)\s{1,64})?(?:Warning|Normal)\s{1,64}Unhealthy\s/;
/** How klog begins a line; a collector may have taken it off. */
const KLOG = String.raw`^(?:[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{1,9} {1,8}\d{1,10} [\w.-]{1,60}:\d{1,6}\] )?`;
const EVENT = new RegExp(`${KLOG}"Event occurred" `);
const MAX_COLUMNS = 600;

function eventProbe(payload: string): Probe | null {
  const match = MESSAGE.exec(payload);
  if (match === null || match.index > MAX_COLUMNS) return null;
  const columns = payload.slice(0, match.index);
  if (EVENT.test(columns)) return { message: unquoted(payload.slice(match.index)), pod: podInPairs(columns) };
  if (columns.trim() !== '' && !COLUMNS.test(columns)) return null;
  return { message: withoutColumns(payload.slice(match.index)), pod: podInColumns(columns) };
}

/** `kubectl get events -o wide` prints more columns behind the message. */
function withoutColumns(text: string): string {
  return text.split(/ {3}/, 1)[0]?.trim() ?? '';
}

/** `NAMESPACE  LAST SEEN  TYPE  REASON  OBJECT  …`, the namespace with `-A` only; `kubectl describe` has no object. */
function podInColumns(columns: string): Peer {
  const workload = /\spod\/([a-z0-9.-]{1,253})(?=\s)/i.exec(columns)?.[1] ?? null;
  const first = /^\s{0,16}(\S{1,63})\s/.exec(columns)?.[1] ?? '';
  const isNamespace = workload !== null && /^[a-z][a-z0-9-]*$/.test(first);
  return { ...UNKNOWN_PEER, workload, namespace: isNamespace ? first : null };
}

/** Fields of the kubelet's log lines: structured ones name pods as `namespace/name`. */
function podInPairs(fields: string): Peer {
  const [, namespace, workload] = /(?:pod|object)="([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})[_"]/.exec(fields) ?? [];
  return { ...UNKNOWN_PEER, workload: workload ?? null, namespace: namespace ?? null };
}

/** `"Probe failed" probeType="Readiness" pod="shop/web-0" … output="Get …"`. */
const LOGGED = new RegExp(
  `${KLOG}"Probe (?:failed|errored)"[^\n]{0,20}? (?=.{0,600}?\\bprobeType="(Readiness|Liveness|Startup)")`,
);
const OUTPUT = /\b(?:output|err)="/;

function loggedProbe(payload: string): Probe | null {
  const match = LOGGED.exec(payload);
  const output = match === null ? null : OUTPUT.exec(payload);
  if (match === null || output === null) return null;
  const text = unquoted(payload.slice(output.index + output[0].length));
  return { message: `${match[1]} probe failed: ${text}`, pod: podInPairs(payload.slice(match.index, output.index)) };
}

/** The text up to the quote that ends it, without escapes. */
function unquoted(text: string): string {
  const end = /(?<!\\)(?:\\\\)*"/.exec(text)?.index ?? text.length;
  return text.slice(0, end).replace(/\\(.)/g, '$1').trim();
}

const CALLED: readonly RegExp[] = [
  /Get "?https?:\/\/(\[[^\]\s]{1,60}\](?::\d{1,5})?|[^\s/"[]{1,260})/,
  /->(\[[^\]\s]{1,60}\]:\d{1,5}|[\d.]{7,15}:\d{1,5}):/,
  /dial tcp (\[[^\]\s]{1,60}\]:\d{1,5}|[\d.]{7,15}:\d{1,5}):/,
  /connect service "([^"\s]{1,260})"/,
];
const READ_FROM = /(?:read|write|dial) tcp (\[[^\]\s]{1,60}\]:\d{1,5}|[\d.]{7,15}:\d{1,5})->/;

/** Whom the probe called, and from where, as far as its words tell; a probe that runs a command calls nobody. */
function endsOf(message: string): { readonly called: HostPort | null; readonly from: string | null } {
  const target = CALLED.map((pattern) => pattern.exec(message)?.[1]).find((text) => text !== undefined) ?? null;
  const called = parseHostPort(target);
  const port = called?.port ?? (message.includes('https://') ? 443 : 80);
  return {
    called: called === null ? null : { host: called.host, port },
    from: parseHostPort(READ_FROM.exec(message)?.[1] ?? null)?.host ?? null,
  };
}
