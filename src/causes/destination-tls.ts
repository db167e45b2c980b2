import type { KubeObject, MeshView } from '../model/mesh.ts';
import { isRecord } from '../text/kube-object.ts';
import type { ClusterName } from './envoy-record.ts';

/**
 * The tls mode that a DestinationRule prescribes for a cluster (`DISABLE`, `SIMPLE`, `MUTUAL`, `ISTIO_MUTUAL`); null: none
 * does, and the mesh decides by itself. Subset before policy, port before both (istio 86c9f01f
 * pilot/pkg/networking/core/cluster_traffic_policy.go). Which namespace's rule wins depends on the caller, who is not
 * known here: the namespace of the Service is asked first, then the others.
 */
export function destinationTls(cluster: ClusterName | null, mesh: MeshView): string | null {
  const host = cluster?.host ?? null;
  if (cluster === null || host === null) return null;
  const own = host.split('.')[1] ?? '';
  const rules = mesh.objectsOf('DestinationRule').filter((rule) => appliesTo(rule, host));
  const sorted = [...rules].sort((a, b) => Number(b.metadata.namespace === own) - Number(a.metadata.namespace === own));
  for (const rule of sorted) {
    const mode = modeOf(rule, cluster);
    if (mode !== null) return mode;
  }
  return null;
}

/** A short host is completed with the namespace of the rule; `*` stands for a first part. */
function appliesTo(rule: KubeObject, host: string): boolean {
  const wanted = field(rule.raw['spec'], 'host');
  if (typeof wanted !== 'string' || wanted === '') return false;
  if (wanted.startsWith('*')) return host.endsWith(wanted.slice(1));
  if (wanted === host) return true;
  return !wanted.includes('.') && host.startsWith(`${wanted}.${rule.metadata.namespace}.svc.`);
}

function modeOf(rule: KubeObject, { port, subset }: ClusterName): string | null {
  const spec = rule.raw['spec'];
  const subsets = field(spec, 'subsets');
  const own = Array.isArray(subsets) ? subsets.find((item) => subset !== null && field(item, 'name') === subset) : null;
  for (const policy of [field(own, 'trafficPolicy'), field(spec, 'trafficPolicy')]) {
    const ports = field(policy, 'portLevelSettings');
    const setting = Array.isArray(ports) ? ports.find((item) => field(field(item, 'port'), 'number') === port) : null;
    const mode = field(field(setting, 'tls'), 'mode') ?? field(field(policy, 'tls'), 'mode');
    if (typeof mode === 'string') return mode;
  }
  return null;
}

function field(value: unknown, name: string): unknown {
  return isRecord(value) ? (value[name] ?? null) : null;
}
