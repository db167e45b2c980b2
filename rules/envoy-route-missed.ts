import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { requestName } from '../src/causes/envoy-record.ts';
import type { Finding, Match, Rule } from '../src/model/finding.ts';
import type { RequestRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';

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
        'istioctl proxy-config routes POD.NAMESPACE',
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
  match({ record }) {
    if (record.kind !== 'request' || envoyFailure(record)?.kind !== 'route') return null;
    return (
      asProxy(record) ?? {
        certainty: 'certain',
        cause: `Requests such as ${requestName(record)} from ${sourceName(record)} fit no route: no virtual host has this Host, or no match of it this path, method and headers.`,
        intended: 'unknown',
        anyCaller: true,
      }
    );
  },
  propose(finding) {
    return [finding.category === 'client' ? correctCaller() : findRoute(finding)];
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

function findRoute(finding: Finding): Draft {
  const pod = `${wordOr(finding.destination.workload, 'POD')}.${wordOr(finding.destination.namespace, 'NAMESPACE')}`;
  return step(
    'configuration',
    'Correct the host or path of the caller, or add it to the VirtualService or HTTPRoute that should serve it.',
    {
      confirm: [
        `istioctl proxy-config routes ${pod}`,
        `kubectl get virtualservices,httproutes -A -o yaml | grep -F ${wordOr(finding.destination.service, 'HOST')}`,
      ],
    },
  );
}
