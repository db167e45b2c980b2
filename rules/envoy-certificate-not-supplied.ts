import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { inRoot, wordOr } from '../src/remedy/commands/kubectl.ts';
import { proxyLogs } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** SDS has not delivered the certificate that the connection needs. */
export const rule: Rule = {
  meta: {
    id: 'envoy-certificate-not-supplied',
    category: 'identity',
    level: 'error',
    title: 'The proxy has no certificate yet',
    page: {
      meaning:
        'The proxy needs a certificate for this connection and has not received it: the workload certificate (istiod or the CA unreachable, token refused), or the secret named by credentialName in a Gateway or DestinationRule (missing, or in another namespace).',
      printedBy: 'The proxy that dials, as transport failure "Secret is not supplied by SDS".',
      confirm: [
        'istioctl proxy-config secret POD.NAMESPACE # confirmed if a row is not ACTIVE',
        'kubectl -n NAMESPACE logs POD -c istio-proxy | grep -i "sds\\|certificate"',
        'kubectl -n GATEWAY_NAMESPACE get secrets',
      ],
      change:
        'For the workload certificate repair the way to istiod (port 15012) and look at its log. For a credentialName put the secret into the namespace of the pods that use it.',
      never:
        'Do not turn TLS off for this destination: the secret would still be missing, and the traffic would go unencrypted and without identity.',
    },
    cites: ['envoy 1.37 source/common/tls/ssl_socket.cc', 'istio 86c9f01f security/pkg/nodeagent/cache/secretcache.go'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    if (envoyFailure(record)?.kind !== 'certificate-absent') return null;
    return {
      certainty: 'certain',
      cause: `The proxy could not open TLS to ${calledName(record)}, because it has not received its certificate (SDS).`,
      intended: 'no',
    };
  },
  propose({ source }, mesh) {
    return [
      step(
        'investigate',
        'Find out which secret is missing, and repair the way to istiod or create the secret where the proxy looks for it.',
        {
          confirm: [
            `istioctl proxy-config secret ${wordOr(source.workload, 'POD')}.${wordOr(source.namespace, 'NAMESPACE')}`,
            proxyLogs(source),
            inRoot(mesh, 'get pods -l app=istiod'),
          ],
        },
      ),
    ];
  },
};
