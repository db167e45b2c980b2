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

/** The kubectl command that prints all objects of a kind in a namespace. */
export function listObjects({ kind, namespace }: ObjectRef): string {
  return `kubectl -n ${shellWord(namespace)} get ${shellWord(kind.toLowerCase())} -o yaml`;
}

/** The API server checks what it is sent, admission included, and keeps nothing. */
const DRY_RUN = '--dry-run=server';

/** A command that changes something, and the same one asked on trial. */
export interface Applied {
  readonly trial: string;
  readonly apply: string;
}

/** The command that applies a JSON Patch. */
export function patchCommand(ref: ObjectRef, operations: readonly JsonPatchOperation[]): Applied {
  const patch = `--type=json -p ${shellWord(JSON.stringify(operations))}`;
  const command = kubectl(ref, 'patch');
  return { trial: `${command} ${DRY_RUN} ${patch}`, apply: `${command} ${patch}` };
}

/** The command that creates an object and fails if there is one of its name. */
export function createCommand(manifest: Readonly<Record<string, unknown>>): Applied {
  const command = `printf %s ${shellWord(JSON.stringify(manifest))} | kubectl create`;
  return { trial: `${command} ${DRY_RUN} -f -`, apply: `${command} -f -` };
}

/** The command that deletes an object. */
export function deleteCommand(ref: ObjectRef): string {
  return kubectl(ref, 'delete');
}

function kubectl({ kind, namespace, name }: ObjectRef, verb: string): string {
  const place = namespace === '' ? [] : ['-n', shellWord(namespace)];
  return ['kubectl', ...place, verb, shellWord(kind.toLowerCase()), shellWord(name)].join(' ');
}
