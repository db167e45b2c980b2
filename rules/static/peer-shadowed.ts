import type { MeshView } from '../../src/model/mesh.ts';
import type { PeerAuthentication } from '../../src/model/policy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { byAge } from '../../src/policy/envoy/bind.ts';
import { peerAuthentications, type Written } from '../../src/policy/survey/policies.ts';
import { podsSelected, wantedLabels } from '../../src/policy/survey/selection.ts';
import { showPolicy, step } from '../../src/remedy/edits/index.ts';
import { grouped } from '../../src/text/grouped.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';

type Peer = Written<PeerAuthentication>;

/** Of several PeerAuthentications of one scope only the oldest counts. */
export const rule: StaticRule = {
  meta: {
    id: 'peer-shadowed',
    category: 'mutual-tls',
    level: 'warning',
    title: 'A PeerAuthentication is ignored for an older one',
    page: {
      meaning:
        'Of the PeerAuthentications for a whole namespace, for the mesh, or for one pod by a selector only the oldest counts. They are not merged: mode and ports of the younger are ignored.',
      printedBy: 'istiod only, at debug: Namespace/mesh-level PeerAuthentication is already defined.',
      confirm: ['kubectl get peerauthentications -A --sort-by=.metadata.creationTimestamp'],
      change: 'Write what was meant into the oldest object, and delete the other.',
      never: 'Do not rename or recreate objects to change their order: the next restore turns it round.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/model/authentication.go',
      'istio 86c9f01f pilot/pkg/security/authn/policy_applier.go',
    ],
  },
  check: (mesh) => {
    const oldestFirst = peerAuthentications(mesh).toSorted((one, other) => byAge(one.policy, other.policy));
    const scoped = oldestFirst.flatMap((peer) => scopesOf(peer, mesh).map((scope) => ({ scope, peer })));
    const told = new Map<Peer, Peer>();
    for (const [first, ...younger] of grouped(scoped, ({ scope }) => scope).values()) {
      for (const { peer } of younger) if (first !== undefined && !told.has(peer)) told.set(peer, first.peer);
    }
    return [...told].map(([{ object, policy }, { policy: oldest }]): StaticMatch => {
      const isSame = sayOf(policy) === sayOf(oldest);
      const isAged = policy.createdAt !== null && oldest.createdAt !== null;
      return {
        object,
        at: ['spec'],
        certainty: isAged ? 'certain' : 'likely',
        level: isSame ? 'note' : 'warning',
        others: [oldest.ref],
        cause: `${nameOf(policy.ref)} is ignored where ${nameOf(oldest.ref)} is for the same ${Object.keys(wantedLabels(policy)).length > 0 ? 'pods' : 'scope'}: only the oldest counts.`,
        unchecked: isAged ? [] : ['Which of the two is older: manifests do not say; kubectl get -o yaml does.'],
        drafts: [
          step(
            'policy-change',
            `Write what ${refText(policy.ref)} says into ${refText(oldest.ref)}, and delete the former.`,
            {
              confirm: [showPolicy(policy.ref), showPolicy(oldest.ref)],
            },
          ),
        ],
      };
    });
  },
};

/** What an object is for, so that two with one text compete: a namespace, or each pod; without pods a selector. */
function scopesOf({ policy }: Peer, mesh: MeshView): readonly string[] {
  const { namespace } = policy.ref;
  const labels = Object.entries(wantedLabels(policy)).sort();
  if (labels.length === 0) return [namespace];
  if (namespace === mesh.rootNamespace) return [];
  const pods = podsSelected(policy, mesh);
  return pods.length > 0 ? pods.map(({ name }) => `${namespace}/${name}`) : [`${namespace}\n${JSON.stringify(labels)}`];
}

function sayOf({ mode, portModes }: PeerAuthentication): string {
  return JSON.stringify([mode, [...portModes].sort()]);
}
