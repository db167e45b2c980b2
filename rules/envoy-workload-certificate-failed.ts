import type { Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The certificate request of istio-agent failed, or istiod refused to sign. */
export const rule: Rule = {
  meta: {
    id: 'envoy-workload-certificate-failed',
    category: 'identity',
    level: 'error',
    title: 'The proxy could not get its workload certificate',
    page: {
      meaning:
        'istio-agent asks istiod (or another CA) for the certificate of the workload, and the request failed: istiod is not reachable, it refused the token of the service account, or the CA refuses to sign. Without certificate the proxy does not become ready; with an expired one all mutual TLS fails.',
      printedBy: 'istio-agent (scopes sds, ca, cache, citadelclient) and istiod (scope serverca).',
      confirm: [
        'istioctl proxy-config secret POD.NAMESPACE',
        'kubectl -n istio-system get pods,endpointslices -l app=istiod',
        'kubectl -n istio-system logs deploy/istiod | grep -i "serverca\\|csr"',
      ],
      change:
        'Unavailable: repair the way to istiod (TCP 15012, DNS, NetworkPolicies). Unauthenticated: check token audience, issuer and the clock. Otherwise read the log of the CA.',
      never: 'Do not lower PeerAuthentication to run without certificates.',
    },
    cites: [
      'istio 86c9f01f security/pkg/nodeagent/cache/secretcache.go',
      'istio 86c9f01f security/pkg/server/ca/server.go',
      'istio 86c9f01f security/pkg/nodeagent/caclient/providers/citadel/client.go',
      'istio/istio#32742',
    ],
  },
  on: ['istio-agent/diagnostic', 'istiod/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic' || !FAILED.test(record.message)) return null;
    const why = REASONS.find(([pattern]) => pattern.test(record.message))?.[1] ?? 'the CA did not sign';
    return {
      certainty: 'certain',
      // It is tried again, and what is told when that is given up has the reason.
      ...(RETRIED.test(record.message) ? { level: 'warning' } : {}),
      cause: `The certificate of the workload could not be issued: ${why}.`,
      intended: 'no',
      subject: [why],
    };
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'See whether istiod is reachable from the pod and why it does not sign.', {
        confirm: [
          inRoot(mesh, 'get pods,endpointslices -l app=istiod'),
          inRoot(mesh, 'logs deploy/istiod | grep -i csr'),
        ],
      }),
    ];
  },
};

const FAILED =
  /failed to (?:warm certificate|generate workload certificate|sign(?: the)? CSR|create certificate)|CSR (?:signing error|hit max)|CSR sign(?:ing)? fail|^ca request failed, starting attempt|^(?:Authentication failed|Failed to authenticate client): /i;

const RETRIED = /^ca request failed, starting attempt/;

const REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /Unauthenticated|authenticate failure|invalid bearer token|Authenticator: |^(?:Authentication failed|Failed to authenticate client)/i,
    'istiod did not accept the token of the service account',
  ],
  [/PermissionDenied/, 'istiod does not let this caller have that identity'],
  [/x509|certificate signed by unknown/, 'the certificate of istiod was not accepted'],
  [/Unavailable|connection refused|timed? ?out|deadline/i, 'istiod cannot be reached'],
  [/^ca request failed/, 'the CA did not answer, and is asked again'],
];
