import { type DestinationTls, dialledTls, tlsName } from '../src/causes/destination-tls.ts';
import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import { type GatewayServer, isPlaintext, serverName, serversOf } from '../src/causes/gateway-server.ts';
import type { Finding, Rule } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { LogRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { listPods } from '../src/remedy/commands/kubectl.ts';
import { listDestinationRules, serviceOf } from '../src/remedy/commands/proxy.ts';
import { calledPods } from '../src/remedy/edits/blocked-call.ts';
import { refOf } from '../src/remedy/edits/change.ts';
import { changeDestinationTls, exceptHost, isForManyHosts } from '../src/remedy/edits/destination-rule.ts';
import { secureServers } from '../src/remedy/edits/gateway-tls.ts';
import { step } from '../src/remedy/edits/index.ts';
import { distinctRefs } from '../src/text/object-ref.ts';

/** The client side started TLS towards a server that speaks plaintext. */
export const rule: Rule = {
  meta: {
    id: 'envoy-tls-answered-in-plaintext',
    category: 'mutual-tls',
    level: 'error',
    title: 'The proxy spoke TLS and the destination answered in plaintext',
    page: {
      meaning:
        'The proxy of the caller opened TLS (mutual TLS of the mesh, or TLS by a DestinationRule) and the other end answered something that is no TLS: a pod without sidecar, a port that is excluded from the sidecar, a plaintext port of a gateway, or an application that speaks plaintext.',
      printedBy:
        'The proxy of the caller, or a gateway, as transport failure with WRONG_VERSION_NUMBER. The destination has no line.',
      confirm: [
        'kubectl get destinationrules -A -o custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,HOST:.spec.host,TLS:.spec.trafficPolicy.tls.mode # confirmed if TLS of that host is ISTIO_MUTUAL or SIMPLE',
        'kubectl -n NAMESPACE get pods -o jsonpath="{range .items[*]}{.metadata.name} {.spec.containers[*].name}{\'\\n\'}{end}"',
        'istioctl x describe service SERVICE.NAMESPACE',
      ],
      change:
        'Bring the destination into the mesh, or take the tls block out of the DestinationRule so that the mesh decides by itself (auto mutual TLS). Use tls mode DISABLE only for that one host and port, when the destination can never speak TLS.',
      never:
        'Do not change PeerAuthentication: the server accepts plaintext already, the client is the one that insists on TLS. Do not turn mutual TLS off for *.local.',
    },
    cites: ['envoy 1.37 source/common/tls/ssl_socket.cc', 'istio 86c9f01f pilot/pkg/networking/core/cluster_tls.go'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }, mesh) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'tls-to-plaintext') return null;
    const setting = dialledTls(record, mesh);
    const servers = plainServers(record, mesh);
    const told = setting === null ? '' : ` ${tlsName(setting)} told the proxy to speak TLS.`;
    const why =
      servers.length === 0
        ? 'it has no sidecar, or the port speaks no TLS'
        : `it is a gateway, and ${servers.map(serverName).join(' and ')} takes plaintext there`;
    return {
      certainty: failure.certainty,
      cause: `The proxy started TLS towards ${calledName(record)}, and that answered in plaintext: ${why}.${told}`,
      policies: [
        ...(setting === null ? [] : [refOf(setting.rule)]),
        ...distinctRefs(servers.map(({ gateway }) => refOf(gateway))),
      ],
      intended: 'no',
    };
  },
  propose(finding, mesh) {
    const [flow] = finding.flows;
    if (flow === undefined) return [];
    const servers = plainServers(flow.record, mesh);
    const [pod] = targetOf(flow.record, mesh)?.pods ?? [];
    if (pod !== undefined && servers.length > 0) {
      const isMutual = dialledTls(flow.record, mesh)?.mode === 'ISTIO_MUTUAL';
      const commands = [listDestinationRules(finding.destination)];
      return [isMutual ? secureServers(pod, servers, mesh) : removeTlsBlock(commands), ...goWithoutGateway(finding)];
    }
    return outsideMesh(finding, flow.record, mesh);
  },
};

/** The pods that were called, as far as the mesh tells. */
function targetOf(record: LogRecord, mesh: MeshView): ReturnType<typeof calledPods>[number] | null {
  return record.kind === 'diagnostic' ? null : (calledPods(record, mesh)[0] ?? null);
}

/** The servers of the gateway that was called, if all of that port speak plaintext. */
function plainServers(record: LogRecord, mesh: MeshView): readonly GatewayServer[] {
  const target = targetOf(record, mesh);
  const [pod] = target?.pods ?? [];
  if (target === null || pod === undefined) return [];
  const servers = serversOf(pod, mesh).filter(({ port }) => port === target.port);
  return servers.every(isPlaintext) ? servers : [];
}

/** A rule for one host changes; one for many stays, as it is meant for others too, and this host is excepted. */
function outsideMesh(finding: Finding, record: LogRecord, mesh: MeshView): readonly Draft[] {
  const { destination } = finding;
  const commands = [listDestinationRules(destination), listPods(serviceOf(destination).namespace)];
  const enrol = step('enrol', 'Give the destination a sidecar, if it is meant to be in the mesh.', {
    risk: 'Its pods must be restarted.',
    confirm: commands,
  });
  const setting = dialledTls(record, mesh);
  if (setting === null) return [enrol, removeTlsBlock(commands)];
  const pods = targetOf(record, mesh)?.pods ?? [];
  const isMeshed = pods.length > 0 && pods.every(({ dataplane }) => dataplane === 'sidecar' || dataplane === 'ambient');
  if (isMeshed) return [speakAsMesh(setting, commands)];
  if (!isForManyHosts(setting)) return [enrol, changeDestinationTls(setting, false)];
  const host = destination.service;
  return host === null || pods.length === 0
    ? [enrol, exceptByHand(setting, commands)]
    : [enrol, exceptHost(setting, host, mesh)];
}

/** The pods have a proxy: TLS of the client's own goes past it to an application that speaks plaintext. */
function speakAsMesh(setting: DestinationTls, commands: readonly string[]): Draft {
  if (setting.mode !== 'ISTIO_MUTUAL' && !isForManyHosts(setting)) return changeDestinationTls(setting, true);
  return step(
    'investigate',
    'Find out why the proxy of the destination did not end TLS: a port that is excluded from it, or a PeerAuthentication with mode DISABLE for that port.',
    { confirm: [...commands, 'kubectl get peerauthentications -A -o yaml'] },
  );
}

function exceptByHand(setting: DestinationTls, commands: readonly string[]): Draft {
  return step(
    'configuration',
    `If the destination can never be in the mesh, except its host from ${tlsName(setting)} by a DestinationRule of its own with tls.mode DISABLE, in the namespace of the Service.`,
    { risk: 'Traffic to that host is then plaintext. Do not change the rule for many hosts.', confirm: commands },
  );
}

/** Gateways of Knative and KServe for calls within the cluster. */
const LOCAL_GATEWAY = /^(?:knative-local-gateway|kserve-local-gateway|cluster-local-gateway)\./;

/** KServe leads calls within the cluster over that gateway by a VirtualService that can be left out. */
function goWithoutGateway({ destination }: Finding): readonly Draft[] {
  if (!LOCAL_GATEWAY.test(destination.service ?? '')) return [];
  return [
    step(
      'configuration',
      'With KServe: set disableIstioVirtualHost to true in key ingress of ConfigMap inferenceservice-config and restart the controller, so that clients call the predictor itself and not the gateway.',
      {
        risk: 'Hosts without -predictor stop answering within the cluster.',
        confirm: ['kubectl get configmap inferenceservice-config -A -o yaml'],
      },
    ),
  ];
}

function removeTlsBlock(commands: readonly string[]): Draft {
  return step(
    'configuration',
    'Take the tls block out of the DestinationRule of this host, so that the mesh decides per endpoint whether to use mutual TLS.',
    { risk: 'Traffic to endpoints outside the mesh is then plaintext.', confirm: commands },
  );
}
