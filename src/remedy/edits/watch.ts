import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import { shellWord } from '../../text/shell.ts';
import { ztunnelLogs } from '../commands/kubectl.ts';
import type { Destination } from './destination.ts';

/** Commands that show whether the proxy which refused lets the next call pass. */
export function watchLogs(finding: Finding, mesh: MeshView, destination: Destination): readonly string[] {
  const { namespace, workload, pods } = destination;
  if (finding.enforcedBy === 'ztunnel') return [ztunnelLogs(mesh, workload)];
  const [pod] = pods;
  if (finding.enforcedBy !== 'sidecar' || pod === undefined) return [];
  return [`kubectl -n ${shellWord(namespace)} logs ${shellWord(pod.name)} -c istio-proxy --since=5m`];
}
