import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

const CONNECTION = /^XDS client connection error: (.*)$/;
const STREAM = /^XDS client error: (.*)$/;

/** ztunnel lost istiod, or cannot reach it. */
export const rule: Rule = {
  meta: {
    id: 'platform-xds-disconnected',
    category: 'platform',
    level: 'warning',
    title: 'ztunnel could not reach istiod',
    page: {
      meaning:
        'ztunnel cannot open its configuration stream to istiod and tries again. What it knew stays in force, but new pods, moved addresses and changed policies do not arrive; a ztunnel that just started is not ready at all.',
      printedBy: 'ztunnel. A single "XDS client error" followed by "Stream established" is a normal reconnect.',
      confirm: [
        'kubectl -n istio-system get pods -l app=istiod -o wide # confirmed if none is ready; if one is, something drops port 15012',
        'kubectl -n istio-system get endpointslices -l kubernetes.io/service-name=istiod',
        'kubectl -n istio-system get networkpolicies -o yaml',
        'istioctl proxy-status',
      ],
      change:
        'Bring istiod up, let TCP 15012 pass from all nodes to istiod, and see that its name resolves on the node.',
      never: 'Do not restart ztunnel for it: it would lose what it still knows.',
    },
    cites: ['istio/ztunnel 62d82653 src/xds/client.rs'],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    if (flow.record.kind !== 'diagnostic') return null;
    const { message } = flow.record;
    if (STREAM.test(message)) {
      return {
        certainty: 'certain',
        level: 'note',
        cause: 'The configuration stream to istiod ended and is opened again. istiod ends streams regularly.',
        subject: ['stream'],
      } satisfies Match;
    }
    const reason = CONNECTION.exec(message)?.[1];
    if (reason === undefined) return null;
    return {
      certainty: 'certain',
      cause: `ztunnel cannot connect to istiod: ${reason.replace(/,? retrying in .*$/, '')}.`,
      subject: ['connection'],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'See whether istiod runs, has endpoints, and can be reached from the node on TCP 15012.', {
        confirm: [
          inRoot(mesh, 'get pods -l app=istiod -o wide'),
          inRoot(mesh, 'get endpointslices -l kubernetes.io/service-name=istiod'),
          inRoot(mesh, 'get networkpolicies -o yaml'),
          'istioctl proxy-status',
        ],
      }),
    ];
  },
};
