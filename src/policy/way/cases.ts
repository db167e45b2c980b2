import type { Pod, Service } from '../../model/mesh.ts';
import type { SpiffeId } from '../../model/record.ts';
import { grouped } from '../../text/grouped.ts';
import { nameOf } from '../../text/object-ref.ts';
import { probeAddressFor } from '../../text/probe-address.ts';
import { identityOf, identityParts, principalOf } from '../../text/spiffe.ts';
import type { Endpoint } from './endpoints.ts';
import type { MeshEngines } from './engines.ts';
import type { ProbeSource } from './probe.ts';
import type { PodRole } from './role.ts';

/** How a pod takes part, with nothing left open. */
export type Dataplane = 'ambient' | 'sidecar' | 'none';

/** A caller with nothing left open but what is null. */
export interface SourceCase {
  readonly name: string;
  /** Null: not a pod, or not known which. */
  readonly pod: Pod | null;
  readonly namespace: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly dataplane: Dataplane;
  readonly role: PodRole;
  /** Null: it has no certificate of the mesh. */
  readonly identity: SpiffeId | null;
  /** Null: not known. */
  readonly ip: string | null;
  /** The client itself speaks TLS. Only without a proxy. */
  readonly tls: boolean;
  readonly assuming: readonly string[];
}

/** Who answers, with nothing left open. */
export interface DestinationCase {
  readonly pod: Pod;
  readonly dataplane: Dataplane;
  readonly role: PodRole;
  /** Null: one of several pods with one address each. */
  readonly ip: string | null;
  /** The pod's own port. */
  readonly port: number;
  /** The Service that was addressed, at its own port; null: the pod itself. */
  readonly via: { readonly service: Service; readonly port: number } | null;
  readonly assuming: readonly string[];
}

const DATAPLANES: readonly Dataplane[] = ['ambient', 'sidecar', 'none'];

/** True for the address from which a node asks after the health of ambient pods. */
export function isHealthProbe(source: SourceCase): boolean {
  return source.ip !== null && source.ip.toLowerCase() === probeAddressFor(source.ip);
}

/** All cases of a caller: one for each sort of pod, times what its dataplane may be. */
export function sourceCases(source: ProbeSource, engines: MeshEngines): readonly SourceCase[] {
  switch (source.kind) {
    case 'pods':
      return distinct(source.pods, engines).flatMap((group) => podCases(group, engines));
    case 'plain':
      return [plainCase(source)];
    case 'identity':
      return identityCases(source, engines);
  }
}

function plainCase({ ip, tls, pod }: Extract<ProbeSource, { kind: 'plain' }>): SourceCase {
  const { namespace, labels } = pod ?? { namespace: null, labels: {} };
  return {
    name: pod === null ? ip : `${nameOf(pod)} in plaintext`,
    ...{ pod, namespace, labels, ip, tls },
    dataplane: 'none',
    role: 'application',
    identity: null,
    assuming: [],
  };
}

function podCases(group: PodGroup, engines: MeshEngines): readonly SourceCase[] {
  const { pod } = group;
  const { namespace, labels, serviceAccount } = pod;
  const identity = identityOf(engines.mesh.trustDomain, namespace, serviceAccount);
  return dataplanesOf(group).map(({ dataplane, assuming }) => ({
    name: nameOf(pod),
    ...{ pod, namespace, labels, dataplane, assuming },
    role: engines.roleOf(pod),
    identity: dataplane === 'none' ? null : identity,
    ip: group.ip,
    tls: false,
  }));
}

/** Whoever holds a certificate has a proxy: of which sort, the pods tell that may have it, or else nobody. */
function identityCases(
  { identity, ip, pods }: Extract<ProbeSource, { kind: 'identity' }>,
  engines: MeshEngines,
): readonly SourceCase[] {
  const inMesh = distinct(pods, engines)
    .flatMap((group) => podCases(group, engines))
    .filter(({ dataplane }) => dataplane !== 'none')
    .map((known) => ({ ...known, identity, ip: ip ?? known.ip }));
  if (inMesh.length > 0) return inMesh;
  const namespace = identityParts(identity)?.namespace ?? null;
  const nobody = { pod: null, namespace, labels: {}, role: 'application', identity, ip, tls: false } as const;
  const name = principalOf(identity);
  return [
    { ...nobody, name, dataplane: 'ambient', assuming: ['if the caller is an ambient pod'] },
    { ...nobody, name, dataplane: 'sidecar', assuming: ['if the caller has a sidecar'] },
  ];
}

/** All cases of who answers. `via`: the Service that was addressed. */
export function destinationCases(
  endpoints: readonly Endpoint[],
  via: DestinationCase['via'],
  engines: MeshEngines,
): readonly DestinationCase[] {
  const ports = new Map(endpoints.map(({ pod, port }) => [pod, port]));
  return distinct([...ports.keys()], engines).flatMap((group) =>
    dataplanesOf(group).map(({ dataplane, assuming }) => ({
      pod: group.pod,
      dataplane,
      role: engines.roleOf(group.pod),
      ip: group.ip,
      port: ports.get(group.pod) ?? 0,
      via,
      assuming,
    })),
  );
}

/** Pods of which policies cannot tell one from the other. */
interface PodGroup {
  readonly pod: Pod;
  /** Null: they have one each, or none is known. */
  readonly ip: string | null;
  /** There are other groups. */
  readonly assuming: readonly string[];
}

function distinct(pods: readonly Pod[], engines: MeshEngines): readonly PodGroup[] {
  const [only] = pods;
  if (only !== undefined && pods.length === 1) return [{ pod: only, ip: only.ips[0] ?? null, assuming: [] }];
  const groups = grouped(pods, (pod) => engines.likenessOf(pod));
  return [...groups.values()].flatMap((group) => {
    const [pod, second] = group;
    if (pod === undefined) return [];
    const others = group.length > 1 ? ` or one of ${group.length - 1} like it` : '';
    const assuming = groups.size > 1 ? [`if the pod is ${nameOf(pod)}${others}`] : [];
    return [{ pod, ip: second === undefined ? (pod.ips[0] ?? null) : null, assuming }];
  });
}

/** What a pod's dataplane is, or all that it can be. */
function dataplanesOf({ pod, assuming }: PodGroup): readonly Pick<SourceCase, 'dataplane' | 'assuming'>[] {
  if (pod.dataplane !== 'unknown') return [{ dataplane: pod.dataplane, assuming }];
  return DATAPLANES.map((dataplane) => ({
    dataplane,
    assuming: [
      ...assuming,
      `if ${nameOf(pod)} ${dataplane === 'none' ? 'is outside the mesh' : `is ${WORDS[dataplane]}`}`,
    ],
  }));
}

const WORDS: Readonly<Record<'ambient' | 'sidecar', string>> = {
  ambient: 'ambient',
  sidecar: 'injected with a sidecar',
};
