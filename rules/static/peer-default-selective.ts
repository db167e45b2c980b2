import type { MeshView } from '../../src/model/mesh.ts';
import type { PeerAuthentication } from '../../src/model/policy.ts';
import type { Draft } from '../../src/model/remedy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { peerLevelsFor, statedMode } from '../../src/policy/survey/modes.ts';
import { peerAuthentications, type Written } from '../../src/policy/survey/policies.ts';
import { podsSelected, podsWith, wantedLabels } from '../../src/policy/survey/selection.ts';
import { createObject, draftOf, patchObject } from '../../src/remedy/edits/change.ts';
import { showPolicy, step } from '../../src/remedy/edits/index.ts';
import { freeName, objectName } from '../../src/remedy/edits/names.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';
import { recordOf, valueAt } from '../../src/text/untyped.ts';

/** STRICT under the name of a namespace's default, for some pods only: all others are open. */
export const rule: StaticRule = {
  meta: {
    id: 'peer-default-selective',
    category: 'mutual-tls',
    level: 'warning',
    title: 'A default PeerAuthentication is for some pods only',
    page: {
      meaning:
        'The name default means nothing: with a selector the object is for the selected pods, and the others of the namespace keep what the mesh says, PERMISSIVE unless somebody set it. It comes about when an exception for one port is written into the object for the namespace, as a port needs a selector.',
      printedBy:
        'Nobody: plain text to the other pods succeeds. ztunnel prints such a connection without src.identity.',
      confirm: ['kubectl -n NAMESPACE get peerauthentications -o yaml'],
      change:
        'Make two objects: one without selector for the namespace, and one of its own name with the selector and the port.',
      never:
        'Do not just take the selector away: ports need one, and the object is refused. Do not drop the port either: what is excepted breaks.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/security/authn/policy_applier.go',
      'istio.io/api security/v1beta1/peer_authentication.proto',
    ],
  },
  check: (mesh) =>
    peerAuthentications(mesh).flatMap((written): readonly StaticMatch[] => {
      const { object, policy } = written;
      const isDefault = policy.ref.name === 'default' && Object.keys(wantedLabels(policy)).length > 0;
      if (!isDefault || policy.ref.namespace === mesh.rootNamespace) return [];
      if (policy.mode !== 'STRICT') return [onlyNamed(written)];
      const others = othersOpen(policy, mesh);
      if (others === 'none') return [];
      const told =
        others === 'unknown'
          ? 'All others there'
          : `Others there (${others.slice(0, 3).join(', ')}${others.length > 3 ? ', …' : ''})`;
      return [
        {
          object,
          at: ['spec', 'selector'],
          certainty: others === 'unknown' ? 'likely' : 'certain',
          cause: `${nameOf(policy.ref)} is STRICT for the pods it selects only. ${told} fall back to the mode of the mesh and accept plain text unless that is STRICT.`,
          drafts: draftsFor(written, mesh),
        },
      ];
    }),
};

/** Another mode leaves nobody open who was meant to be shut: the name alone is worth knowing. */
function onlyNamed({ object, policy }: Written<PeerAuthentication>): StaticMatch {
  const cause = `${nameOf(policy.ref)} is called default and has a selector: it is for the pods it selects only.`;
  return { object, at: ['spec', 'selector'], certainty: 'certain', level: 'note', cause };
}

/** The pods of the namespace that no STRICT holds for; `unknown`: no pods are known, and no other object there is STRICT. */
function othersOpen(policy: PeerAuthentication, mesh: MeshView): readonly string[] | 'unknown' | 'none' {
  const { namespace } = policy.ref;
  const all = podsWith({}, namespace, mesh);
  const { namespace: own, mesh: wide } = peerLevelsFor({ namespace, labels: {} }, mesh);
  const inherited = own !== null && own.mode !== 'UNSET' ? own : wide;
  if (inherited?.mode === 'STRICT' || own !== null) return 'none';
  if (all.length === 0) return 'unknown';
  const selected = new Set(podsSelected(policy, mesh));
  const open = all.filter(
    (pod) => !selected.has(pod) && statedMode(pod, mesh) !== 'STRICT' && pod.dataplane !== 'none',
  );
  return open.length === 0 ? 'none' : open.map(({ name }) => name).sort();
}

function draftsFor({ object, policy }: Written<PeerAuthentication>, mesh: MeshView): readonly Draft[] {
  const { ref } = policy;
  const summary = `Let ${refText(ref)} be for the whole namespace, and move its selector${policy.portModes.size > 0 ? ' and ports' : ''} to an object of its own name.`;
  const risk = 'The other pods of the namespace refuse plain text from then on: look first who speaks it to them.';
  const decision = 'Its owner must say that all callers of the other pods are in the mesh.';
  const spec = recordOf(object.raw['spec']);
  const name = freeName(
    mesh,
    'PeerAuthentication',
    ref.namespace,
    objectName(Object.values(wantedLabels(policy))[0] ?? 'selected', 'ports'),
  );
  const own = createObject({
    apiVersion: object.apiVersion,
    kind: 'PeerAuthentication',
    namespace: ref.namespace,
    name,
    spec: { ...spec, ...(policy.portModes.size > 0 ? { portLevelMtls: permissivePorts(spec) } : {}) },
  });
  const wide = patchObject(object, [
    { op: 'unset', at: ['spec', 'selector'] },
    ...(policy.portModes.size > 0 ? [{ op: 'unset', at: ['spec', 'portLevelMtls'] } as const] : []),
  ]);
  if (wide === null) return [step('policy-change', summary, { risk, decision, confirm: [showPolicy(ref)] })];
  const planned = policy.portModes.size > 0 ? [own, wide] : [wide];
  return [draftOf(planned, { kind: 'policy-change', summary, risk, decision, verify: [showPolicy(ref)] })];
}

/** ztunnel knows no DISABLE; where the workload is STRICT both mean that plain text is accepted. */
function permissivePorts(spec: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(recordOf(spec['portLevelMtls'])).map(([port, mode]) => [
      port,
      valueAt(mode, 'mode') === 'DISABLE' ? { mode: 'PERMISSIVE' } : mode,
    ]),
  );
}
