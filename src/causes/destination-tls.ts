import type { KubeObject, MeshView, Pod } from '../model/mesh.ts';
import type { LogRecord } from '../model/record.ts';
import { isRecord } from '../text/kube-object.ts';
import { hasLabels } from '../text/labels.ts';
import { listOf, textMapOf, textOf, textsOf, valueAt } from '../text/untyped.ts';
import { envoyFacts, parseClusterName } from './envoy-record.ts';

/** What is called: a port of a Service's host, perhaps through a subset of its pods. */
interface CalledHost {
  readonly host: string;
  readonly port: number | null;
  readonly subset: string | null;
}

/** A `tls` block of a DestinationRule that decides about a call. */
export interface DestinationTls {
  readonly rule: KubeObject;
  /** `DISABLE`, `SIMPLE`, `MUTUAL` or `ISTIO_MUTUAL`; untrusted text. */
  readonly mode: string;
  /** Where the block stands, as keys: `spec`, `trafficPolicy`, `portLevelSettings`, 0, `tls`. */
  readonly at: readonly (string | number)[];
}

/** What a DestinationRule prescribed for the cluster of a line that the caller's proxy printed; null: none does. */
export function dialledTls(record: LogRecord, mesh: MeshView): DestinationTls | null {
  const cluster = parseClusterName(envoyFacts(record)?.cluster ?? null);
  if (cluster === null || cluster.host === null || record.kind === 'diagnostic') return null;
  const { host, port, subset } = cluster;
  const { namespace, address } = record.source;
  const client = namespace ?? record.origin.namespace ?? (address === null ? null : mesh.podByIp(address))?.namespace;
  return destinationTls({ host, port, subset }, client ?? null, mesh);
}

/**
 * How the DestinationRule of a host tells a proxy in `client` (a namespace; null: not known) to speak; null: none does, and
 * the mesh decides by itself.
 */
function destinationTls(called: CalledHost, client: string | null, mesh: MeshView): DestinationTls | null {
  return destinationRuleOf(called, client, mesh)?.tls ?? null;
}

/**
 * The DestinationRule of a host for a proxy in `client`, and its tls block if it has one; null: there is none. The client's
 * namespace is asked first, then the Service's, then the root; in each the most specific host wins, then the oldest rule
 * (istio 86c9f01f pilot/pkg/model/push_context.go destinationRule).
 */
export function destinationRuleOf(
  called: CalledHost,
  client: string | null,
  mesh: MeshView,
): { readonly rule: KubeObject; readonly tls: DestinationTls | null } | null {
  const own = called.host.split('.')[1] ?? '';
  const known = [...new Set([client, own, mesh.rootNamespace])].filter((namespace) => namespace !== null);
  for (const namespace of known) {
    const [rule] = mesh
      .objectsOf('DestinationRule', namespace)
      .filter((candidate) => covers(candidate, called.host) && isExported(candidate, client))
      .sort((one, other) => specificity(other) - specificity(one) || byAge(one, other));
    if (rule !== undefined) return { rule, tls: tlsOf(rule, called) };
  }
  return null;
}

/**
 * The same for calls that arrived at a port of a pod, by whichever Service they came: the first that is found. Which
 * subset was meant does not show there, so each is looked at.
 */
export function arrivedTls(pod: Pod, port: number, client: string | null, mesh: MeshView): DestinationTls | null {
  for (const host of hostsOf(pod, port, mesh)) {
    for (const subset of [null, ...subsetsOf(host.host, mesh)]) {
      const found = destinationTls({ ...host, subset }, client, mesh);
      if (found !== null) return found;
    }
  }
  return null;
}

/** The hosts and ports of Services that lead to a port of a pod. */
function hostsOf(pod: Pod, port: number, mesh: MeshView): readonly Omit<CalledHost, 'subset'>[] {
  const targetOf = (target: number | string): number | string =>
    pod.ports.find(({ name }) => name === target)?.port ?? target;
  return mesh.services
    .filter(
      ({ namespace, selector }) => namespace === pod.namespace && selector !== null && hasLabels(pod.labels, selector),
    )
    .flatMap(({ hostname, ports }) =>
      ports
        .filter(({ targetPort }) => targetOf(targetPort) === port)
        .map((entry) => ({ host: hostname, port: entry.port })),
    );
}

/** A DestinationRule as people name it, with mode and field: `DestinationRule shop/web (spec.trafficPolicy.tls.mode DISABLE)`. */
export function tlsName({ rule, mode, at }: DestinationTls): string {
  const { namespace, name } = rule.metadata;
  return `DestinationRule ${namespace}/${name} (${fieldName(at)}.mode ${mode})`;
}

/** Keys as a path: `spec.trafficPolicy.portLevelSettings[0].tls`. */
export function fieldName(at: readonly (string | number)[]): string {
  return at
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`))
    .join('')
    .slice(1);
}

/** A short host is completed with the namespace of the rule; `*` stands for a first part. */
function covers(rule: KubeObject, host: string): boolean {
  const wanted = hostOf(rule);
  if (wanted === '') return false;
  if (wanted.startsWith('*')) return host.endsWith(wanted.slice(1));
  if (wanted === host) return true;
  return !wanted.includes('.') && host.startsWith(`${wanted}.${rule.metadata.namespace}.svc.`);
}

function hostOf(rule: KubeObject): string {
  return textOf(valueAt(rule.raw, 'spec', 'host')) ?? '';
}

function specificity(rule: KubeObject): number {
  const host = hostOf(rule);
  return host.startsWith('*') ? host.length : Number.MAX_SAFE_INTEGER;
}

function byAge(one: KubeObject, other: KubeObject): number {
  const [left, right] = [one, other].map(({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.name}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

/** Without `exportTo` a rule is for everybody; where the client is not known it counts as meant. */
function isExported({ raw, metadata }: KubeObject, client: string | null): boolean {
  const exportTo = textsOf(valueAt(raw, 'spec', 'exportTo'));
  if (exportTo.length === 0 || client === null || client === metadata.namespace) return true;
  return exportTo.includes('*') || exportTo.includes(client);
}

function subsetsOf(host: string, mesh: MeshView): readonly string[] {
  const rules = mesh.objectsOf('DestinationRule').filter((rule) => covers(rule, host));
  return rules.flatMap(({ raw }) =>
    listOf(valueAt(raw, 'spec', 'subsets')).flatMap((subset) => textOf(valueAt(subset, 'name')) ?? []),
  );
}

/** The subset's policy before that of all, and in each the port's, which inherits nothing (istio 86c9f01f pilot/pkg/networking/core/cluster_traffic_policy.go). */
function tlsOf(rule: KubeObject, { port, subset }: CalledHost): DestinationTls | null {
  const subsets = listOf(valueAt(rule.raw, 'spec', 'subsets'));
  const index = subset === null ? -1 : subsets.findIndex((entry) => valueAt(entry, 'name') === subset);
  const places: (readonly (string | number)[])[] = [['spec', 'trafficPolicy']];
  if (index >= 0) places.unshift(['spec', 'subsets', index, 'trafficPolicy']);
  for (const place of places) {
    const policy = valueAt(rule.raw, ...place);
    const ports = listOf(valueAt(policy, 'portLevelSettings'));
    const ported = ports.findIndex((entry) => valueAt(entry, 'port', 'number') === port);
    if (port !== null && ported >= 0) return blockAt(rule, [...place, 'portLevelSettings', ported, 'tls']);
    const found = blockAt(rule, [...place, 'tls']);
    if (found !== null) return found;
  }
  return null;
}

/** A block that names no mode has the first one there is. */
function blockAt(rule: KubeObject, at: readonly (string | number)[]): DestinationTls | null {
  const block = valueAt(rule.raw, ...at);
  return isRecord(block) ? { rule, mode: textMapOf(block)['mode'] ?? 'DISABLE', at } : null;
}
