import { probeFailure } from '../src/causes/probe-failure.ts';
import type { Finding, Rule } from '../src/model/finding.ts';
import type { MeshView, Pod } from '../src/model/mesh.ts';
import type { LogRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { admitPeer, blockedBecause } from '../src/remedy/edits/admit-peer.ts';
import { blockedCall, isLetThrough } from '../src/remedy/edits/blocked-call.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName } from '../src/text/ends.ts';
import { probeAddressFor } from '../src/text/probe-address.ts';
import { workloadOf } from '../src/text/workload.ts';

/** A kubelet's probe got no answer: dropped by a NetworkPolicy, or the application is slow. */
export const rule: Rule = {
  meta: {
    id: 'kubelet-probe-blocked',
    category: 'network',
    level: 'error',
    title: 'A health probe of the kubelet got no answer',
    page: {
      meaning:
        'The kubelet asked a pod after its health and got no answer in time. Since a pod is in the ambient mesh, the probes of its node arrive from 169.254.7.127 (IPv6 fd16:9254:7127:1337:ffff:ffff:ffff:ffff) instead of the address of the node, so that a NetworkPolicy for ingress drops them where the CNI applies it to that address. Otherwise the application is slow or hangs.',
      printedBy:
        'The kubelet, as an event of the pod and in its log. ztunnel prints nothing: packets from that address pass it by.',
      confirm: [
        'kubectl -n NAMESPACE describe pod POD',
        'kubectl -n NAMESPACE get networkpolicies -o yaml',
        'kubectl -n NAMESPACE get events --field-selector reason=Unhealthy',
      ],
      change:
        'Add an ingress rule for the ipBlock 169.254.7.127/32 (IPv6: fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128) and the port of the probe to the NetworkPolicy that selects the pod. If no NetworkPolicy is the cause: raise timeoutSeconds of the probe, or make the application answer sooner.',
      never:
        'Do not make the port PERMISSIVE: probes of ambient pods are not subject to mutual TLS. Do not open the port to every source.',
    },
    cites: [
      'istio 86c9f01f cni/pkg/config/config.go',
      'istio.io docs/ambient/usage/networkpolicy',
      'k8s.io/kubernetes pkg/kubelet/prober/prober.go',
    ],
  },
  on: ['kubernetes/connection'],
  match({ record }, mesh) {
    const failure = probeFailure(record);
    if (failure?.kind !== 'unreached') return null;
    const seen = `The ${failure.probe.toLowerCase()} probe of ${calledName(record, mesh)} got no answer in time`;
    const call = blockedCall(record, mesh);
    if (call !== null) {
      return {
        certainty: 'likely',
        cause: `${seen}. ${blockedBecause(call)} Probes of ambient pods come from that address.`,
        policies: call.decision.determining,
        nearMiss: call.decision.nearMiss,
        intended: 'no',
      };
    }
    const isLet = isLetThrough(record, mesh);
    return {
      certainty: 'possible',
      category: isLet ? 'application' : 'network',
      level: isLet ? 'warning' : 'error',
      cause: isLet
        ? `${seen}. NetworkPolicies let it through: the application is slow or hangs.`
        : `${seen}: a NetworkPolicy drops it, as happens when a pod has come into the ambient mesh, or the application is slow or hangs.`,
      intended: 'no',
      unchecked:
        podOf(record, mesh) === null
          ? ['Whether a NetworkPolicy drops it: give pods and NetworkPolicies with --mesh.']
          : [],
    };
  },
  propose(finding, mesh) {
    const [flow] = finding.flows;
    const call = flow === undefined ? null : blockedCall(flow.record, mesh);
    if (call !== null) return admitPeer(call, mesh);
    return [finding.category === 'application' ? waitLonger(finding) : admitByHand(finding)];
  },
};

/** The pod by the mesh where it is known, and the address that the probe called. */
function calledName(record: LogRecord, mesh: MeshView): string {
  const pod = podOf(record, mesh);
  const { address = null, port = null } = record.kind === 'diagnostic' ? {} : record.destination;
  const called = `${address ?? ''}${port === null ? '' : ` port ${port}`}`.trim();
  return pod === null ? destinationName(record) : `${pod.namespace}/${workloadOf(pod.name)} (${called})`;
}

function podOf(record: LogRecord, mesh: MeshView): Pod | null {
  return record.kind === 'diagnostic' || record.destination.address === null
    ? null
    : mesh.podByIp(record.destination.address);
}

function waitLonger(finding: Finding): Draft {
  return step(
    'investigate',
    'Look why the application answers its probe late; raise timeoutSeconds of the probe if it must.',
    {
      confirm: showPod(finding),
    },
  );
}

function admitByHand(finding: Finding): Draft {
  const { address, port } = finding.destination;
  const from = probeAddressFor(address ?? '');
  return step(
    'network-policy',
    `If the pod is in the ambient mesh and a NetworkPolicy selects it, add an ingress rule to that policy: ipBlock ${from}/${from.includes(':') ? 128 : 32}${port === null ? '' : `, TCP ${port}`}. Else look why the application answers late.`,
    {
      confirm: [
        ...showPod(finding),
        `kubectl -n ${wordOr(finding.destination.namespace, 'NAMESPACE')} get networkpolicies -o yaml`,
      ],
    },
  );
}

function showPod({ destination }: Finding): readonly string[] {
  const namespace = wordOr(destination.namespace, 'NAMESPACE');
  return [
    `kubectl -n ${namespace} get events --field-selector reason=Unhealthy`,
    `kubectl -n ${namespace} get pods -o wide`,
  ];
}
