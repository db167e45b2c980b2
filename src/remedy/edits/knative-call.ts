import type { Finding } from '../../model/finding.ts';
import type { MeshView, Pod } from '../../model/mesh.ts';
import { type DiagnosticRecord, type RequestRecord, UNKNOWN_ENVOY, UNKNOWN_PEER } from '../../model/record.ts';
import { type KnativeCallText, parseKnativeCall } from '../../text/knative-line.ts';
import { hasLabels } from '../../text/labels.ts';
import { identityOf, principalOf } from '../../text/spiffe.ts';
import type { Called } from './own-side.ts';

/** Who called a revision, and the Service that it called. */
export interface KnativeCall {
  readonly caller: Pod;
  readonly called: Called;
}

/**
 * The call that a line of Knative tells of: from the pod that the line or its wrapping names, else from one of the component
 * that spoke, which carries its name as label `app`. Null: line and mesh do not tell.
 */
export function knativeCallOf(record: DiagnosticRecord, mesh: MeshView): KnativeCall | null {
  const text = readCall(record);
  const service = text === null ? null : (mesh.serviceByHost(text.host) ?? mesh.serviceByIp(text.host));
  const caller = text === null ? null : callerOf(record, text, mesh);
  return text === null || service === null || caller === null ? null : { caller, called: { service, port: text.port } };
}

/**
 * The request that such a line tells of, as the sidecar of the revision would have written it down: with the identity of the
 * caller, who proved it if it has a proxy. Null: line and mesh do not tell.
 */
export function knativeRequest(record: DiagnosticRecord, mesh: MeshView): RequestRecord | null {
  const text = readCall(record);
  const caller = text === null ? null : callerOf(record, text, mesh);
  const called = text === null ? null : podCalled(text, mesh);
  if (text === null || caller === null || called === null) return null;
  const { at, parser, origin, time, raw } = record;
  const { namespace, serviceAccount, dataplane } = caller;
  const isInMesh = dataplane === 'sidecar' || dataplane === 'ambient';
  return {
    kind: 'request',
    at,
    parser,
    proxy: 'envoy',
    reporter: 'destination',
    origin,
    time,
    raw,
    source: {
      ...UNKNOWN_PEER,
      address: caller.ips[0] ?? null,
      workload: caller.name,
      namespace,
      identity: isInMesh ? identityOf(mesh.trustDomain, namespace, serviceAccount) : null,
    },
    destination: {
      ...UNKNOWN_PEER,
      address: called.pod.ips[0] ?? null,
      port: called.port,
      workload: called.pod.name,
      namespace: called.pod.namespace,
    },
    service: null,
    method: 'GET',
    path: text.path,
    authority: null,
    protocol: 'HTTP/1.1',
    status: null,
    bytesSent: null,
    bytesReceived: null,
    durationMs: null,
    envoy: UNKNOWN_ENVOY,
  };
}

/** A finding on such lines as one on the requests they tell of; null: they and the mesh do not tell who called whom. */
export function asKnativeRequests(finding: Finding, mesh: MeshView): Finding | null {
  const flows = finding.flows.flatMap((flow) => {
    const record = flow.record.kind === 'diagnostic' ? knativeRequest(flow.record, mesh) : null;
    return record === null ? [] : [{ ...flow, record }];
  });
  const [first] = flows;
  if (first === undefined) return null;
  const { source, destination } = first.record;
  return {
    ...finding,
    flows,
    enforcedBy: 'sidecar',
    source: {
      ...finding.source,
      identity: source.identity,
      principal: source.identity === null ? null : principalOf(source.identity),
      addresses: source.address === null ? [] : [source.address],
    },
    destination: { ...finding.destination, address: destination.address, port: destination.port },
  };
}

function readCall({ scope, message, fields }: DiagnosticRecord): KnativeCallText | null {
  return parseKnativeCall(scope, message, fields);
}

function callerOf({ origin }: DiagnosticRecord, { component, pod }: KnativeCallText, mesh: MeshView): Pod | null {
  const namespace = origin.namespace ?? 'knative-serving';
  const name = pod ?? origin.pod;
  const named = name === null ? null : mesh.podByName(namespace, name);
  return named ?? mesh.pods.find((other) => other.namespace === namespace && other.labels['app'] === component) ?? null;
}

/** The pod that was called, or one that the Service leads to, and its port. */
function podCalled(
  { host, port }: KnativeCallText,
  mesh: MeshView,
): { readonly pod: Pod; readonly port: number } | null {
  const pod = mesh.podByIp(host);
  if (pod !== null) return { pod, port };
  const service = mesh.serviceByHost(host) ?? mesh.serviceByIp(host);
  const selector = service?.selector ?? null;
  if (service === null || selector === null) return null;
  const behind = mesh.pods.find((other) => other.namespace === service.namespace && hasLabels(other.labels, selector));
  const target = service.ports.find((entry) => entry.port === port)?.targetPort ?? port;
  const number = typeof target === 'number' ? target : behind?.ports.find(({ name }) => name === target)?.port;
  return behind === undefined || number === undefined ? null : { pod: behind, port: number };
}
