import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { cameInPlaintext, enforcerOf, requestName, unseenIdentity } from '../src/causes/envoy-record.ts';
import type { Finding, Rule } from '../src/model/finding.ts';
import type { LogRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { allowCaller, step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';

/** ALLOW policies apply to the workload and no rule of any of them matched the request. */
export const rule: Rule = {
  meta: {
    id: 'envoy-rbac-denied-none',
    category: 'authorization',
    level: 'error',
    title: 'No ALLOW policy admitted the request',
    page: {
      meaning:
        'At least one ALLOW AuthorizationPolicy applies to this proxy, and no rule of any of them matched the request: caller, port, method, path, host or token claim differ from what the rules want. As soon as one ALLOW policy applies, everything that none admits is denied. gRPC clients see status 7 and the log prints HTTP 200; TCP connections are closed.',
      printedBy:
        "The proxy that enforces: the sidecar of the destination, a waypoint or a gateway, in the response code details (TCP: the connection termination details). The caller's own sidecar prints 403 via_upstream with the same request id.",
      confirm: [
        'istioctl x authz check POD.NAMESPACE',
        'kubectl -n NAMESPACE get authorizationpolicies -o yaml',
        'istioctl proxy-config log POD.NAMESPACE --level rbac:debug',
      ],
      change:
        'Admit the caller in one of the ALLOW policies, with exactly its identity and the operation it needs, or add an ALLOW policy of its own: ALLOW policies are OR-ed. A caller that came in plaintext has no identity and must join the mesh first. A missing token also ends here, when the rule wants request principals: then the caller must send its token.',
      never:
        'Do not delete the policy and do not admit everybody (rules: [{}]). Do not name a principal for a caller that came in plaintext: it never matches. Do not replace identities by addresses or headers, which callers can choose.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/rbac/rbac_filter.cc',
      'istio 86c9f01f pilot/pkg/security/authz/builder/builder.go',
      'istio/istio#26559',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow, mesh) {
    if (envoyFailure(flow.record)?.kind !== 'rbac-none') return null;
    const plaintext = cameInPlaintext(flow.record);
    const policies = mesh.known
      ? []
      : ['Which ALLOW policies apply: Envoy does not name them. Give the policies of the mesh with --mesh.'];
    return {
      certainty: 'certain',
      cause: causeOf(flow.record, plaintext),
      enforcedBy: enforcerOf(flow.record),
      intended: 'unknown',
      unchecked: [...(plaintext ? [] : unseenIdentity(flow.record)), ...policies],
    };
  },
  propose(finding, mesh) {
    const [flow] = finding.flows;
    if (flow !== undefined && cameInPlaintext(flow.record)) return [enrolCaller(finding), findPolicies(finding)];
    return [...allowCaller(finding, mesh), findPolicies(finding)];
  },
};

function causeOf(record: LogRecord, plaintext: boolean): string {
  const what = `${requestName(record)} from ${sourceName(record)} was denied: ALLOW policies apply here and no rule of any of them matched.`;
  return plaintext
    ? `${what} The connection came without mutual TLS, so the caller has no identity and rules on principals or namespaces cannot match.`
    : what;
}

function enrolCaller(finding: Finding): Draft {
  const namespace = wordOr(finding.source.namespace, 'SOURCE_NAMESPACE');
  return step('enrol', 'Give the caller a sidecar, so that it has an identity; then admit that identity.', {
    risk: 'Pods of the namespace get a sidecar when they are restarted.',
    confirm: [
      `kubectl get namespace ${namespace} --show-labels`,
      `kubectl -n ${namespace} get pods -o jsonpath='{range .items[*]}{.metadata.name}{" "}{.spec.containers[*].name}{"\\n"}{end}'`,
    ],
    apply: [`kubectl label namespace ${namespace} istio-injection=enabled`],
    verify: [`kubectl -n ${namespace} get pods`],
    rollback: [`kubectl label namespace ${namespace} istio-injection-`],
  });
}

function findPolicies(finding: Finding): Draft {
  const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
  return step(
    'investigate',
    'List the ALLOW policies that apply to the destination, compare them with the request, and decide which should name the caller.',
    {
      confirm: [
        `istioctl x authz check ${wordOr(finding.destination.workload, 'POD')}.${namespace}`,
        `kubectl -n ${namespace} get authorizationpolicies -o yaml`,
        'kubectl get authorizationpolicies -A',
      ],
    },
  );
}
