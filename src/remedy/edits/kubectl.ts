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
  return `kubectl -n ${shellWord(namespace)} get ${resourceOf(kind)} -o yaml`;
}

/** The API server checks what it is sent, admission included, and keeps nothing. */
const DRY_RUN = '--dry-run=server';
/** A field that the cluster's version does not know is an error; else the API server drops it, and the rule then says something else. */
const STRICT = '--validate=strict';
/** `kubectl patch` has no `--validate`: there an unknown field is a warning of the API server. */
const WARNINGS = '--warnings-as-errors';

/** A command that changes something, and the same one asked on trial. */
export interface Applied {
  readonly trial: string;
  readonly apply: string;
}

/** The command that applies a JSON Patch. */
export function patchCommand(ref: ObjectRef, operations: readonly JsonPatchOperation[]): Applied {
  return patchWith(ref, `-p ${shellWord(JSON.stringify(operations))}`);
}

/** The command that applies a JSON Patch that stands in a file. */
export function patchFileCommand(ref: ObjectRef, file: string): Applied {
  return patchWith(ref, `--patch-file=${shellWord(file)}`);
}

function patchWith(ref: ObjectRef, patch: string): Applied {
  const command = kubectl(ref, 'patch');
  return {
    trial: `${command} ${DRY_RUN} ${WARNINGS} --type=json ${patch}`,
    apply: `${command} --type=json ${patch}`,
  };
}

/** The command that creates an object and fails if there is one of its name. */
export function createCommand(manifest: Readonly<Record<string, unknown>>): Applied {
  return createWith(`printf %s ${shellWord(JSON.stringify(manifest))} | `, '-');
}

/** The command that creates an object that stands in a file. */
export function createFileCommand(file: string): Applied {
  return createWith('', shellWord(file));
}

function createWith(pipe: string, file: string): Applied {
  const command = `${pipe}kubectl create ${STRICT}`;
  return { trial: `${command} ${DRY_RUN} -f ${file}`, apply: `${command} -f ${file}` };
}

/** The command that deletes an object. */
export function deleteCommand(ref: ObjectRef): string {
  return kubectl(ref, 'delete');
}

/** What kubectl calls a kind. A bare `gateway` is for it that of the Gateway API, where that is installed. */
function resourceOf(kind: string): string {
  return kind === 'Gateway' ? 'gateways.networking.istio.io' : shellWord(kind.toLowerCase());
}

function kubectl({ kind, namespace, name }: ObjectRef, verb: string): string {
  const place = namespace === '' ? [] : ['-n', shellWord(namespace)];
  return ['kubectl', ...place, verb, resourceOf(kind), shellWord(name)].join(' ');
}
