import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { proxyLogs } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The other end sent a TLS alert about our certificate. */
export const rule: Rule = {
  meta: {
    id: 'envoy-own-certificate-rejected',
    category: 'identity',
    level: 'error',
    title: "The destination did not accept the caller's certificate",
    page: {
      meaning:
        "The destination ended the handshake because of the certificate of the caller's proxy: expired, revoked, or signed by a root it does not trust.",
      printedBy:
        'The proxy of the caller, as transport failure with a TLS alert. With TLS 1.3 the alert often comes too late, and the line is 503 UC without a reason.',
      confirm: [
        'istioctl proxy-config secret POD.NAMESPACE # confirmed if NOT AFTER of default has passed',
        'kubectl -n NAMESPACE logs POD -c istio-proxy | grep -i "certificate\\|sds"',
      ],
      change:
        "Look at validity and root of the caller's certificate. If it is expired, find out why istio-agent could not renew it (istiod unreachable, token refused, CA refuses).",
      never: 'Do not lower PeerAuthentication to accept plaintext instead.',
    },
    cites: ['envoy 1.37 source/common/tls/ssl_socket.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'own-certificate') return null;
    return {
      certainty: 'certain',
      cause: `${calledName(record)} did not accept the certificate of the caller's proxy: ${failure.text}.`,
      intended: 'no',
      subject: [failure.text],
    };
  },
  propose({ source }) {
    return [
      step('investigate', "Check validity and root of the caller's certificate, and why it was not renewed.", {
        confirm: [
          `istioctl proxy-config secret ${wordOr(source.workload, 'POD')}.${wordOr(source.namespace, 'NAMESPACE')}`,
          proxyLogs(source),
        ],
      }),
    ];
  },
};
