import type { ObjectRef } from '../../model/mesh.ts';
import type { JsonPatchOperation } from '../../model/remedy.ts';
import { shellWord } from '../../text/shell.ts';

const CONVERTED = 'converted_peer_authentication_';
const STATIC_STRICT = 'istio_converted_static_strict';

/**
 * The kubectl command that prints an object, for a shell. For the names that istiod gives to its conversions of
 * PeerAuthentications, which are no objects, it prints what they were made from (istio 86c9f01f
 * pilot/pkg/serviceregistry/ambient/authorization.go).
 */
export function showPolicy(ref: ObjectRef): string {
  if (ref.name === STATIC_STRICT) return 'kubectl get peerauthentication --all-namespaces -o yaml';
  if (!ref.name.startsWith(CONVERTED)) return `${kubectl(ref, 'get')} -o yaml`;
  const name = ref.name.slice(CONVERTED.length);
  return `${kubectl({ kind: 'PeerAuthentication', namespace: ref.namespace, name }, 'get')} -o yaml`;
}

/** The command that applies a JSON Patch. */
export function patchCommand(ref: ObjectRef, operations: readonly JsonPatchOperation[]): string {
  return `${kubectl(ref, 'patch')} --type=json -p ${shellWord(JSON.stringify(operations))}`;
}

/** The command that creates an object and fails if there is one of its name. */
export function createCommand(manifest: Readonly<Record<string, unknown>>): string {
  return `printf %s ${shellWord(JSON.stringify(manifest))} | kubectl create -f -`;
}

/** The command that deletes an object. */
export function deleteCommand(ref: ObjectRef): string {
  return kubectl(ref, 'delete');
}

function kubectl({ kind, namespace, name }: ObjectRef, verb: string): string {
  const place = namespace === '' ? [] : ['-n', shellWord(namespace)];
  return ['kubectl', ...place, verb, shellWord(kind.toLowerCase()), shellWord(name)].join(' ');
}
