import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { peerAuthentications } from '../../src/policy/survey/policies.ts';
import { podPortMeant } from '../../src/policy/survey/ports.ts';
import { podsSelected } from '../../src/policy/survey/selection.ts';
import { draftOf, patchObject } from '../../src/remedy/edits/change.ts';
import { showPolicy, step } from '../../src/remedy/edits/index.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';
import { valueAt } from '../../src/text/untyped.ts';

/** A mode for a port that the pods do not have: the port of the Service was written. */
export const rule: StaticRule = {
  meta: {
    id: 'peer-ports-idle',
    category: 'mutual-tls',
    level: 'warning',
    title: 'A port of a PeerAuthentication is not a port of its pods',
    page: {
      meaning:
        'The keys of portLevelMtls are ports that the pods listen on. The port of a Service that leads to another port of the pod (targetPort) excepts nothing, and a STRICT there protects nothing.',
      printedBy:
        'Nobody at this place. Where an exception was meant the destination refuses plain text: converted_peer_authentication_NAME, or NR filter_chain_not_found.',
      confirm: ['kubectl -n NAMESPACE get services -o yaml', 'kubectl -n NAMESPACE get pods -o yaml'],
      change: 'Write the targetPort of the Service: the port of the container.',
      never: 'Do not make the workload or the namespace PERMISSIVE because the exception has no effect.',
    },
    cites: ['istio 86c9f01f pilot/pkg/security/authn/policy_applier.go', 'istio/istio#49098'],
  },
  check: (mesh) =>
    peerAuthentications(mesh).flatMap(({ object, policy }) => {
      const pods = policy.portModes.size === 0 ? [] : podsSelected(policy, mesh);
      return [...policy.portModes.keys()].flatMap((port): readonly StaticMatch[] => {
        const target = podPortMeant(port, pods, mesh);
        if (target === null) return [];
        const at = ['spec', 'portLevelMtls', String(port)];
        const summary = `Write port ${target} in place of ${port} in ${refText(policy.ref)}.`;
        const planned = policy.portModes.has(target)
          ? null
          : patchObject(object, [
              { op: 'set', at: ['spec', 'portLevelMtls', String(target)], value: valueAt(object.raw, ...at) },
              { op: 'unset', at },
            ]);
        const risk = 'The mode that is written there comes into force at that port.';
        return [
          {
            object,
            at,
            certainty: 'certain',
            cause: `${nameOf(policy.ref)} sets a mode for port ${port}, which is the port of a Service: its pods listen on ${target}, and only that counts.`,
            drafts: [
              planned === null
                ? step('policy-change', summary, { risk, confirm: [showPolicy(policy.ref)] })
                : draftOf([planned], { kind: 'policy-change', summary, risk, verify: [showPolicy(policy.ref)] }),
            ],
          },
        ];
      });
    }),
};
