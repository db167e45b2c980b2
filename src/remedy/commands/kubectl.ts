import type { MeshView } from '../../model/mesh.ts';
import { shellWord } from '../../text/shell.ts';

/** A value as one word of a shell command, or an upper-case place-holder where it is not known. */
export function wordOr(value: string | null, placeHolder: string): string {
  return value === null || value === '' ? placeHolder : shellWord(value);
}

/** A kubectl command in the root namespace, where istiod, ztunnel and istio-cni are expected. `words` are a shell's. */
export function inRoot(mesh: MeshView, words: string): string {
  return `kubectl -n ${wordOr(mesh.rootNamespace, 'istio-system')} ${words}`;
}

/**
 * The command that reads the logs of all ztunnels (one runs on each node) and keeps lines that hold `needle`; all lines
 * where it is null.
 */
export function ztunnelLogs(mesh: MeshView, needle: string | null): string {
  const logs = inRoot(mesh, 'logs -l app=ztunnel --tail=-1 --prefix --max-log-requests=100');
  return needle === null ? logs : `${logs} | grep -F ${wordOr(needle, 'TEXT')}`;
}

/** The command that lists the pods of a namespace with their addresses and nodes. */
export function listPods(namespace: string | null): string {
  return `kubectl -n ${wordOr(namespace, 'NAMESPACE')} get pods -o wide`;
}

/** The command that lists what the mesh's data plane believes about its workloads. */
export const WORKLOADS: string = 'istioctl ztunnel-config workloads';
