import type { KubeObject, MeshView, Pod, Service } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { shellWord } from '../../text/shell.ts';
import { listOf, recordOf, valueAt } from '../../text/untyped.ts';
import { createObject, draftOf, patchObject, refOf } from './change.ts';
import type { Edit } from './json-patch.ts';
import { deepCopy } from './json-patch.ts';
import { showPolicy } from './kubectl.ts';
import { freeName } from './names.ts';
import { step } from './step.ts';

/**
 * The draft that lets the proxy of a caller know one Service more. A Sidecar of the caller's own namespace gets the host; one
 * of the root namespace is for the whole mesh and stays, and the caller's namespace gets one like it with that host.
 */
export function letKnow(sidecar: KubeObject, caller: Pod, service: Service, port: number, mesh: MeshView): Draft {
  const host = `${service.namespace}/${service.hostname}`;
  const { namespace, name } = sidecar.metadata;
  const isOwn = namespace === caller.namespace;
  const edit = hostEdit(sidecar, host, port);
  const planned = isOwn ? patchObject(sidecar, [edit]) : copyFor(sidecar, edit, caller.namespace, mesh);
  const summary = isOwn
    ? `Add ${host} to the egress hosts of Sidecar ${namespace}/${name}.`
    : `Give ${caller.namespace} a Sidecar of its own, which says what ${namespace}/${name} says and has ${host} among its egress hosts.`;
  const risk = isOwn ? null : `Later changes of Sidecar ${namespace}/${name} do not reach ${caller.namespace} then.`;
  const verify = [
    `istioctl proxy-config cluster ${shellWord(`${caller.name}.${caller.namespace}`)} --fqdn ${shellWord(service.hostname)}`,
  ];
  if (planned === null) return step('configuration', summary, { risk, confirm: [showPolicy(refOf(sidecar))], verify });
  return draftOf([planned], { kind: 'configuration', summary, risk, verify });
}

/** Into the listener for all ports, else into that of the port; where there is neither, a listener for all ports. */
function hostEdit({ raw }: KubeObject, host: string, port: number): Edit {
  const ports = listOf(valueAt(raw, 'spec', 'egress')).map((listener) => valueAt(listener, 'port', 'number'));
  const general = ports.findIndex((number) => typeof number !== 'number');
  const index = general < 0 ? ports.indexOf(port) : general;
  return index < 0
    ? { op: 'append', at: ['spec', 'egress'], value: { hosts: [host] } }
    : { op: 'append', at: ['spec', 'egress', index, 'hosts'], value: host };
}

function copyFor(
  sidecar: KubeObject,
  edit: Edit,
  namespace: string,
  mesh: MeshView,
): ReturnType<typeof createObject> | null {
  const changed = patchObject(sidecar, [edit]);
  if (changed === null) return null;
  return createObject({
    apiVersion: sidecar.apiVersion,
    kind: 'Sidecar',
    namespace,
    name: freeName(mesh, 'Sidecar', namespace, 'default'),
    spec: deepCopy(recordOf(changed.change.after?.['spec'])),
  });
}
