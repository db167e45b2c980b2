import fc from 'fast-check';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import { naiveDecide, naiveStrict } from './naive-envoy.ts';
import {
  authorizations,
  bySelector,
  type Call,
  identityOfPod,
  namespaceObjects,
  peerAuthentications,
  peersOf,
  podObject,
  podOf,
  policiesAtSidecar,
  ROOT,
  serviceIp,
  serviceObject,
  spaceOf,
  split,
  TRUST_DOMAIN,
  type World,
} from './random-world.ts';

/** Pods of `legacy` are outside the mesh; both, so that who enrols one for another can be seen. */
const CALLERS = ['shop/web', 'shop/cart', 'ops/monitor', 'legacy/cron', 'legacy/job', 'pay/api', 'shop/default'];
const DESTINATIONS = ['pay/api', 'pay/ledger', 'legacy/job'];
const PLACES: readonly string[] = [...new Set([...CALLERS, ...DESTINATIONS])];

/** A request as an Envoy gets it, with everything known. */
export function envoyRequest(call: Call, identity: string | null, ip: string): Parameters<typeof naiveDecide>[1] {
  const { request, port, destination } = call;
  const [namespace, name] = split(destination);
  return {
    tcp: request === null,
    identity,
    ip,
    port,
    sni: '',
    method: request?.method ?? '',
    host: `${name}.${namespace}:${port}`,
    path: request?.path ?? '',
    headers: request === null || request.tier === null ? [] : [['x-tier', request.tier]],
    claims: null,
  };
}

/** Why a call is refused, as Envoy words it; null: it is not. */
function refusal(mesh: MeshView, call: Call): string | null {
  const [from, to] = [podOf(mesh, call.caller), podOf(mesh, call.destination)];
  if (to.dataplane === 'none') return null;
  const identity = identityOfPod(from);
  if (identity === null && naiveStrict(peersOf(mesh), to, call.port, ROOT)) return 'filter_chain_not_found';
  const text = naiveDecide(policiesAtSidecar(mesh, to), envoyRequest(call, identity, from.ips[0] ?? ''), {
    trustDomains: [TRUST_DOMAIN],
  });
  return text === null ? null : `rbac_access_denied_matched_policy[${text}]`;
}

/** The line of the caller's sidecar; none where there is none. */
function outboundLine(mesh: MeshView, call: Call): string | null {
  const { caller, destination, port, request } = call;
  const [from, to] = [podOf(mesh, caller), podOf(mesh, destination)];
  if (from.dataplane === 'none') return null;
  const [namespace, name] = split(destination);
  const ends = `${from.ips[0]}:51614 ${serviceIp(PLACES.indexOf(destination))}:${port} ${from.ips[0]}:34909 -`;
  const upstream = `"${to.ips[0]}:${port}" outbound|${port}||${name}.${namespace}.svc.cluster.local`;
  const time = '[2026-01-02T03:04:05.000Z]';
  if (request === null) return `${time} "- - -" 0 - - - "-" 11 11 2 - "-" "-" "-" "-" ${upstream} ${ends} -`;
  const asked = `"-" "curl/8.5.0" "60440eee-881d-4c1e-9b7a-a1b200003465" "${name}.${namespace}:${port}"`;
  return `${time} "${request.method} ${request.path} HTTP/1.1" 200 - via_upstream - "-" 0 2 4 3 ${asked} ${upstream} ${ends} default`;
}

/** The line of the destination's sidecar, in Istio's default format; where there is none, of the caller's. */
function logLine(mesh: MeshView, call: Call): string | null {
  const { caller, destination, port, request } = call;
  const [from, to] = [podOf(mesh, caller), podOf(mesh, destination)];
  if (to.dataplane === 'none') return outboundLine(mesh, call);
  const [[namespace, name], why] = [split(destination), refusal(mesh, call)];
  const local = `${to.ips[0]}:${port}`;
  const sni = identityOfPod(from) === null ? '-' : `outbound_.${port}_._.${name}.${namespace}.svc.cluster.local`;
  const ends = `${local} ${from.ips[0]}:40000 ${sni}`;
  const time = '[2026-01-02T03:04:05.000Z]';
  if (why === 'filter_chain_not_found') {
    return `${time} "- - -" 0 NR ${why} - "-" 0 0 0 - "-" "-" "-" "-" "-" - - ${ends} -`;
  }
  const upstream = `inbound|${port}|| 127.0.0.6:41716`;
  if (request === null) {
    return `${time} "- - -" 0 - - ${why ?? '-'} "-" 11 ${why === null ? 11 : 0} 1 - "-" "-" "-" "-" "${local}" ${upstream} ${ends} -`;
  }
  const { method, path } = request;
  const asked = `"-" "curl/8.5.0" "60440eee-881d-4c1e-9b7a-a1b200003465" "${name}.${namespace}:${port}"`;
  const answer = why === null ? '200 - via_upstream - "-" 0 2 0 0' : `403 - ${why} - "-" 0 19 0 -`;
  const reached = why === null ? `"${local}" ${upstream}` : `"-" inbound|${port}|| -`;
  return `${time} "${method} ${path} HTTP/1.1" ${answer} ${asked} ${reached} ${ends} default`;
}

function meshOf(policies: readonly unknown[]): MeshView {
  const injected = { 'istio-injection': 'enabled' };
  const sidecar = {
    labels: { 'security.istio.io/tlsMode': 'istio' },
    annotations: { 'sidecar.istio.io/status': '{}' },
  };
  return createMesh([
    ...namespaceObjects({ shop: injected, ops: injected, pay: injected, legacy: {} }),
    ...PLACES.map((place, index) => podObject(place, index, place.startsWith('legacy/') ? {} : sidecar)),
    ...PLACES.map(serviceObject),
    ...policies,
  ]);
}

/** Pods with sidecars, some without, with policies at the sidecars. */
export const sidecarWorld: World = {
  space: spaceOf(CALLERS, DESTINATIONS, [false]),
  policies: fc
    .tuple(authorizations('p', CALLERS, bySelector, { minLength: 1, maxLength: 4 }), peerAuthentications)
    .map((parts) => parts.flat()),
  meshOf,
  verdict: (mesh, call) => (refusal(mesh, call) === null ? 'allow' : 'deny'),
  seen: (mesh, call) => (refusal(mesh, call) === null ? 'allow' : 'deny'),
  logLine,
  destinationsOf: ({ destination }) => [destination],
};
