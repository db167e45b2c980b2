import type { Instant } from '../model/line.ts';
import type { KubeObject, MeshView } from '../model/mesh.ts';
import type { DiagnosticRecord, LogRecord } from '../model/record.ts';
import type { Flow } from '../model/traffic.ts';
import { instantMs, parseInstant } from '../text/time.ts';
import { listOf, textOf, valueAt } from '../text/untyped.ts';

/** The first or last seconds of one pod, or of the proxy that serves it: what fails in them may be of that alone. */
export interface Phase {
  /** `namespace/name`. */
  readonly pod: string;
  readonly kind: 'start' | 'end';
  /** What began or ended: `pod shop/web-1`, `the proxy of pod shop/web-1`. Untrusted. */
  readonly what: string;
  /** When it began or was told to end. */
  readonly at: Instant;
  /** In milliseconds since 1970, both ends included. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** A pod is expected to serve this long after its start at the latest, and to be forgotten by all callers this long after its end. */
const SETTLING_MS = 60_000;
/** One that takes longer until it is ready, as a model server does, is starting all that time; beyond this it is ailing. */
const MAX_STARTING_MS = 10 * 60_000;
/** A pod that is ready becomes known to its callers a little later. */
const SPREADING_MS = 5_000;
/** Kubernetes writes whole seconds, and the clocks of nodes differ a little. */
const SLACK_MS = 2_000;

/** What is known of when pods began and ended, by the objects and by what proxies print of it. */
export class Lives {
  readonly #phases = new Map<string, Phase[]>();
  readonly #byAddress = new Map<string, string>();
  /** By input, the only pod whose sidecar wrote there. Null: several. */
  readonly #byInput = new Map<string, string | null>();
  readonly #mesh: MeshView;

  /** `quiet` are flows of lines that tell of no failure: those are the ones in which pods begin and end. */
  constructor(quiet: readonly Flow[], mesh: MeshView) {
    this.#mesh = mesh;
    for (const object of mesh.objectsOf('Pod')) this.#addPod(object);
    const uids = uidsOf(quiet, mesh);
    for (const { record } of quiet) if (record.kind === 'diagnostic') this.#learnOwner(record);
    for (const flow of quiet) if (flow.record.kind === 'diagnostic') this.#addLine(flow, flow.record, uids);
  }

  /** True: nothing is known of any pod. */
  get isEmpty(): boolean {
    return this.#phases.size === 0;
  }

  /** The pods at both ends of what a record tells, and the one that it is about, as `namespace/name`. */
  podsOf(record: LogRecord): readonly string[] {
    const own = this.#writerOf(record);
    if (record.kind === 'diagnostic') return present([record.fields['wl'], namedPod(record.message), own]);
    const { source, destination, envoy } = record;
    const upstream = envoy?.upstreamHost?.replace(/:\d{1,5}$/, '') ?? null;
    return present([
      podName(source.namespace, source.workload),
      podName(destination.namespace, destination.workload),
      this.#podAt(source.address),
      this.#podAt(destination.address),
      this.#podAt(upstream),
      record.kind === 'connection' ? namedPod(record.error ?? '') : null,
      own,
    ]);
  }

  /** The phase of one of the pods in which all of a span of time lies; the earliest one. Null: none. */
  phaseOf(pods: readonly string[], first: Instant, last: Instant): Phase | null {
    const [from, to] = [instantMs(first), instantMs(last)];
    const around = pods
      .flatMap((pod) => this.#phases.get(pod) ?? [])
      .filter(({ fromMs, toMs }) => fromMs <= from && to <= toMs);
    return around.toSorted((a, b) => a.fromMs - b.fromMs)[0] ?? null;
  }

  #add(phase: Phase): void {
    const known = this.#phases.get(phase.pod);
    if (known === undefined) this.#phases.set(phase.pod, [phase]);
    else known.push(phase);
  }

  #addPod({ raw, metadata }: KubeObject): void {
    const pod = `${metadata.namespace}/${metadata.name}`;
    const ready = readySince(raw);
    for (const at of startsOf(raw)) this.#add(startPhase(pod, `pod ${pod}`, at, ready));
    const gone = timeAt(raw, 'metadata', 'deletionTimestamp');
    if (gone === null) return;
    // The time stands for the end of the grace period, which began when the deletion was asked for.
    const grace = valueAt(raw, 'metadata', 'deletionGracePeriodSeconds');
    const graceMs = typeof grace === 'number' && grace > 0 ? grace * 1000 : 0;
    const goneMs = instantMs(gone);
    this.#add({
      pod,
      kind: 'end',
      what: `pod ${pod}`,
      at: gone,
      fromMs: goneMs - graceMs - SLACK_MS,
      toMs: goneMs + SETTLING_MS,
    });
  }

  /** Learns whose log an input is, and which address is whose, from what a sidecar says of itself when it starts. */
  #learnOwner(record: DiagnosticRecord): void {
    const role = SIDECAR_ROLE.exec(record.message)?.groups;
    if (role === undefined) return;
    const pod = `${role['namespace']}/${role['name']}`;
    for (const address of (role['ips'] ?? '').split(/[ ,]+/)) this.#byAddress.set(address, pod);
    const { input } = record.at;
    this.#byInput.set(input, (this.#byInput.get(input) ?? pod) === pod ? pod : null);
  }

  #addLine(flow: Flow, record: DiagnosticRecord, uids: ReadonlyMap<string, string>): void {
    const told = LINES.find(({ proxy, message }) => proxy === record.proxy && message.test(record.message));
    if (told === undefined) return;
    const named = podName(record.fields['namespace'] ?? null, record.fields['name'] ?? null);
    const uid = record.fields['uid'] ?? UID.exec(record.message)?.[0] ?? '';
    const pod = record.proxy === 'ztunnel' ? (named ?? uids.get(uid) ?? null) : this.#writerOf(record);
    if (pod === null) return;
    // Lines that name a pod by its uid alone are one flow, whose record is the earliest of them.
    const times = named === null && record.proxy === 'ztunnel' ? [record.time] : [flow.firstSeen, flow.lastSeen];
    const what = `the proxy of pod ${pod}`;
    for (const at of new Set(times))
      if (at !== null) this.#add(told.kind === 'start' ? startPhase(pod, what, at, null) : endPhase(pod, what, at));
  }

  /** The pod in which the proxy runs that wrote a line; null: not told, or a ztunnel, which serves others. */
  #writerOf({ proxy, origin, at }: LogRecord): string | null {
    if (proxy === 'ztunnel') return null;
    return podName(origin.namespace, origin.pod) ?? this.#byInput.get(at.input) ?? null;
  }

  #podAt(address: string | null): string | null {
    if (address === null) return null;
    const pod = this.#mesh.podByIp(address);
    return pod === null ? (this.#byAddress.get(address) ?? null) : `${pod.namespace}/${pod.name}`;
  }
}

/**
 * What proxies print when they begin or cease to serve a pod (istio/ztunnel 62d82653 src/inpod/statemanager.rs, and release-1.21
 * for `received netns`; istio 86c9f01f pkg/envoy/agent.go, pilot/cmd/pilot-agent/app/cmd.go and its status server; 1.6 for
 * `Epoch 0 starting`).
 */
const LINES: readonly {
  readonly proxy: LogRecord['proxy'];
  readonly kind: Phase['kind'];
  readonly message: RegExp;
}[] = [
  {
    proxy: 'ztunnel',
    kind: 'start',
    message: /^pod (?:WorkloadUid\("[^"]{1,64}"\) )?received(?: netns)?, starting proxy/,
  },
  { proxy: 'ztunnel', kind: 'end', message: /^pod delete request, (?:draining|shutting down) proxy/ },
  {
    proxy: 'istio-agent',
    kind: 'start',
    message: /^(?:Proxy role\b|Starting proxy agent|Epoch \d+ starting|Envoy proxy is ready)/,
  },
  { proxy: 'istio-agent', kind: 'end', message: /^(?:Agent draining |handling \/drain\b)/i },
];

/** `Proxy role: ips=[10.1.2.3 fd00::3] type=sidecar id=web-1.shop domain=…`: a comma stood between the addresses once. */
const SIDECAR_ROLE =
  /^Proxy role\b[:\s]{0,4}ips=\[(?<ips>[0-9a-f.:, ]{0,400})\] type=\w{1,20} id=(?<name>[\w.-]{1,253})\.(?<namespace>[\w-]{1,63}) /;
/** How ztunnel names a pod in a text: `sa.namespace (pod)` (istio/ztunnel 62d82653 src/state/workload.rs). */
const NAMED_POD = /\.([\w-]{1,63}) \(([\w.-]{1,253})\)/;
const UID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

function namedPod(text: string): string | null {
  const match = NAMED_POD.exec(text);
  return match === null ? null : `${match[1]}/${match[2]}`;
}

function podName(namespace: string | null, name: string | null): string | null {
  return namespace === null || name === null ? null : `${namespace}/${name}`;
}

function present(names: readonly (string | null | undefined)[]): readonly string[] {
  return [...new Set(names.filter((name) => name !== null && name !== undefined))];
}

function startPhase(pod: string, what: string, at: Instant, ready: Instant | null): Phase {
  const atMs = instantMs(at);
  const readyMs = ready === null ? 0 : instantMs(ready) + SPREADING_MS;
  const isSlow = readyMs > atMs + SETTLING_MS && readyMs <= atMs + MAX_STARTING_MS;
  return { pod, kind: 'start', what, at, fromMs: atMs - SLACK_MS, toMs: isSlow ? readyMs : atMs + SETTLING_MS };
}

function endPhase(pod: string, what: string, at: Instant): Phase {
  const atMs = instantMs(at);
  return { pod, kind: 'end', what, at, fromMs: atMs - SLACK_MS, toMs: atMs + SETTLING_MS };
}

function timeAt(raw: unknown, ...keys: readonly string[]): Instant | null {
  return parseInstant(textOf(valueAt(raw, ...keys)) ?? '');
}

/** When a pod and the containers in it began, as far as its status tells, the earliest first. */
function startsOf(raw: unknown): readonly Instant[] {
  const containers = ['containerStatuses', 'initContainerStatuses'].flatMap((list) =>
    listOf(valueAt(raw, 'status', list)),
  );
  const times = [
    timeAt(raw, 'status', 'startTime'),
    ...containers.flatMap((container) => [
      timeAt(container, 'state', 'running', 'startedAt'),
      timeAt(container, 'lastState', 'terminated', 'startedAt'),
    ]),
  ];
  return [...new Set(times.filter((time) => time !== null))].sort();
}

/** Since when a pod is ready; null: it is not, or its status does not tell. */
function readySince(raw: unknown): Instant | null {
  const ready = listOf(valueAt(raw, 'status', 'conditions')).find(
    (condition) => valueAt(condition, 'type') === 'Ready' && valueAt(condition, 'status') === 'True',
  );
  return timeAt(ready, 'lastTransitionTime');
}

/** Pods by uid, which is all that some lines tell of them. */
function uidsOf(quiet: readonly Flow[], mesh: MeshView): ReadonlyMap<string, string> {
  const uids = new Map<string, string>();
  for (const { raw, metadata } of mesh.objectsOf('Pod')) {
    const uid = textOf(valueAt(raw, 'metadata', 'uid'));
    if (uid !== null) uids.set(uid, `${metadata.namespace}/${metadata.name}`);
  }
  for (const { record } of quiet) {
    if (record.kind !== 'diagnostic' || record.fields['uid'] === undefined) continue;
    const pod = podName(record.fields['namespace'] ?? null, record.fields['name'] ?? null);
    if (pod !== null) uids.set(record.fields['uid'], pod);
  }
  return uids;
}
