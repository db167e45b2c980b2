import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** ztunnel refused configuration that istiod sent. */
export const rule: Rule = {
  meta: {
    id: 'platform-policy-nacked',
    category: 'platform',
    level: 'error',
    title: 'ztunnel rejected configuration from istiod',
    page: {
      meaning:
        'ztunnel could not read a resource that istiod sent and answered with a NACK. Mostly istiod is newer than ztunnel. If it was the first answer about policies, ztunnel stays unready for good: no pod gets a proxy and the applications see refused connections, without any access line.',
      printedBy: 'ztunnel ("sending response … type=Nack"); the error names the resource.',
      confirm: [
        'kubectl -n istio-system get pods -l app=ztunnel -o wide',
        'istioctl version',
        'kubectl -n POLICY_NAMESPACE get authorizationpolicy POLICY_NAME -o yaml',
      ],
      change:
        'Bring ztunnel to the release of istiod, or take the field that it does not know out of the named policy.',
      never: 'Do not restart ztunnel before: it gets the same answer, and now as its first one.',
    },
    cites: ['istio/ztunnel 62d82653 src/xds/client.rs'],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    const { record } = flow;
    if (record.kind !== 'diagnostic' || record.fields['type'] !== 'Nack') return null;
    const error = record.fields['error'] ?? '';
    const resource = /^([^/\s:]+\/[^\s:]+):/.exec(error)?.[1] ?? '';
    return {
      certainty: 'certain',
      cause: `ztunnel rejected what istiod sent (${error}) and goes on with the configuration it had, or stays unready if it had none.`,
      subject: [resource],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step(
        'configuration',
        'Bring ztunnel and istiod to one release; until then take the unknown field out of the named policy.',
        {
          confirm: [
            'istioctl version',
            inRoot(mesh, 'get pods -l app=ztunnel -o wide'),
            'kubectl get authorizationpolicies -A',
          ],
        },
      ),
    ];
  },
};
