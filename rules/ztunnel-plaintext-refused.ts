import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** A destination without tunnel refused or reset the connection. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-plaintext-refused',
    category: 'upstream',
    level: 'warning',
    title: 'A destination outside the mesh refused the connection',
    page: {
      meaning:
        'ztunnel passed the connection on without a tunnel, because the destination is not in the mesh (an external address, a pod that is not enrolled), and the destination refused or reset it.',
      printedBy: 'The ztunnel on the node of the caller. There is no ztunnel at the other end.',
      confirm: [
        'nc -vz DESTINATION_ADDRESS DESTINATION_PORT',
        'kubectl get pods -A -o wide | grep DESTINATION_ADDRESS',
      ],
      change: 'See that the destination listens on that port and that the caller uses the right address.',
      never: 'Do not add a ServiceEntry or a policy for it: neither decided here.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/outbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const kind = ztunnelErrorOf(flow.record)?.kind;
    if (kind !== 'plain-refused' && kind !== 'plain-closed') return null;
    const how = kind === 'plain-refused' ? 'refused' : 'reset';
    return {
      certainty: 'certain',
      cause: `${destinationName(flow.record)}, which is reached without the mesh, ${how} the connection from ${sourceName(flow.record)}.`,
    } satisfies Match;
  },
  propose(finding) {
    const { address, port } = finding.destination;
    const target = `${wordOr(address, 'DESTINATION_ADDRESS')} ${port ?? 'DESTINATION_PORT'}`;
    return [
      step(
        'investigate',
        'Test the destination from a node, without the mesh; see that it listens and that the port is right.',
        {
          confirm: [`nc -vz ${target}`, 'kubectl get pods -A -o wide'],
        },
      ),
    ];
  },
};
