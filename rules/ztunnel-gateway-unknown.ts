import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';

/** The destination is in another network whose gateway is not known. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-gateway-unknown',
    category: 'routing',
    level: 'error',
    title: 'The gateway of the remote network was not found',
    page: {
      meaning:
        'The endpoint that was chosen is in another network, and ztunnel does not know the east-west gateway through which that network is reached, or the gateway has no endpoint.',
      printedBy: 'The ztunnel on the node of the caller.',
      confirm: [
        'kubectl get gateways.gateway.networking.k8s.io -A -l topology.istio.io/network',
        'istioctl ztunnel-config workloads',
        'istioctl remote-clusters',
      ],
      change:
        'Deploy the east-west gateway with class istio-east-west in the remote network, or correct its network label; let the local istiod see it.',
      never: 'Do not change policies: no connection was made, and a gateway that is not known admits nobody.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'gateway-unknown') return null;
    const [place = '', address] = error.values;
    const gateway = address === undefined ? place : `${address} of network ${place}`;
    return {
      certainty: 'certain',
      cause: `${sourceName(flow.record)} called a destination in another network, whose gateway ${gateway} ztunnel does not know or cannot use.`,
      subject: [gateway],
    } satisfies Match;
  },
  propose() {
    return [
      step(
        'configuration',
        'See that the east-west gateway of the other network exists, is Ready, carries its network label and is known here.',
        {
          confirm: [
            'kubectl get gateways.gateway.networking.k8s.io -A -l topology.istio.io/network',
            'istioctl remote-clusters',
            'istioctl ztunnel-config services',
          ],
        },
      ),
    ];
  },
};
