import type { KubeObject, MeshView, ObjectRef, Pod, Service } from '../../model/mesh.ts';
import { hasLabels } from '../../text/labels.ts';
import { nameOf } from '../../text/object-ref.ts';
import { listOf, recordOf, textMapOf, textOf, textsOf, valueAt } from '../../text/untyped.ts';

/** How an Envoy speaks to a destination, and why. `tls`: TLS with other certificates than those of the mesh. */
export interface ClientTls {
  readonly transport: 'mtls' | 'tls' | 'plaintext';
  readonly because: string;
  /** The object that says so, if one does. */
  readonly by: readonly ObjectRef[];
}

/** The Envoy that calls. */
export interface TlsClient {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

type Json = Readonly<Record<string, unknown>>;

/** What a DestinationRule's tls mode makes of the connection. */
const MODES: Readonly<Record<string, ClientTls['transport']>> = {
  DISABLE: 'plaintext',
  SIMPLE: 'tls',
  MUTUAL: 'tls',
  ISTIO_MUTUAL: 'mtls',
};

/**
 * The TLS mode that a DestinationRule sets for a port of a Service; null: none does, so that auto mTLS decides (istio
 * 86c9f01f pilot/pkg/networking/core/cluster_tls.go). Subsets are not looked at: which one is taken is a matter of routes.
 */
export function destinationRuleTls(
  client: TlsClient,
  service: Service,
  port: number,
  mesh: MeshView,
): ClientTls | null {
  const rule = ruleFor(client, service, mesh);
  if (rule === null) return null;
  const policy = recordOf(valueAt(rule.raw, 'spec', 'trafficPolicy'));
  const ported = listOf(policy['portLevelSettings']).find((entry) => valueAt(entry, 'port', 'number') === port);
  const mode = textOf(valueAt(ported ?? policy, 'tls', 'mode'));
  const tls = valueAt(ported ?? policy, 'tls');
  if (tls === undefined || tls === null) return null;
  const ref = { kind: rule.kind, namespace: rule.metadata.namespace, name: rule.metadata.name };
  return {
    transport: MODES[mode ?? 'DISABLE'] ?? 'plaintext',
    because: `DestinationRule ${nameOf(ref)} sets ${mode ?? 'DISABLE'}`,
    by: [ref],
  };
}

/** The client's namespace is asked first, then the Service's, then the root (pilot/pkg/model/push_context.go destinationRule). */
function ruleFor(client: TlsClient, service: Service, mesh: MeshView): KubeObject | null {
  for (const namespace of new Set([client.namespace, service.namespace, mesh.rootNamespace])) {
    const rule = ruleIn(namespace, client, service.hostname, mesh);
    if (rule !== null) return rule;
  }
  return null;
}

/** Of the rules of one namespace the one with the most specific host; of these the oldest that has a traffic policy. */
function ruleIn(namespace: string, client: TlsClient, hostname: string, mesh: MeshView): KubeObject | null {
  const candidates = mesh.objectsOf('DestinationRule', namespace).flatMap((rule) => {
    const spec = recordOf(rule.raw['spec']);
    const host = fullHost(textOf(spec['host']) ?? '', namespace);
    const fits =
      hostFits(host, hostname) && isExported(spec, namespace, client.namespace) && selects(spec, client, namespace);
    return fits ? [{ rule, host, spec }] : [];
  });
  const longest = Math.max(...candidates.map(({ host }) => rank(host)));
  const best = candidates
    .filter(({ host }) => rank(host) === longest)
    .sort((one, other) => byAge(one.rule, other.rule));
  const chosen = best.find(({ spec }) => spec['trafficPolicy'] !== undefined) ?? best[0];
  return chosen?.rule ?? null;
}

/** A name without dots is a Service of the rule's own namespace. */
function fullHost(host: string, namespace: string): string {
  return host.includes('.') || host.startsWith('*') ? host.toLowerCase() : `${host}.${namespace}.svc.cluster.local`;
}

function hostFits(host: string, hostname: string): boolean {
  return host.startsWith('*') ? hostname.endsWith(host.slice(1)) : host === hostname;
}

function rank(host: string): number {
  return host.startsWith('*') ? host.length : Number.POSITIVE_INFINITY;
}

function isExported(spec: Json, namespace: string, client: string): boolean {
  if (namespace === client) return true;
  const exportTo = textsOf(spec['exportTo']);
  return exportTo.length === 0 || exportTo.includes('*') || exportTo.includes(client);
}

/** A rule with a workloadSelector is for those clients of its own namespace. */
function selects(spec: Json, client: TlsClient, namespace: string): boolean {
  if (spec['workloadSelector'] === undefined) return true;
  const wanted = textMapOf(valueAt(spec, 'workloadSelector', 'matchLabels'));
  return namespace === client.namespace && hasLabels(client.labels, wanted);
}

function byAge(one: KubeObject, other: KubeObject): number {
  const [left, right] = [one, other].map(({ metadata }) => metadata.creationTimestamp ?? '');
  if (left === right) return one.metadata.name < other.metadata.name ? -1 : 1;
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

/** What auto mTLS looks at in the destination. */
export interface AutoMtlsTarget {
  readonly pod: Pod;
  /** The pod says by its label that its proxy takes mutual TLS. */
  readonly takesMtls: boolean;
  /** The mode in force at the port. */
  readonly mode: string;
  /** The mode of the Service's namespace, or else of the mesh; null: none is set. */
  readonly namespaceMode: string | null;
  /** All pods of a headless Service take mutual TLS; true also for other Services. */
  readonly allTakeMtls: boolean;
}

/** What auto mTLS chooses where no DestinationRule does (pilot/pkg/model/push_context.go BestEffortInferServiceMTLSMode). */
export function autoMtls(target: AutoMtlsTarget, mesh: MeshView): ClientTls {
  const { pod, takesMtls, mode, namespaceMode, allTakeMtls } = target;
  const plaintext = (because: string): ClientTls => ({ transport: 'plaintext', because, by: [] });
  if (autoMtlsIsOff(mesh)) return plaintext('auto mTLS is off in the mesh');
  if (!takesMtls) return plaintext(`${nameOf(pod)} takes no mutual TLS`);
  if (!allTakeMtls) return plaintext('not every pod of this headless Service takes mutual TLS');
  if (namespaceMode === 'DISABLE') return plaintext('the PeerAuthentication of its namespace sets DISABLE');
  if (mode === 'DISABLE') return plaintext('its PeerAuthentication sets DISABLE');
  return { transport: 'mtls', because: 'auto mTLS', by: [] };
}

/** True where MeshConfig leaves mutual TLS of clients to DestinationRules. */
export function autoMtlsIsOff({ config }: MeshView): boolean {
  return config?.['enableAutoMtls'] === false;
}
