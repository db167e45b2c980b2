import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** A handshake that failed for a reason that has no rule of its own. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-certificate-refused',
    category: 'identity',
    level: 'error',
    title: 'A TLS handshake between proxies failed',
    page: {
      meaning:
        'One end refused the other in the TLS handshake, and the text is none of the common ones: a certificate of the wrong kind or encoding, a revocation list that is expired or has gaps, or cipher suites without overlap (FIPS builds).',
      printedBy: 'Both ends may print it; the refusing one gives the reason, the refused one only an alert.',
      confirm: ['istioctl ztunnel-config certificates -o json', 'istioctl version'],
      change: 'Compare certificates, CA and release of the two ztunnels and repair the one that differs.',
      never:
        'Do not switch mutual TLS off: the refusal is of one certificate, and the way around it is open to everybody.',
    },
    cites: ['istio/ztunnel 62d82653 src/tls/workload.rs', 'rustls 0.23.40 src/error.rs'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind === 'revocation-unchecked') {
      const fault = error.values[0] === 'UnknownRevocationStatus' ? 'does not cover its issuer' : 'is expired';
      return {
        certainty: 'certain',
        cause: `The certificate of the ${error.refused ?? 'peer'} was refused because it could not be checked for revocation (${sourceName(flow.record)} to ${destinationName(flow.record)}): the certificate revocation list (CRL) of the refusing ztunnel ${fault}.`,
        subject: [error.refused ?? '', fault],
      } satisfies Match;
    }
    if (error?.kind !== 'certificate-refused') return null;
    return {
      certainty: 'likely',
      cause: `The TLS handshake between ${sourceName(flow.record)} and ${destinationName(flow.record)} failed: ${error.text}.`,
      subject: [error.refused ?? ''],
    } satisfies Match;
  },
  propose() {
    return [
      step('investigate', 'Compare certificates, CA and release of the ztunnels at both ends.', {
        confirm: ['istioctl ztunnel-config certificates -o json', 'istioctl version'],
      }),
    ];
  },
};
