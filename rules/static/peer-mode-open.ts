import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { peerAuthentications } from '../../src/policy/survey/policies.ts';
import { wantedLabels } from '../../src/policy/survey/selection.ts';
import { nameOf } from '../../src/text/object-ref.ts';

/** A whole namespace, or the mesh, accepts plain text because an object says so. */
export const rule: StaticRule = {
  meta: {
    id: 'peer-mode-open',
    category: 'mutual-tls',
    level: 'note',
    title: 'A whole namespace or mesh accepts plain text',
    page: {
      meaning:
        'PERMISSIVE or DISABLE without a selector lets plain text in at every port of every workload of the namespace (from the root namespace: of the mesh). Callers then need no identity, and rules that name identities see none. It is usual while workloads move into the mesh.',
      printedBy: 'Nobody: plain text succeeds. ztunnel prints such a connection without src.identity.',
      confirm: ['kubectl get peerauthentications -A'],
      change: 'When all callers are in the mesh: STRICT, with an exception for single ports of single workloads.',
      never: 'Do not switch to STRICT before you know who speaks plain text: meshmend analyze tells it from the logs.',
    },
    cites: ['istio 86c9f01f pilot/pkg/security/authn/policy_applier.go'],
  },
  check: (mesh) =>
    peerAuthentications(mesh)
      .filter(({ policy }) => policy.mode === 'PERMISSIVE' || policy.mode === 'DISABLE')
      .filter(({ policy }) => Object.keys(wantedLabels(policy)).length === 0)
      .map(
        ({ object, policy }): StaticMatch => ({
          object,
          at: ['spec', 'mtls', 'mode'],
          certainty: 'certain',
          cause: `${nameOf(policy.ref)} is ${policy.mode} for ${policy.ref.namespace === mesh.rootNamespace ? 'the mesh' : 'its namespace'}: plain text comes in at every port.`,
        }),
      ),
};
