import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { listDestinationRules } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The server ended the handshake because no client certificate came. */
export const rule: Rule = {
  meta: {
    id: 'envoy-client-certificate-missed',
    category: 'mutual-tls',
    level: 'error',
    title: 'The destination demanded a client certificate',
    page: {
      meaning:
        'The proxy of the caller spoke TLS without a client certificate (tls mode SIMPLE), and the destination accepts mutual TLS only.',
      printedBy:
        'The proxy of the caller, as transport failure. With TLS 1.3 the refusal often comes too late for that and the line is 503 UC without a reason.',
      confirm: [
        'kubectl get destinationrules -A -o custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,HOST:.spec.host,TLS:.spec.trafficPolicy.tls.mode # confirmed if TLS of that host is SIMPLE',
        'kubectl get peerauthentications -A',
      ],
      change:
        'For a destination in the mesh use tls mode ISTIO_MUTUAL, or take the tls block out of the DestinationRule. For a server outside the mesh use mode MUTUAL with a client certificate.',
      never:
        'Do not lower PeerAuthentication to PERMISSIVE: the client would then speak one-sided TLS, which sidecars do not accept either.',
    },
    cites: ['envoy 1.37 source/common/tls/ssl_socket.cc', 'istio 86c9f01f pilot/pkg/networking/core/cluster_tls.go'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'client-certificate-missing') return null;
    return {
      certainty: failure.certainty,
      cause: `${calledName(record)} demands a client certificate, and the proxy of the caller sent none.`,
      intended: 'no',
    };
  },
  propose(finding) {
    return [
      step(
        'configuration',
        'Set tls mode ISTIO_MUTUAL in the DestinationRule of this host, or take its tls block out. Outside the mesh: mode MUTUAL with a certificate.',
        {
          confirm: [listDestinationRules(finding.destination), 'kubectl get peerauthentications -A'],
        },
      ),
    ];
  },
};
