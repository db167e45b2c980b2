import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { listPods, WORKLOADS } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** The destination proved another identity than the one expected. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-identity-mismatched',
    category: 'identity',
    level: 'error',
    title: 'The destination had another identity than expected',
    page: {
      meaning:
        "The destination presented a valid certificate, but of another service account than the mesh expects at that address. Mostly the address was reused and the caller's ztunnel has not heard of it yet; it may also be a wrong service account or trust domain.",
      printedBy:
        "The ztunnel of the caller names both identities (from 1.23 on). The destination's ztunnel only gets the alert CertificateUnknown (AccessDenied in 1.22).",
      confirm: [
        'kubectl get pods -A -o wide | grep DESTINATION_IP',
        'istioctl ztunnel-config workloads -o json',
        'istioctl proxy-status',
      ],
      change:
        "If it passes within seconds, nothing. If it stays: repair the connection of the caller's ztunnel to istiod, or the service account or trust domain settings.",
      never: 'Do not switch mutual TLS off, and do not give both workloads one service account.',
    },
    cites: ['istio/ztunnel 62d82653 src/tls/workload.rs', 'istio/ztunnel 62d82653 src/identity.rs'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'identity-mismatched') return null;
    const [expected, got] = error.values;
    if (expected === undefined || got === undefined) {
      return {
        certainty: 'likely',
        cause: `${sourceName(flow.record)} refused the certificate of ${destinationName(flow.record)} because it is not of the identity it expects there.`,
        unchecked: ['which identities: the outbound line of the ztunnel on the node of the caller names them'],
      } satisfies Match;
    }
    return {
      certainty: 'certain',
      cause: `${sourceName(flow.record)} expected ${expected} at ${destinationName(flow.record)} and found ${got}: the address now belongs to another workload, or the data of the caller's ztunnel is stale.`,
      subject: [expected, got],
    } satisfies Match;
  },
  propose(finding) {
    return [
      step(
        'investigate',
        "See who owns the address now and whether the caller's ztunnel is in sync with istiod; it often passes by itself.",
        {
          confirm: [listPods(finding.destination.namespace), WORKLOADS, 'istioctl proxy-status'],
        },
      ),
    ];
  },
};
