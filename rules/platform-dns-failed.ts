import type { Match, Rule } from '../src/model/finding.ts';
import type { DiagnosticRecord } from '../src/model/record.ts';
import { step } from '../src/remedy/edits/index.ts';

/** A name could not be resolved: an endpoint of a ServiceEntry, or a query that ztunnel passes on. */
export const rule: Rule = {
  meta: {
    id: 'platform-dns-failed',
    category: 'routing',
    level: 'warning',
    title: 'ztunnel could not resolve a host name',
    page: {
      meaning:
        'ztunnel asked the DNS of the node for a name and got nothing usable: the host name of a ServiceEntry or workload does not exist, or the DNS server does not answer.',
      printedBy: 'ztunnel ("dns lookup failed"; at level debug also "forwarding failed" for queries of applications).',
      confirm: [
        'nslookup HOSTNAME',
        'kubectl get serviceentries,workloadentries -A -o yaml | grep HOSTNAME',
        'kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide',
      ],
      change:
        'Correct the host name or the DNS zone; if all names fail, repair the cluster DNS or let ztunnel reach it.',
      never: 'Do not change policies: no connection was made that one could admit.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs', 'istio/ztunnel 62d82653 src/dns/server.rs'],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    if (flow.record.kind !== 'diagnostic') return null;
    const host = unresolvedHost(flow.record);
    if (host === null) return null;
    return {
      certainty: 'certain',
      cause: `The name ${host} could not be resolved by ztunnel.`,
      subject: [host],
    } satisfies Match;
  },
  propose() {
    return [
      step(
        'configuration',
        'See whether the name exists and the DNS of the cluster answers; correct the ServiceEntry otherwise.',
        {
          confirm: [
            'kubectl get serviceentries,workloadentries -A',
            'kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide',
          ],
        },
      ),
    ];
  },
};

function unresolvedHost({ message, scope, fields }: DiagnosticRecord): string | null {
  if (message.startsWith('dns lookup failed')) return fields['hostname'] ?? 'of an endpoint';
  const failed = scope === 'dns' && fields['result']?.startsWith('forwarding failed') === true;
  return failed ? (fields['domain'] ?? 'of a query') : null;
}
