import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';

/** ztunnel 1.22 cannot follow a waypoint that is given by host name. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-waypoint-unsupported',
    category: 'routing',
    level: 'note',
    title: 'This ztunnel could not look a waypoint up by host name',
    page: {
      meaning:
        'The control plane names the waypoint of the destination by host name, and ztunnel 1.22 can follow addresses only. Waypoint and labels may be perfectly right: control plane and ztunnel are of different releases.',
      printedBy: 'The ztunnel on the node of the caller; only release 1.22 prints this text.',
      confirm: ['istioctl version', 'kubectl -n istio-system get daemonset ztunnel -o wide'],
      change: 'Upgrade ztunnel to the release of the control plane.',
      never: 'Do not delete the waypoint or its labels: the policies it enforces would no longer hold.',
    },
    cites: ['istio/ztunnel release-1.22 src/proxy/outbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    if (ztunnelErrorOf(flow.record)?.kind !== 'waypoint-unsupported') return null;
    return {
      certainty: 'certain',
      cause: `${sourceName(flow.record)} called a destination behind a waypoint that is named by host name, which this release of ztunnel does not support.`,
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('configuration', 'Upgrade ztunnel to the release of istiod.', {
        risk: 'Connections through the ztunnel of a node are cut when it restarts; drain node by node.',
        confirm: ['istioctl version', inRoot(mesh, 'get daemonset ztunnel -o wide')],
      }),
    ];
  },
};
