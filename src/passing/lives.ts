import type { Instant } from '../model/line.ts';
import type { MeshView } from '../model/mesh.ts';
import type { DiagnosticRecord, LogRecord } from '../model/record.ts';
import type { Flow } from '../model/traffic.ts';
import { grouped } from '../text/grouped.ts';
import { instantMs } from '../text/time.ts';
import { textOf, valueAt } from '../text/untyped.ts';
import { byBeginning, earliestUntil, endPhase, inSteps, type Phase, phasesOfPod, startPhase } from './phase.ts';

/** What is known of when pods began and ended, by the objects and by what proxies print of it. */
export class Lives {
  /** By pod, see `inSteps`. */
  readonly #phases: ReadonlyMap<string, readonly Phase[]>;
  /** The only pod that had an address, and the only one whose sidecar wrote into an input. Null: there are several. */
  readonly #byAddress: OnlyPods = new Map();
  readonly #byInput: OnlyPods = new Map();
  readonly #mesh: MeshView;

  /** `quiet` are flows of lines that tell of no failure: those are the ones in which pods begin and end. */
  constructor(quiet: readonly Flow[], mesh: MeshView) {
    this.#mesh = mesh;
    const uids = uidsOf(quiet, mesh);
    for (const { record } of quiet) if (record.kind === 'diagnostic') this.#learnOwner(record);
    const phases = [
      ...mesh.objectsOf('Pod').flatMap(phasesOfPod),
      ...quiet.flatMap((flow) =>
        flow.record.kind === 'diagnostic' ? this.#phasesOfLine(flow, flow.record, uids) : [],
      ),
    ];
    this.#phases = new Map([...grouped(phases, ({ pod }) => pod)].map(([pod, own]) => [pod, inSteps(own)]));
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
    const around = pods.flatMap((pod) => {
      const phase = earliestUntil(this.#phases.get(pod) ?? [], to);
      return phase !== null && phase.fromMs <= from ? [phase] : [];
    });
    return around.toSorted(byBeginning)[0] ?? null;
  }

  /** Learns whose log an input is, and which address is whose, from what a sidecar says of itself when it starts. */
  #learnOwner(record: DiagnosticRecord): void {
    const role = SIDECAR_ROLE.exec(record.message)?.groups;
    if (role === undefined) return;
    const pod = `${role['namespace']}/${role['name']}`;
    for (const address of (role['ips'] ?? '').split(/[ ,]+/)) keepOnly(this.#byAddress, address, pod);
    keepOnly(this.#byInput, record.at.input, pod);
  }

  #phasesOfLine(flow: Flow, record: DiagnosticRecord, uids: OnlyPods): readonly Phase[] {
    const told = LINES.find(({ proxy, message }) => proxy === record.proxy && message.test(record.message));
    if (told === undefined) return [];
    const named = podName(record.fields['namespace'] ?? null, record.fields['name'] ?? null);
    const uid = record.fields['uid'] ?? UID.exec(record.message)?.[0] ?? '';
    const pod = record.proxy === 'ztunnel' ? (named ?? uids.get(uid) ?? null) : this.#writerOf(record);
    if (pod === null) return [];
    // Lines that name a pod by its uid alone are one flow, whose record is the earliest of them.
    const times = named === null && record.proxy === 'ztunnel' ? [record.time] : [flow.firstSeen, flow.lastSeen];
    const what = `the proxy of pod ${pod}`;
    const known = [...new Set(times)].filter((at) => at !== null);
    return known.map((at) => (told.kind === 'start' ? startPhase(pod, what, at, null) : endPhase(pod, what, at, 0)));
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

/** The only pod that is known by a name. Null: there are several. */
type OnlyPods = Map<string, string | null>;

function keepOnly(pods: OnlyPods, key: string, pod: string): void {
  pods.set(key, pods.has(key) && pods.get(key) !== pod ? null : pod);
}

/** Pods by uid, which is all that some lines tell of them. */
function uidsOf(quiet: readonly Flow[], mesh: MeshView): OnlyPods {
  const uids: OnlyPods = new Map();
  for (const { raw, metadata } of mesh.objectsOf('Pod')) {
    const uid = textOf(valueAt(raw, 'metadata', 'uid'));
    if (uid !== null) keepOnly(uids, uid, `${metadata.namespace}/${metadata.name}`);
  }
  for (const { record } of quiet) {
    if (record.kind !== 'diagnostic' || record.fields['uid'] === undefined) continue;
    const pod = podName(record.fields['namespace'] ?? null, record.fields['name'] ?? null);
    if (pod !== null) keepOnly(uids, record.fields['uid'], pod);
  }
  return uids;
}
