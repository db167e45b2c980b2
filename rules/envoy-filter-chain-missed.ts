import { arrivedTls, type DestinationTls, tlsName } from '../src/causes/destination-tls.ts';
import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { envoyFacts } from '../src/causes/envoy-record.ts';
import { judgeFilterChain, type Place } from '../src/causes/filter-chain.ts';
import { serversAt } from '../src/causes/gateway-server.ts';
import type { Category, Finding, Rule } from '../src/model/finding.ts';
import type { MeshView, ObjectRef, Pod } from '../src/model/mesh.ts';
import type { LogRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { decideObserved } from '../src/policy/envoy/observed.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { refOf } from '../src/remedy/edits/change.ts';
import { changeDestinationTls } from '../src/remedy/edits/destination-rule.ts';
import { enrolCaller, exemptPort, step } from '../src/remedy/edits/index.ts';
import { missedException } from '../src/remedy/edits/missed-exception.ts';
import { serveOutsiders, speakMutualTls } from '../src/remedy/edits/outside-gateway.ts';
import { type OwnSide, ownSideOf } from '../src/remedy/edits/own-side.ts';
import { type HostPort, parseHostPort } from '../src/text/address.ts';
import { nearNames } from '../src/text/near.ts';
import { distinctRefs } from '../src/text/object-ref.ts';
import { isPrivateAddress } from '../src/text/private-address.ts';

/** A listener closed a connection that none of its filter chains fits: plaintext at a STRICT port, or an unknown SNI at a gateway. */
export const rule: Rule = {
  meta: {
    id: 'envoy-filter-chain-missed',
    category: 'mutual-tls',
    level: 'error',
    title: 'No filter chain of the listener fits the connection',
    page: {
      meaning:
        'The listener has filter chains for some kinds of connections only and none fits this one. At a sidecar that means: the workload wants mutual TLS (STRICT) and the client spoke plaintext; or the client spoke TLS of its own to a port declared as HTTP. At a gateway it means: no server serves the host name (SNI) of the client, or it sent none. At a waypoint: no Service has this address and port.',
      printedBy:
        'The proxy that was called, as a listener line with NR filter_chain_not_found and neither method nor cluster. A client with a sidecar that sends plaintext prints 503 UC for the same connection; a client without one prints nothing.',
      confirm: [
        'kubectl get peerauthentications -A # confirmed if MODE is STRICT where the destination runs',
        'kubectl -n NAMESPACE get pods -o wide',
        'istioctl proxy-config listener POD.NAMESPACE --port 15006',
        'istioctl x describe pod POD.NAMESPACE',
      ],
      change:
        'Plaintext at a sidecar: bring the client into the mesh; if it has a sidecar, remove the DestinationRule with tls mode DISABLE. Only if the client can never join, make an exception for that one port of that one workload. Gateway: add the host to a server of the Gateway, or let the client send SNI.',
      never:
        'Do not set a namespace or the whole mesh to PERMISSIVE for one client. Do not remove the sidecar from the destination.',
    },
    cites: [
      'envoy 1.37 source/common/listener_manager/active_tcp_listener.cc',
      'istio 86c9f01f pilot/pkg/networking/core/listener_inbound.go',
      'istio 86c9f01f pilot/pkg/networking/core/filterchain_options.go',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow, mesh) {
    if (envoyFailure(flow.record)?.kind !== 'filter-chain') return null;
    const place = placeOf(flow.record, mesh);
    const sni = envoyFacts(flow.record)?.serverName ?? null;
    const { category, certainty, cause } = judgeFilterChain(flow.record, place, sni, mesh);
    const gateways =
      place === 'gateway'
        ? distinctRefs(serversAt(localOf(flow.record), mesh).map(({ gateway }) => refOf(gateway)))
        : [];
    const setting = category === 'mutual-tls' ? settingOf(flow.record, mesh) : null;
    const own = category === 'mutual-tls' ? ownSide(flow.record, setting, mesh) : null;
    return {
      certainty,
      category,
      cause: `${cause}${causeAtCaller(setting, own)}${place === 'sidecar' ? exceptionRemark(flow.record, mesh) : ''}`,
      policies: place === 'gateway' ? gateways : policiesOf(category, flow.record, setting, own, mesh),
      enforcedBy: place ?? (category === 'mutual-tls' ? 'sidecar' : null),
      intended: 'unknown',
      unchecked:
        place === null
          ? [
              'Whether this listener belongs to a sidecar or a gateway: the line does not say. Give the pods with --mesh.',
            ]
          : [],
      // Clients of a gateway may ask for any name: the fault is the listener's.
      subject: sni === null || category === 'routing' ? [category] : [sni],
      anyCaller: category === 'routing',
    };
  },
  propose(finding, mesh) {
    const [flow] = finding.flows;
    if (finding.category === 'routing') return [repairListener(finding, flow?.record ?? null, mesh)];
    if (flow !== undefined && placeOf(flow.record, mesh) === 'gateway') return atGateway(finding, flow.record, mesh);
    const setting = flow === undefined ? null : settingOf(flow.record, mesh);
    if (setting !== null) return [changeDestinationTls(setting, true)];
    const own = flow === undefined ? null : ownSide(flow.record, setting, mesh);
    if (own !== null) return [own.repair];
    const isPlaintext = flow !== undefined && envoyFacts(flow.record)?.serverName === null;
    const drafts = isPlaintext ? exemptPort(finding, mesh) : enrolUnlessMeshed(finding, mesh);
    // Where the caller's pod is known, so is whether it has a sidecar that a DestinationRule would turn off.
    const asked =
      flow !== undefined && callerPod(flow.record, mesh) === null ? drafts.map(askForDestinationRules) : drafts;
    return asked.length > 0 ? asked : [repairCaller(finding)];
  },
};

function enrolUnlessMeshed(finding: Finding, mesh: MeshView): readonly Draft[] {
  const [flow] = finding.flows;
  return flow !== undefined && hasSidecar(callerPod(flow.record, mesh)) ? [] : enrolCaller(finding, mesh);
}

/**
 * Whose listener it was. The line has no cluster that would tell: what is left are the reporter, the pod behind the address
 * and, as sidecars are reached by pods, a caller from outside the private address ranges.
 */
function placeOf(record: LogRecord, mesh: MeshView): Place {
  if (record.reporter === 'gateway' || record.reporter === 'waypoint') return record.reporter;
  const local = localOf(record)?.host ?? '';
  const pod = mesh.podByIp(local);
  if (pod !== null) return isGateway(pod) ? 'gateway' : 'sidecar';
  if (mesh.serviceByIp(local) !== null) return 'waypoint';
  if (record.reporter === 'destination') return 'sidecar';
  const caller = record.kind === 'diagnostic' ? null : record.source.address;
  return isPrivateAddress(local) && caller !== null && !isPrivateAddress(caller) ? 'gateway' : null;
}

/** What makes a caller that has a sidecar speak otherwise than with mutual TLS; null: nothing that is known. */
function settingOf(record: LogRecord, mesh: MeshView): DestinationTls | null {
  const local = localOf(record);
  const pod = local === null ? null : mesh.podByIp(local.host);
  const caller = callerPod(record, mesh);
  if (pod === null || local?.port === undefined || local.port === null || !hasSidecar(caller)) return null;
  const setting = arrivedTls(pod, local.port, caller?.namespace ?? null, mesh);
  if (setting === null || setting.mode === 'ISTIO_MUTUAL') return null;
  const isPlaintext = envoyFacts(record)?.serverName === null;
  // TLS without SNI is rare, but a rule with SIMPLE sends none unless it is told one.
  return isPlaintext || setting.mode !== 'DISABLE' ? setting : null;
}

/** What else than a DestinationRule makes a caller that has a sidecar speak plaintext; null: nothing that is known. */
function ownSide(record: LogRecord, setting: DestinationTls | null, mesh: MeshView): OwnSide | null {
  return setting === null && envoyFacts(record)?.serverName === null ? ownSideOf(record, mesh) : null;
}

function causeAtCaller(setting: DestinationTls | null, own: OwnSide | null): string {
  if (setting !== null) return ` ${tlsName(setting)} makes the sidecar of the caller do so.`;
  return own === null ? '' : ` ${own.because}`;
}

function exceptionRemark(record: LogRecord, mesh: MeshView): string {
  const local = localOf(record);
  const pod = local === null ? null : mesh.podByIp(local.host);
  return pod === null || local?.port == null ? '' : missedException(pod, local.port, mesh);
}

/** The policies that have a say: what made the caller speak so, and what the workload wants. */
function policiesOf(
  category: Category,
  record: LogRecord,
  setting: DestinationTls | null,
  own: OwnSide | null,
  mesh: MeshView,
): readonly ObjectRef[] {
  if (category !== 'mutual-tls' || record.kind === 'diagnostic') return [];
  const decision = decideObserved(record, mesh);
  const wanting = decision?.stage === 'listener' ? decision.determining : [];
  return [...(setting === null ? (own?.policies ?? []) : [refOf(setting.rule)]), ...wanting];
}

function callerPod(record: LogRecord, mesh: MeshView): Pod | null {
  if (record.kind === 'diagnostic' || record.source.address === null || record.source.port === 0) return null;
  return mesh.podByIp(record.source.address);
}

function hasSidecar(pod: Pod | null): boolean {
  return pod?.dataplane === 'sidecar' || pod?.labels['security.istio.io/tlsMode'] === 'istio';
}

/** Labels of gateway pods, classic and of the Gateway API (istio manifests/charts/gateways, gateway-api controller). */
function isGateway({ labels }: Pod): boolean {
  return 'gateway.networking.k8s.io/gateway-name' in labels || /gateway$/.test(labels['istio'] ?? '');
}

/** A client that has a sidecar comes in plain text too, where a DestinationRule says so. */
/** For drafts at the caller only. */
function askForDestinationRules(draft: Draft): Draft {
  if (draft.kind === 'policy-change') return draft;
  const confirm = [...draft.commands.confirm, 'kubectl get destinationrules -A -o yaml'];
  return {
    ...draft,
    summary: `${draft.summary} If it has a sidecar: a DestinationRule turns mutual TLS off.`,
    commands: { ...draft.commands, confirm },
  };
}

function repairCaller(finding: Finding): Draft {
  return step(
    'investigate',
    'Find out why the sidecar of the caller passed TLS of the application on: a ServiceEntry or a Service port that is declared otherwise, or a call by address.',
    {
      confirm: [
        `istioctl proxy-config listener ${wordOr(finding.source.workload, 'POD')}.${wordOr(finding.source.namespace, 'NAMESPACE')}`,
        'kubectl get destinationrules -A -o yaml',
      ],
    },
  );
}

function atGateway(finding: Finding, record: LogRecord, mesh: MeshView): readonly Draft[] {
  const local = localOf(record);
  const pod = local === null ? null : mesh.podByIp(local.host);
  if (pod === null) return [repairListener(finding, record, mesh)];
  return hasSidecar(callerPod(record, mesh))
    ? [speakMutualTls()]
    : [serveOutsiders(pod, serversAt(local, mesh), mesh), ...enrolCaller(finding, mesh)];
}

function localOf(record: LogRecord): HostPort | null {
  return parseHostPort(envoyFacts(record)?.downstreamLocal ?? null);
}

function repairListener(finding: Finding, record: LogRecord | null, mesh: MeshView): Draft {
  const sni = record === null ? null : (envoyFacts(record)?.serverName ?? null);
  const hosts = record === null ? [] : serversAt(localOf(record), mesh).flatMap((server) => server.hosts);
  const near = sni === null ? [] : nearNames(sni, hosts);
  const meant = near.length === 0 ? '' : ` Perhaps ${near.join(' or ')} was meant.`;
  return step(
    'configuration',
    `Add the host name to a server of the Gateway, or let the client ask for one that is served.${meant}`,
    {
      confirm: [
        'kubectl get gateways.networking.istio.io -A -o yaml',
        'kubectl get gateways.gateway.networking.k8s.io -A -o yaml',
        `istioctl proxy-config listener ${wordOr(finding.destination.workload, 'POD')}.${wordOr(finding.destination.namespace, 'NAMESPACE')}`,
      ],
    },
  );
}
