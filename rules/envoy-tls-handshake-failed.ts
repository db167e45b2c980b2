import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { listDestinationRules } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** Versions, ciphers, ALPN or SNI of the two ends do not fit, or the handshake broke for a rarer reason. */
export const rule: Rule = {
  meta: {
    id: 'envoy-tls-handshake-failed',
    category: 'mutual-tls',
    level: 'error',
    title: 'The TLS handshake with the destination failed',
    page: {
      meaning:
        'Both ends speak TLS, but have no version, cipher, application protocol or host name in common; or the proxy wraps a connection into TLS that is TLS already. Rarely the handshake breaks over bytes that do not decrypt or a signature that is wrong.',
      printedBy: 'The proxy of the caller, or a gateway, as transport failure.',
      confirm: [
        'kubectl get destinationrules -A -o custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,HOST:.spec.host,TLS:.spec.trafficPolicy.tls.mode',
        'openssl s_client -connect HOST:PORT -servername HOST',
        'kubectl get serviceentries -A -o yaml',
      ],
      change:
        'Compare the tls settings of the DestinationRule (mode, sni) with what the server offers. If the application speaks TLS itself, the DestinationRule must not originate TLS once more.',
      never: 'Do not turn verification off (insecureSkipVerify): it does not help here.',
    },
    cites: ['envoy 1.37 source/common/tls/ssl_socket.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'tls-parameters' && failure?.kind !== 'tls-broken') return null;
    const why = failure.kind === 'tls-parameters' ? ', because the settings of the two ends do not fit' : '';
    return {
      certainty: 'likely',
      cause: `The TLS handshake with ${calledName(record)} failed${why}: ${failure.text}.`,
      intended: 'no',
      subject: [failure.text],
    };
  },
  propose(finding) {
    return [
      step(
        'configuration',
        'Compare mode and sni of the DestinationRule with what the server offers; do not originate TLS for an application that speaks TLS itself.',
        {
          confirm: [listDestinationRules(finding.destination), 'openssl s_client -connect HOST:PORT -servername HOST'],
        },
      ),
    ];
  },
};
