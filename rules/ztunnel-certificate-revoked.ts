import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** A certificate is on the revocation list. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-certificate-revoked',
    category: 'identity',
    level: 'error',
    title: 'A workload certificate was revoked',
    page: {
      meaning:
        'A certificate of the connection, or one above it, is on the certificate revocation list that ztunnel was given. Open connections with it are closed as well (1.31 and later).',
      printedBy: 'Both ends: "Revoked" at the refusing one, the alert CertificateRevoked at the other.',
      confirm: ['kubectl -n istio-system get configmaps | grep crl', 'istioctl ztunnel-config certificates -o json'],
      change:
        'If the revocation is meant, have a new certificate issued (restart ztunnel on the node of the refused end, once its CA is not revoked any more). If not, correct the list.',
      never: 'Do not take the revocation list away to get rid of the error.',
    },
    cites: ['istio/ztunnel 62d82653 src/tls/crl.rs', 'istio/ztunnel#1986'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'certificate-revoked') return null;
    return {
      certainty: 'certain',
      cause: `A certificate used between ${sourceName(flow.record)} and ${destinationName(flow.record)} is on the revocation list.`,
      subject: [error.refused ?? ''],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step(
        'investigate',
        'Find out whether the revocation is meant; then issue a new certificate or correct the list.',
        {
          confirm: ['istioctl ztunnel-config certificates -o json', inRoot(mesh, 'get configmaps')],
        },
      ),
    ];
  },
};
