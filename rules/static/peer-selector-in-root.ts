import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { peerAuthentications } from '../../src/policy/survey/policies.ts';
import { wantedLabels } from '../../src/policy/survey/selection.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';

/** A PeerAuthentication with a selector in the root namespace counts nowhere. */
export const rule: StaticRule = {
  meta: {
    id: 'peer-selector-in-root',
    category: 'mutual-tls',
    level: 'warning',
    title: 'A PeerAuthentication with a selector in the root namespace',
    page: {
      meaning:
        'Objects of the root namespace are for the mesh. One with a selector is for nobody: neither for pods of other namespaces, as the API text says, nor for those of the root namespace itself (an AuthorizationPolicy there is for matching pods of all namespaces).',
      printedBy: 'Nobody.',
      confirm: ['kubectl -n istio-system get peerauthentications -o yaml'],
      change: 'Move it to the namespace of the pods it is for.',
      never: 'Do not take the selector away: its mode would be that of the whole mesh.',
    },
    cites: ['istio 86c9f01f pilot/pkg/security/authn/policy_applier.go', 'istio/istio#61023'],
  },
  check: (mesh) =>
    peerAuthentications(mesh)
      .filter(
        ({ policy }) => policy.ref.namespace === mesh.rootNamespace && Object.keys(wantedLabels(policy)).length > 0,
      )
      .map(
        ({ object, policy }): StaticMatch => ({
          object,
          at: ['spec', 'selector'],
          certainty: 'certain',
          cause: `${nameOf(policy.ref)} has a selector and stands in the root namespace: it is ignored everywhere.`,
          drafts: [step('policy-change', `Move ${refText(policy.ref)} to the namespace of the pods that it is for.`)],
        }),
      ),
};
