import type { MeshView, Pod } from '../../model/mesh.ts';
import type { PeerAuthentication } from '../../model/policy.ts';
import { grouped } from '../../text/grouped.ts';
import { remembered } from '../../text/remembered.ts';
import { type PeerLevels, peerLevels } from '../envoy/bind.ts';
import { type EffectiveMode, modeOf } from '../envoy/mtls.ts';
import { peerAuthentications } from './policies.ts';
import { podsSelected, type Scoped } from './selection.ts';

/** The port of no pod: asks for the mode that holds where no port has one of its own. */
const ANY_PORT = -1;

const byNamespace = remembered(
  (mesh: MeshView): ReadonlyMap<string, readonly PeerAuthentication[]> =>
    grouped(
      peerAuthentications(mesh).map(({ policy }) => policy),
      ({ ref }) => ref.namespace,
    ),
);

/** The PeerAuthentications that decide for pods with these labels in a namespace. */
export function peerLevelsFor({ namespace, labels }: Pick<Pod, 'namespace' | 'labels'>, mesh: MeshView): PeerLevels {
  const { rootNamespace } = mesh;
  const policies = [...new Set([namespace, rootNamespace])].flatMap((name) => byNamespace(mesh).get(name) ?? []);
  return peerLevels(policies, { type: 'sidecar', namespace, name: '', labels }, rootNamespace);
}

const modesIn = remembered((_mesh: MeshView) => new Map<Pod, EffectiveMode | null>());

/** The mode that some object sets for a pod; null: none does, so that what holds is not known or the default. */
export function statedMode(pod: Pod, mesh: MeshView): EffectiveMode | null {
  const known = modesIn(mesh);
  const before = known.get(pod);
  if (before !== undefined) return before;
  const mode = statedModeAt(pod, mesh);
  known.set(pod, mode);
  return mode;
}

function statedModeAt(place: Pick<Pod, 'namespace' | 'labels'>, mesh: MeshView): EffectiveMode | null {
  const { mode, policies } = modeOf(peerLevelsFor(place, mesh), ANY_PORT);
  return policies.length === 0 ? null : mode;
}

/**
 * Whether plain text reaches the workloads of a policy. `refused`: all of them demand mutual TLS; `accepted`: some object
 * lets plain text in at one of them; null: no object says, and the default is to accept it.
 */
export function plaintextAt(policy: Scoped, mesh: MeshView): 'refused' | 'accepted' | null {
  const pods = podsSelected(policy, mesh);
  const { namespace } = policy.ref;
  const modes =
    pods.length > 0
      ? pods.map((pod) => statedMode(pod, mesh))
      : [statedModeAt({ namespace, labels: policy.selector?.matchLabels ?? {} }, mesh)];
  if (modes.every((mode) => mode === 'STRICT')) return 'refused';
  return modes.some((mode) => mode !== null && mode !== 'STRICT') ? 'accepted' : null;
}
