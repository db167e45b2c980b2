import type { Category, Finding } from './model/finding.ts';
import type { MeshView } from './model/mesh.ts';
import type { ExpectedFlow } from './platforms/platform.ts';
import { platformFlowOf } from './remedy/edits/platform-call.ts';

/** Faults on the way between two workloads: here it helps to know what the call was for. */
const ON_THE_WAY: ReadonlySet<Category> = new Set(['authorization', 'mutual-tls', 'network', 'upstream']);

/**
 * The finding with what its calls are for, in front of its cause, where a platform (Knative, KServe, Kubeflow, Enterprise RAG)
 * makes them and the mesh tells. Findings of other kinds stay as they are.
 */
export function withPlatformFlow(finding: Finding, mesh: MeshView): Finding {
  if (finding.level === 'note' || !mesh.known || !ON_THE_WAY.has(finding.category)) return finding;
  const expected = platformFlowOf(finding, mesh);
  return expected === null ? finding : { ...finding, cause: `${remarkOn(expected.flow)} ${finding.cause}` };
}

/** An outsider shows no identity, so that only where it called speaks for it. */
function remarkOn({ from, purpose, without }: ExpectedFlow): string {
  return `${typeof from === 'string' ? 'Most likely this' : 'This'} is ${purpose}. ${without}`;
}
