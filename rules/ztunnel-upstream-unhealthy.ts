import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { LogRecord } from '../src/model/record.ts';
import { enginesOf } from '../src/policy/way/compiled.ts';
import { endpointsOf } from '../src/policy/way/endpoints.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { parseHostPort } from '../src/text/address.ts';
import { sourceName } from '../src/text/ends.ts';
import { workloadOf } from '../src/text/workload.ts';

/** The Service is known, but has no endpoint for this port. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-upstream-unhealthy',
    category: 'upstream',
    level: 'error',
    title: 'The Service had no usable endpoint',
    page: {
      meaning:
        'ztunnel knows the Service that was called but has no endpoint it could use: no pod is Ready, the Service does not have that port, targetPort names a container port that does not exist, or all endpoints are in places that are ruled out.',
      printedBy:
        'The ztunnel on the node of the caller ("connection failed", with the address and port of the Service).',
      confirm: [
        'kubectl get services -A -o wide | grep DESTINATION_ADDRESS',
        'kubectl -n DESTINATION_NAMESPACE get endpointslices -l kubernetes.io/service-name=SERVICE',
        'kubectl -n DESTINATION_NAMESPACE get pods -o wide',
      ],
      change:
        'Make pods Ready, or correct the port that the caller uses, the ports of the Service, its selector or targetPort.',
      never: 'Do not change AuthorizationPolicy or PeerAuthentication: nothing was denied, nothing was even called.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs', 'istio/ztunnel#1137'],
  },
  on: ['ztunnel/connection'],
  match(flow, mesh) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'upstream-unhealthy') return null;
    const [target = ''] = error.values;
    const found = endpointsAt(target, mesh);
    const why = found === null || found.because === '' ? REASONS[found?.lack ?? 'unknown'] : found.because;
    return {
      certainty: 'certain',
      cause: `${callerName(flow.record, mesh)} called ${target}: ${why}.`,
      unchecked:
        found?.lack === 'outdated'
          ? ['Why ztunnel knew no endpoint: the objects given have one, so they are newer or older than the log.']
          : [],
      subject: [target],
    } satisfies Match;
  },
  propose(finding, mesh) {
    const namespace = wordOr(finding.destination.namespace, 'DESTINATION_NAMESPACE');
    const error = finding.flows[0] === undefined ? null : ztunnelErrorOf(finding.flows[0].record);
    const lack = endpointsAt(error?.values[0] ?? '', mesh)?.lack ?? 'unknown';
    return [
      step('configuration', STEPS[lack], {
        confirm: [
          `kubectl get services -A -o wide | grep -F ${wordOr(finding.destination.address, 'DESTINATION_ADDRESS')}`,
          `kubectl -n ${namespace} get services,endpointslices -o wide`,
          `kubectl -n ${namespace} get pods -o wide`,
        ],
      }),
    ];
  },
};

/** What is missing, as far as the mesh tells. `outdated`: nothing is, by the objects given. */
type Lack = 'port' | 'pod' | 'outdated' | 'unknown';

const REASONS: Readonly<Record<Lack, string>> = {
  port: 'its Service does not have that port',
  pod: 'its Service has no usable endpoint',
  outdated: 'its Service had no usable endpoint on that port',
  unknown: 'there is no usable endpoint on that port: no Ready pod, or the Service lacks the port',
};

const STEPS: Readonly<Record<Lack, string>> = {
  port: 'Correct the port that the caller uses, or add it to the ports of the Service.',
  pod: 'Give the Service a Ready pod that it selects and that has the targetPort.',
  outdated: 'See whether the Service has a Ready endpoint for that port now.',
  unknown: 'Give the Service a Ready endpoint for that port, or correct the port that is called.',
};

interface Found {
  readonly lack: Lack;
  /** Empty where the mesh says no more. */
  readonly because: string;
}

/** What the mesh knows of the Service at an address and port; null: it is not known. */
function endpointsAt(target: string, mesh: MeshView): Found | null {
  const { host, port } = parseHostPort(target) ?? { host: '', port: null };
  const service = mesh.serviceByIp(host);
  if (service === null || port === null) return null;
  const found = endpointsOf(service, port, enginesOf(mesh));
  if (!service.ports.some((entry) => entry.port === port)) {
    return { lack: 'port', because: found.kind === 'none' ? found.because : '' };
  }
  if (found.kind === 'endpoints') return { lack: 'outdated', because: '' };
  return { lack: found.kind === 'none' ? 'pod' : 'unknown', because: found.because };
}

/** The line has the address of the caller only; the mesh knows its workload. */
function callerName(record: LogRecord, mesh: MeshView): string {
  const address = record.kind === 'diagnostic' || record.source.workload !== null ? null : record.source.address;
  const pod = address === null ? null : mesh.podByIp(address);
  return pod === null ? sourceName(record) : `${pod.namespace}/${workloadOf(pod.name)}`;
}
