import { type WebhookFailure, webhookFailure } from '../src/causes/webhook-failure.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { LogRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { type BlockedCall, blockedCall } from '../src/remedy/edits/blocked-call.ts';
import { exemptPort, showPolicy, step } from '../src/remedy/edits/index.ts';
import { refusesApiServer, webhookFinding } from '../src/remedy/edits/outside-call.ts';
import { nameOf } from '../src/text/object-ref.ts';

/** The kube-apiserver could not call a webhook: no answer, nobody there, or cut off. */
export const rule: Rule = {
  meta: {
    id: 'webhook-unreached',
    category: 'network',
    level: 'error',
    title: 'The kube-apiserver could not reach a webhook',
    page: {
      meaning:
        "The kube-apiserver called an admission or conversion webhook and got no answer, so that objects cannot be stored. No answer in time: a NetworkPolicy or a firewall between the control plane and the nodes drops the call. Nobody there: no pod of the webhook is ready. Cut off without an answer: the webhook's port takes mutual TLS of the mesh only (ztunnel resets plain TLS under STRICT), and the kube-apiserver is outside of the mesh.",
      printedBy:
        'The kube-apiserver, in its log and to whoever made the request. Where ztunnel cut the call off, it has a line with the address of the control plane.',
      confirm: [
        'kubectl -n NAMESPACE get pods,endpointslices -o wide',
        'kubectl -n NAMESPACE get networkpolicies,peerauthentications -o yaml',
        'kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml',
      ],
      change:
        "No answer: admit the addresses of the control plane (ipBlock) to the webhook's port in the NetworkPolicy, and open that port from the control plane to the nodes. Nobody there: bring the webhook up. Cut off: a PeerAuthentication with a selector for its pods and portLevelMtls PERMISSIVE for that one port.",
      never:
        'Do not set failurePolicy to Ignore: objects would be stored without defaults and checks. Do not set the namespace or the mesh to PERMISSIVE.',
    },
    cites: ['k8s.io/apiserver pkg/admission/plugin/webhook', 'istio/istio#52874'],
  },
  on: ['kubernetes/connection', 'knative/diagnostic'],
  match({ record }, mesh) {
    const failure = webhookFailure(record);
    if (failure === null) return null;
    const judged = judge(failure, record, mesh);
    if (judged === null) return null;
    const called = `The kube-apiserver called webhook ${failure.webhook} at ${failure.host}:${failure.port}`;
    return { ...judged, cause: `${called} ${judged.cause}`, intended: 'no', subject: [failure.host, failure.kind] };
  },
  propose(finding, mesh) {
    const [flow] = finding.flows;
    const failure = flow === undefined ? null : webhookFailure(flow.record);
    if (flow === undefined || failure === null) return [];
    if (finding.category === 'mutual-tls' && finding.policies.length > 0) {
      const drafts = exemptPort(webhookFinding(finding, failure, mesh), mesh);
      return drafts.filter(({ kind }) => kind === 'policy-change');
    }
    const call = failure.kind === 'unreached' ? blockedCall(flow.record, mesh) : null;
    return [call === null ? lookAt(failure) : admitControlPlane(call)];
  },
};

function judge(failure: WebhookFailure, record: LogRecord, mesh: MeshView): Match | null {
  switch (failure.kind) {
    case 'refused':
      return { certainty: 'certain', category: 'upstream', cause: 'and nobody listens there: no pod of it is ready.' };
    case 'unreached':
      return unreached(record, mesh);
    case 'closed':
      return closed(failure, mesh);
    case 'failed':
      return {
        certainty: 'possible',
        category: 'upstream',
        level: 'warning',
        cause: `and that failed: ${failure.error}`,
      };
    default:
      return null;
  }
}

function unreached(record: LogRecord, mesh: MeshView): Match {
  const call = blockedCall(record, mesh);
  const guess = 'and got no answer in time: a NetworkPolicy or a firewall drops the call, or the webhook hangs.';
  if (call === null) return { certainty: 'possible', cause: guess };
  const names = call.decision.determining.map(nameOf).join(' and ');
  return {
    certainty: 'likely',
    cause: `and got no answer in time. NetworkPolicy ${names} isolates its pods, and no rule lets the control plane in on TCP ${call.port}.`,
    policies: call.decision.determining,
  };
}

function closed(failure: WebhookFailure, mesh: MeshView): Match {
  const strict = refusesApiServer(failure, mesh);
  if (strict.length === 0) {
    return {
      certainty: 'possible',
      category: 'upstream',
      cause:
        'and was cut off without an answer: the webhook closed the connection, or its port takes mutual TLS of the mesh only.',
      unchecked: mesh.known
        ? []
        : ['Whether the port of the webhook is STRICT: give pods and PeerAuthentications with --mesh.'],
    };
  }
  return {
    certainty: 'likely',
    category: 'mutual-tls',
    cause: `and was cut off without an answer: PeerAuthentication ${strict.map(nameOf).join(' and ')} lets in mutual TLS of the mesh only, and the kube-apiserver is outside of the mesh.`,
    policies: strict,
  };
}

function admitControlPlane({ port, decision }: BlockedCall): Draft {
  return step(
    'network-policy',
    `Append an ingress rule with TCP ${port} and an ipBlock for each address of the control plane to NetworkPolicy ${decision.determining.map(nameOf).join(' or ')}: the kube-apiserver is no pod that labels could select.`,
    {
      risk: 'A rule without peers would open the port to every pod of the cluster.',
      confirm: [
        ...decision.determining.map(showPolicy),
        'kubectl -n default get endpointslices -l kubernetes.io/service-name=kubernetes',
      ],
    },
  );
}

function lookAt({ host }: WebhookFailure): Draft {
  const [name = '', namespace = ''] = host.split('.');
  const place = `kubectl -n ${wordOr(namespace, 'NAMESPACE')}`;
  return step(
    'investigate',
    `See whether the pods behind ${host} are ready, and whether the control plane reaches their port.`,
    {
      confirm: [
        `${place} get endpointslices -l kubernetes.io/service-name=${wordOr(name, 'SERVICE')}`,
        `${place} get pods -o wide`,
        `${place} get networkpolicies -o yaml`,
      ],
    },
  );
}
