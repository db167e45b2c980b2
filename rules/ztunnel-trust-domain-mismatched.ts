import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** The caller is of another trust domain. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-trust-domain-mismatched',
    category: 'identity',
    level: 'error',
    title: 'The caller was of another trust domain',
    page: {
      meaning:
        "The caller's certificate is valid but of another trust domain than the destination's, and ztunnel accepts its own trust domain only. It refuses before any policy is evaluated.",
      printedBy:
        'The destination\'s ztunnel names both ("SanTrustDomainError"). The caller\'s ztunnel only gets the alert CertificateUnknown, or a broken pipe.',
      confirm: [
        'kubectl -n istio-system get configmap istio -o jsonpath={.data.mesh} | grep -i trustDomain # compare it with the trust domains in the line',
        'istioctl ztunnel-config certificates',
      ],
      change: 'Give all clusters of the mesh one trustDomain, or connect the two meshes through gateways.',
      never:
        'Do not add the foreign principal to policies: it never reaches them. trustDomainAliases do not help at ztunnel.',
    },
    cites: ['istio/ztunnel 62d82653 src/tls/workload.rs'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'trust-domain-mismatched') return null;
    const [wanted, got] = error.values;
    const ends = `${sourceName(flow.record)} to ${destinationName(flow.record)}`;
    if (wanted === undefined || got === undefined) {
      return {
        certainty: 'likely',
        cause: `The destination refused the certificate of the source (${ends}). It does so when the trust domains differ.`,
        unchecked: ['the reason: the ztunnel on the node of the destination names it'],
      } satisfies Match;
    }
    return {
      certainty: 'certain',
      cause: `The source is of trust domain ${got}, the destination accepts ${wanted} only (${ends}).`,
      subject: [wanted, got],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step(
        'configuration',
        'Give both clusters one trustDomain in their mesh configuration, or let them talk through gateways.',
        {
          risk: 'A new trust domain changes every identity: all policies that name principals must follow.',
          confirm: [
            inRoot(mesh, 'get configmap istio -o jsonpath={.data.mesh}'),
            'istioctl ztunnel-config certificates',
          ],
        },
      ),
    ];
  },
};
