import { type WebhookFailure, type WebhookFailureKind, webhookFailure } from '../src/causes/webhook-failure.ts';
import type { Category, Finding, Rule } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Draft } from '../src/model/remedy.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { serviceOf } from '../src/remedy/commands/proxy.ts';
import { exemptPort, showPolicy, step } from '../src/remedy/edits/index.ts';
import { refusesApiServer, webhookFinding } from '../src/remedy/edits/outside-call.ts';

/** The kube-apiserver called a webhook and did not accept the certificate it was shown. */
export const rule: Rule = {
  meta: {
    id: 'webhook-certificate-refused',
    category: 'mutual-tls',
    level: 'error',
    title: 'The kube-apiserver refused the certificate of a webhook',
    page: {
      meaning:
        'The kube-apiserver called an admission or conversion webhook and refused the certificate it was shown, so that objects cannot be stored. "Not valid for any names" is a certificate of the mesh, which carries a SPIFFE id and no host name: the sidecar before the webhook ends TLS because its port is STRICT, while the kube-apiserver is outside of the mesh. "Valid for A, not B" is another fault: the Service leads to the wrong pods, or the certificate was made for another name. "Unknown authority" is a caBundle that does not fit.',
      printedBy:
        'The kube-apiserver, in its log and to whoever made the request: kubectl, kn, a controller. The sidecar before the webhook prints nothing that tells it.',
      confirm: [
        'kubectl -n NAMESPACE get peerauthentications -o yaml',
        'kubectl -n NAMESPACE get pods -l app=WEBHOOK -o wide',
        'kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations',
      ],
      change:
        "Not valid for any names: a PeerAuthentication with a selector for the pods of the webhook and portLevelMtls PERMISSIVE for their own port (8443 mostly, not the Service's 443). Knative's net-istio brings two: webhook and net-istio-webhook. Valid for another host: correct the selector of the Service or the certificate. Unknown authority: let whoever writes the caBundle do it again.",
      never:
        'Do not set the namespace or the mesh to PERMISSIVE: all other ports would take plain text too. Do not set failurePolicy to Ignore: objects would be stored without defaults and checks. Do not take the sidecar off other workloads of that namespace.',
    },
    cites: [
      'knative-extensions/net-istio config/400-webhook-peer-authentication.yaml',
      'istio/istio#32537',
      'knative/serving#14786',
      'go src/crypto/x509/verify.go',
    ],
  },
  on: ['kubernetes/connection', 'knative/diagnostic'],
  match({ record }, mesh) {
    const failure = webhookFailure(record);
    const why = failure === null ? undefined : WHY[failure.kind];
    if (failure === null || why === undefined) return null;
    const strict = failure.kind === 'mesh-certificate' ? refusesApiServer(failure, mesh) : [];
    const told = strict.map(({ namespace, name }) => `PeerAuthentication ${namespace}/${name}`).join(' and ');
    return {
      certainty: failure.kind === 'mesh-certificate' && strict.length === 0 ? 'likely' : 'certain',
      category: why.category,
      cause: `The kube-apiserver called webhook ${failure.webhook} at ${failure.host}:${failure.port} and ${why.text}${told === '' ? '' : ` ${told} makes it STRICT.`}`,
      policies: strict,
      enforcedBy: failure.kind === 'mesh-certificate' ? 'sidecar' : null,
      intended: 'no',
      subject: [failure.host, failure.kind],
    };
  },
  propose(finding, mesh) {
    const [flow] = finding.flows;
    const failure = flow === undefined ? null : webhookFailure(flow.record);
    if (failure === null) return [];
    if (failure.kind !== 'mesh-certificate') return [repairCertificate(failure)];
    return exceptPort(webhookFinding(finding, failure, mesh), mesh);
  },
};

interface Why {
  readonly category: Category;
  readonly text: string;
}

const WHY: Readonly<Partial<Record<WebhookFailureKind, Why>>> = {
  'mesh-certificate': {
    category: 'mutual-tls',
    text: 'was shown a certificate without any host name: that of a sidecar, which ends TLS there because the port takes mutual TLS of the mesh only. The kube-apiserver is outside of the mesh.',
  },
  'other-host': {
    category: 'identity',
    text: 'was shown a certificate for other hosts: the Service leads to the wrong pods, or the certificate was made for another name. It is none of the mesh.',
  },
  untrusted: {
    category: 'identity',
    text: 'does not know the authority of the certificate: the caBundle of the webhook configuration is not the one that signed it.',
  },
  expired: { category: 'identity', text: 'was shown a certificate whose time is over, or has not come.' },
};

/** The kube-apiserver cannot be brought into the mesh: the exception for the one port is all there is. */
function exceptPort(finding: Finding, mesh: MeshView): readonly Draft[] {
  const drafts = exemptPort(finding, mesh);
  const changes = drafts.filter(({ changes: some }) => some.length > 0);
  const { name } = serviceOf(finding.destination);
  const wider = step(
    'policy-change',
    `If Knative's net-istio is installed, see whether its PeerAuthentications webhook and net-istio-webhook are still there, and restore them; each is for the pods of ${name ?? 'the webhook'} and their port 8443 only.`,
    { confirm: finding.policies.map(showPolicy) },
  );
  return changes.length > 0 ? changes : [...drafts.filter(({ kind }) => kind === 'policy-change'), wider];
}

function repairCertificate({ host, kind }: WebhookFailure): Draft {
  const [name = '', namespace = ''] = host.split('.');
  const place = `kubectl -n ${wordOr(namespace, 'NAMESPACE')}`;
  return step(
    'configuration',
    kind === 'other-host'
      ? `Let the selector of Service ${namespace}/${name} select the pods of the webhook only, and let their certificate name ${host}.`
      : `Let whoever makes the certificate of ${host} renew it together with the caBundle of the webhook configuration.`,
    {
      confirm: [
        `${place} get service ${wordOr(name, 'SERVICE')} -o yaml`,
        `${place} get endpointslices -l kubernetes.io/service-name=${wordOr(name, 'SERVICE')}`,
        'kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml',
      ],
    },
  );
}
