import type { Finding } from '../../model/finding.ts';
import type { MeshView, Pod } from '../../model/mesh.ts';
import { type End, type Expected, expectedFlow } from '../../platforms/expected-flow.ts';
import { workloadOf } from '../../text/workload.ts';
import { destinationOf, sourcePods } from './destination.ts';
import { requestsOf } from './fit.ts';
import { asKnativeRequests } from './knative-call.ts';
import { principalParts } from './names.ts';

/** Labels whose value names a workload. */
const NAMING_LABELS = ['app', 'app.kubernetes.io/name', 'control-plane', 'serving.knative.dev/revision'];

/** The flow of a platform (Knative, KServe, …) that the calls of a finding are; null: none that is known. */
export function platformFlowOf(finding: Finding, mesh: MeshView): Expected | null {
  const { source } = finding;
  const called = destinationOf(finding, mesh);
  if (called === null) return null;
  const caller = source.principal === null ? null : principalParts(source.principal);
  const callers = sourcePods(finding, mesh);
  const isKnown = caller !== null || callers.length > 0 || source.workload !== null;
  return expectedFlow({
    source: isKnown
      ? endOf(source.namespace ?? caller?.namespace ?? null, source.workload, callers, caller?.serviceAccount ?? null)
      : null,
    destination: endOf(called.namespace, called.workload, called.pods, null),
    port: called.port,
    paths: requestsOf(asKnativeRequests(finding, mesh) ?? finding)
      .map(({ path }) => path)
      .filter((path) => path !== null),
  });
}

function endOf(namespace: string | null, workload: string | null, pods: readonly Pod[], account: string | null): End {
  const [pod] = pods;
  const labels = NAMING_LABELS.map((label) => pod?.labels[label]).filter((value) => value !== undefined);
  return {
    namespace: namespace ?? pod?.namespace ?? null,
    account: account ?? pod?.serviceAccount ?? null,
    names: [...(workload === null ? [] : [workloadOf(workload)]), ...labels],
  };
}
