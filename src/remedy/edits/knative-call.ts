import { knativeTarget } from '../../causes/knative-failure.ts';
import type { MeshView, Pod } from '../../model/mesh.ts';
import type { DiagnosticRecord } from '../../model/record.ts';
import type { Called } from './own-side.ts';

/** Who called a revision, and the Service that it called. */
export interface KnativeCall {
  readonly caller: Pod;
  readonly called: Called;
}

/**
 * The call that a line of Knative tells of: from the pod that the line or its wrapping names, else from one of the component
 * that spoke, which carries its name as label `app`. Null: line and mesh do not tell.
 */
export function knativeCallOf(record: DiagnosticRecord, mesh: MeshView): KnativeCall | null {
  const target = knativeTarget(record);
  const service = target === null ? null : (mesh.serviceByHost(target.host) ?? mesh.serviceByIp(target.host));
  const caller = callerOf(record, mesh);
  return target === null || service === null || caller === null
    ? null
    : { caller, called: { service, port: target.port } };
}

function callerOf({ fields, origin, scope }: DiagnosticRecord, mesh: MeshView): Pod | null {
  const namespace = origin.namespace ?? 'knative-serving';
  const name = fields['knative.dev/pod'] ?? origin.pod;
  const component = scope.split('.', 1)[0];
  const named = name === null ? null : mesh.podByName(namespace, name);
  return named ?? mesh.pods.find((pod) => pod.namespace === namespace && pod.labels['app'] === component) ?? null;
}
