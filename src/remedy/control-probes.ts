import type { MeshView, ObjectRef, Pod } from '../model/mesh.ts';
import type { SpiffeId } from '../model/record.ts';
import type { Probe, ProbeDestination, ProbeRequest, ProbeSource } from '../policy/way/probe.ts';
import { grouped } from '../text/grouped.ts';
import { remembered } from '../text/remembered.ts';
import { identityOf, identityParts, parseSpiffeId, principalOf } from '../text/spiffe.ts';
import { callerText, identityOfPod, ofPod, toPod, workloadName } from './probes.ts';
import { OTHER_METHODS, OTHER_PATH } from './requests.ts';

/** Other callers, other destinations and ports of each that are tried against a change. */
const MAX_CALLERS = 24;
const MAX_DESTINATIONS = 40;
const MAX_PORTS = 6;

/** A probe and what it is beside what was seen, in a few words: `another caller`. */
export interface ControlProbe {
  readonly words: string;
  readonly probe: Probe;
}

/** What a change touches, so that it is tried there. */
export interface Touched {
  /** The changed objects. */
  readonly objects: readonly ObjectRef[];
  /** Principals that stand in the changed objects. */
  readonly principals: readonly string[];
  /** Namespaces whose workloads the changed objects act on; the root namespace stands for all. */
  readonly namespaces: ReadonlySet<string>;
  /** Whether they may decide about calls to a pod. */
  readonly actsOn: (pod: Pod) => boolean;
  /** A pod of each workload about which they may decide. */
  readonly places: readonly Pod[];
  /** True: they decide about callers whom nothing at the destination tells apart (a NetworkPolicy on the way). */
  readonly onTheWay: boolean;
}

/** The first pod of each workload. */
export function onePodEach(pods: readonly Pod[]): readonly Pod[] {
  const names = new Map<string, Pod>();
  for (const pod of pods) {
    const name = workloadName(pod);
    if (!names.has(name)) names.set(name, pod);
  }
  return [...names.values()];
}

/**
 * What else must be tried before a change is called good: other callers of the mesh, invented ones, plain text, a foreign
 * trust domain, and what else the same caller may ask. Same probe space before and after.
 */
export function controlProbes(observed: Probe, touched: Touched, mesh: MeshView): readonly ControlProbe[] {
  return [
    ...otherCallers(observed, touched.principals, mesh),
    ...strangers(observed, mesh),
    ...otherCalls(observed, touched, 'the same caller'),
  ];
}

/** Other ports, other destinations and other requests of a caller, whom `who` names in words. */
export function otherCalls(probe: Probe, touched: Touched, who: string): readonly ControlProbe[] {
  const calls = [...otherPorts(probe), ...otherDestinations(probe, touched), ...otherRequests(probe)];
  return calls.map(({ words, probe: call }) => ({ words: `${who} ${words}`, probe: call }));
}

/** Whom the changed objects name, and one pod for every account that runs, as it takes part in the mesh. */
function otherCallers(observed: Probe, principals: readonly string[], mesh: MeshView): readonly ControlProbe[] {
  const own = new Set(namesOf(observed.source, mesh));
  const named = principals
    // Written with its scheme by mistake, a principal means nobody; who was meant is tried.
    .map((text) => parseSpiffeId(text) ?? parseSpiffeId(`spiffe://${text}`))
    .filter((identity) => identity !== null)
    .filter((identity) => !identity.includes('*'))
    .map((identity) => as(observed, identity, 'another caller that is named', podsUnder(identity, mesh)));
  const byName = new Map<string, ControlProbe>();
  const add = (candidate: ControlProbe): boolean => {
    const name = callerText(candidate.probe.source, mesh);
    if (!own.has(name) && !byName.has(name)) byName.set(name, candidate);
    return byName.size < MAX_CALLERS;
  };
  const near = namespacesAt(observed);
  const isNear = (pod: Pod): boolean => near.has(pod.namespace);
  const tryPods = (wanted: boolean): boolean =>
    mesh.pods.every(
      (pod) => isNear(pod) !== wanted || add({ words: 'another caller', probe: { ...observed, source: ofPod(pod) } }),
    );
  // Whom the objects name first, then neighbours of both ends, then anybody, until there are enough.
  if (named.every(add) && tryPods(true)) tryPods(false);
  return [...byName.values()];
}

/** The namespaces of both ends. */
function namespacesAt({ source, destination }: Probe): ReadonlySet<string> {
  const callers = source.kind === 'plain' ? [source.pod].filter((pod) => pod !== null) : source.pods;
  const called = destination.kind === 'pods' ? destination.pods : [];
  return new Set([...callers, ...called].map(({ namespace }) => namespace));
}

/** All names of one caller, with an identity and without. */
function namesOf(source: ProbeSource, mesh: MeshView): readonly string[] {
  const pods = source.kind === 'plain' ? [source.pod].filter((pod) => pod !== null) : source.pods;
  return [callerText(source, mesh), ...pods.map((pod) => principalOf(identityOfPod(pod, mesh)))];
}

function strangers(observed: Probe, mesh: MeshView): readonly ControlProbe[] {
  const { namespace, serviceAccount } = accountOf(observed.source, mesh);
  const foreign = mesh.trustDomain === 'foreign.example' ? 'stranger.example' : 'foreign.example';
  return [
    as(observed, identityOf(mesh.trustDomain, namespace, 'some-other-account'), 'another account of its namespace'),
    as(
      observed,
      identityOf(mesh.trustDomain, 'some-other-namespace', serviceAccount),
      'an account of another namespace',
    ),
    as(observed, identityOf(foreign, namespace, serviceAccount), 'its account in a foreign trust domain'),
    {
      words: 'plain text from no pod',
      probe: { ...observed, source: { kind: 'plain', ip: '192.0.2.77', tls: false, pod: null } },
    },
  ];
}

function accountOf(
  source: ProbeSource,
  mesh: MeshView,
): { readonly namespace: string; readonly serviceAccount: string } {
  const [pod = null] = source.kind === 'plain' ? [source.pod] : source.pods;
  const identity = source.kind === 'identity' ? source.identity : pod === null ? null : identityOfPod(pod, mesh);
  const parts = identity === null ? null : identityParts(identity);
  return parts ?? { namespace: 'default', serviceAccount: 'default' };
}

/** The pods that run under the account of an identity. */
function podsUnder(identity: SpiffeId, { pods }: MeshView): readonly Pod[] {
  const parts = identityParts(identity);
  return parts === null ? [] : (byAccount(pods).get(`${parts.namespace}/${parts.serviceAccount}`) ?? []);
}

/** By `namespace/account`. */
const byAccount = remembered((pods: readonly Pod[]) =>
  grouped(pods, ({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`),
);

/** `pods`: those with this identity. */
function as(observed: Probe, identity: SpiffeId, words: string, pods: readonly Pod[] = []): ControlProbe {
  return { words, probe: { ...observed, source: { kind: 'identity', identity, ip: null, pods } } };
}

function otherPorts(probe: Probe): readonly ControlProbe[] {
  const { destination } = probe;
  if (destination.kind === 'address') return [];
  const open =
    destination.kind === 'pods'
      ? destination.pods.flatMap(({ ports }) => ports.map(({ port }) => port))
      : destination.service.ports.map(({ port }) => port);
  const invented = destination.kind === 'pods' ? [destination.port === 65_000 ? 65_001 : 65_000] : [];
  return [...new Set([...open, ...invented])]
    .filter((port) => port !== destination.port)
    .slice(0, MAX_PORTS)
    .map((port) => ({ words: 'at another port', probe: { ...probe, destination: { ...destination, port } } }));
}

/** Other workloads that the changed objects act on, one pod each. */
function otherDestinations(probe: Probe, touched: Touched): readonly ControlProbe[] {
  const { destination } = probe;
  const seen = new Set(destination.kind === 'pods' ? destination.pods.map(workloadName) : []);
  const probes: ControlProbe[] = [];
  for (const pod of touched.places) {
    if (seen.has(workloadName(pod))) continue;
    for (const { port } of portsOf(pod, destination)) {
      probes.push({ words: 'at another workload', probe: { ...probe, destination: toPod(pod, port) } });
    }
    if (probes.length >= MAX_DESTINATIONS) break;
  }
  return probes;
}

/** Where a pod declares no ports, the one that was called is as good as any. */
function portsOf(pod: Pod, called: ProbeDestination): readonly { readonly port: number }[] {
  if (pod.ports.length > 0) return pod.ports.slice(0, MAX_PORTS);
  return called.kind === 'pods' || called.kind === 'service' ? [{ port: called.port }] : [];
}

function otherRequests(probe: Probe): readonly ControlProbe[] {
  const { request } = probe;
  if (request.protocol !== 'http') return [];
  const [method = null] = OTHER_METHODS.filter((other) => other !== request.method);
  return [
    { words: 'with another method', probe: { ...probe, request: { ...request, method } } },
    { words: 'at another path', probe: { ...probe, request: { ...request, path: OTHER_PATH } } },
  ];
}

/** What is other about a request than about the one that was seen, with a blank in front; empty: nothing. */
export function requestWords({ method, path, headers, headersComplete }: ProbeRequest, seen: ProbeRequest): string {
  const [header = null] = headers;
  const bare = headersComplete ? ' without the headers that policies name' : '';
  return [
    method === seen.method ? '' : ' with another method',
    path === seen.path ? '' : ' at another path',
    header === null ? bare : ` with the header ${header[0]}`,
  ].join('');
}
