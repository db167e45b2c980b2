import type { Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The xDS stream could not be opened again. */
export const rule: Rule = {
  meta: {
    id: 'envoy-xds-disconnected',
    category: 'platform',
    level: 'warning',
    title: 'The proxy has lost its connection to istiod',
    page: {
      meaning:
        'The proxy cannot reach istiod: nothing listens, the connection times out, or the name does not resolve. It goes on with its last configuration; new endpoints, policies and certificates do not arrive. A stream that closes and comes back at once is normal: istiod ends each after half an hour.',
      printedBy: 'Envoy (gRPC config stream closed) and istio-agent (xdsproxy).',
      confirm: [
        'kubectl -n istio-system get pods,endpointslices -l app=istiod',
        'istioctl proxy-status',
        'kubectl -n NAMESPACE get networkpolicies -o yaml',
      ],
      change:
        'Bring istiod back, or repair the way to it: TCP 15012, DNS, NetworkPolicies, and in multi-cluster set-ups the address the remote cluster uses.',
      never: 'Do not restart the workloads before istiod answers: they would not become ready.',
    },
    cites: [
      'envoy 1.37 source/extensions/config_subscription/grpc/grpc_stream.h',
      'istio 86c9f01f pkg/istio-agent/xds_proxy.go',
    ],
  },
  on: ['envoy/diagnostic', 'istio-agent/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic' || !CLOSED.test(record.message)) return null;
    const why = REASONS.find(([pattern]) => pattern.test(record.message))?.[1] ?? null;
    if (why === null) return null;
    return {
      certainty: 'certain',
      cause: `The proxy cannot reach istiod: ${why}. It works on with its last configuration.`,
      intended: 'no',
      subject: [why],
    };
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'See whether istiod runs and whether the pod reaches it on TCP 15012.', {
        confirm: [
          inRoot(mesh, 'get pods,endpointslices -l app=istiod'),
          'istioctl proxy-status',
          'kubectl get networkpolicies -A',
        ],
      }),
    ];
  },
};

const CLOSED =
  /gRPC config stream(?: to \S+)? closed|failed to connect to upstream|upstream (?:\[\d{1,9}\] )?(?:terminated with unexpected )?error:? rpc error|XDS client.*(?:failed|error)/i;

/** Anything else (codes 0 and 13, a cluster that is not known yet at start) is the stream's normal life. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/ResourceExhausted|rate limit exceeded/, 'it takes no more streams for now (PILOT_MAX_REQUESTS_PER_SECOND)'],
  [/lookup \S+/, 'its name could not be resolved'],
  [/connection refused/, 'nothing accepts connections at its address'],
  [/i\/o timeout|deadline exceeded|connection timed out/, 'its address does not answer'],
  [/no route to host|network is unreachable/, 'there is no route to its address'],
  [/x509|certificate/, 'its certificate was not accepted'],
  [/closed[^:]{0,40}: 16,|Unauthenticated|authenticat\w{0,4} failure/i, 'it did not accept the token of the pod'],
];
