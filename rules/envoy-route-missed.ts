import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { requestName } from '../src/causes/envoy-record.ts';
import { routedHosts, routesFor, withoutPort } from '../src/causes/routed-hosts.ts';
import type { Finding, Match, Rule } from '../src/model/finding.ts';
import type { MeshView, ObjectRef } from '../src/model/mesh.ts';
import type { RequestRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';
import { nearNames } from '../src/text/near.ts';
import { refText } from '../src/text/object-ref.ts';
import { remembered } from '../src/text/remembered.ts';

/** No virtual host or no route matched. */
export const rule: Rule = {
  meta: {
    id: 'envoy-route-missed',
    category: 'routing',
    level: 'warning',
    title: 'No route fits the request',
    page: {
      meaning:
        'The listener was right, but no virtual host has the Host of the request, or no route of it matches path, method and headers. The caller gets 404 with an empty body (gRPC: status 12).',
      printedBy:
        "The proxy that routes: the sidecar of the caller, a gateway or a waypoint, with NR route_not_found. A 404 with an upstream host is the application's own.",
      confirm: [
        'istioctl proxy-config routes POD.NAMESPACE # confirmed if no DOMAINS has the host of the request',
        'kubectl get virtualservices,httproutes -A',
        'kubectl get gateways -A',
      ],
      change:
        'Correct the host or path of the caller, or add the host (with the port, if the client sends one) or the match to the VirtualService or HTTPRoute. At a gateway also look at the hosts of the Gateway.',
      never: 'Do not add a VirtualService for the host *: it captures the traffic of others. No policy needs a change.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc', 'istio/istio#57404'],
  },
  on: ['envoy/request'],
  match({ record }, mesh) {
    if (record.kind !== 'request' || envoyFailure(record)?.kind !== 'route') return null;
    return (
      asProxy(record) ?? {
        certainty: 'certain',
        cause: `Requests such as ${requestName(record)} from ${sourceName(record)} fit no route: ${whyMissed(record, mesh)}`,
        intended: 'unknown',
        // What may have been meant tells findings apart; hosts that nobody has are one.
        subject: meantBy(record.authority, hostsOf(mesh)),
        anyCaller: true,
      }
    );
  },
  propose(finding, mesh) {
    const [flow] = finding.flows;
    const host = flow?.record.kind === 'request' ? flow.record.authority : null;
    return [finding.category === 'client' ? correctCaller() : findRoute(finding, host, mesh)];
  },
};

/** HTTP/1 CONNECT is how clients speak to a forward proxy; only HBONE uses CONNECT in a mesh, over HTTP/2. */
function asProxy(record: RequestRecord): Match | null {
  if (record.method !== 'CONNECT' || record.protocol === 'HTTP/2') return null;
  return {
    certainty: 'likely',
    category: 'client',
    cause: `${sourceName(record)} sent CONNECT ${record.authority ?? ''} as if this proxy were a forward proxy. It is none.`,
    subject: ['CONNECT'],
    anyCaller: true,
  };
}

function correctCaller(): Draft {
  return step(
    'investigate',
    'Take the proxy setting (HTTPS_PROXY) out of the caller, or point it at a real forward proxy.',
  );
}

const hostsOf = remembered(routedHosts);

/** Compared with the hosts that routes of the mesh have. */
function whyMissed({ authority }: RequestRecord, mesh: MeshView): string {
  const routed = hostsOf(mesh);
  const serving = authority === null ? [] : routesFor(authority, routed);
  if (serving.length > 0) {
    return `${serving.map(refText).join(' and ')} has this Host, so no match of it fits path, method and headers, or it is for another gateway.`;
  }
  const near = nearHosts(authority, routed);
  if (near.length > 0) return `none has this Host, but one has ${near.join(', ')}.`;
  return routed.size > 0 && authority !== null
    ? 'none of the mesh given has this Host.'
    : 'no virtual host has this Host, or no match of it this path, method and headers.';
}

/** Hosts that routes have and that are spelt nearly alike. */
function nearHosts(host: string | null, routed: ReadonlyMap<string, ObjectRef>): readonly string[] {
  return host === null ? [] : nearNames(withoutPort(host), routed.keys());
}

function meantBy(host: string | null, routed: ReadonlyMap<string, ObjectRef>): readonly string[] {
  const serving = host === null ? [] : routesFor(host, routed);
  return serving.length > 0 ? serving.map(refText) : nearHosts(host, routed);
}

function findRoute(finding: Finding, host: string | null, mesh: MeshView): Draft {
  const pod = `${wordOr(finding.destination.workload, 'POD')}.${wordOr(finding.destination.namespace, 'NAMESPACE')}`;
  const routed = hostsOf(mesh);
  const near = host !== null && routesFor(host, routed).length > 0 ? [] : nearHosts(host, routed);
  return step('configuration', repairOf(host, near, routed), {
    confirm: [
      `istioctl proxy-config routes ${pod}`,
      `kubectl get virtualservices,httproutes -A -o yaml | grep -F ${wordOr(near[0] ?? host ?? finding.destination.service, 'HOST')}`,
      ...(isKserve(mesh) ? ['kubectl get inferenceservices -A'] : []),
    ],
  });
}

function repairOf(host: string | null, near: readonly string[], routed: ReadonlyMap<string, ObjectRef>): string {
  if (near.length > 0 && host !== null) {
    const names = near.map((name) => `${name}${ownerOf(name, routed)}`).join(' or ');
    return `See whether ${names} was meant instead of ${withoutPort(host)}, and correct the host that the caller asks for. No route and no policy needs a change then.`;
  }
  if (host !== null && CLUSTER_HOST.test(host)) {
    return `Let the caller ask for a public host: ${withoutPort(host)} is a name for calls within the cluster. With Knative the domain stands in ConfigMap config-domain of knative-serving.`;
  }
  return 'Correct the host or path of the caller, or add it to the VirtualService or HTTPRoute that should serve it.';
}

/** Names that only clients within the cluster can look up. */
const CLUSTER_HOST = /\.svc(?:\.cluster\.local)?(?::\d+)?$/;

function ownerOf(host: string, routed: ReadonlyMap<string, ObjectRef>): string {
  const owner = routed.get(host);
  return owner === undefined ? '' : ` (${refText(owner)})`;
}

/** KServe and Knative tell the host of a model in the status of its InferenceService. */
function isKserve(mesh: MeshView): boolean {
  return mesh.pods.some(({ labels }) => labels['serving.kserve.io/inferenceservice'] !== undefined);
}
