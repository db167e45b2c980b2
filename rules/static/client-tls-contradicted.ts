import type { KubeObject, MeshView, Service } from '../../src/model/mesh.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { statedMode } from '../../src/policy/survey/modes.ts';
import { podsWith } from '../../src/policy/survey/selection.ts';
import { changeDestinationTls } from '../../src/remedy/edits/destination-rule.ts';
import { nameOf } from '../../src/text/object-ref.ts';
import { remembered } from '../../src/text/remembered.ts';
import { listOf, textOf, valueAt } from '../../src/text/untyped.ts';

/** A DestinationRule tells callers to speak otherwise than the pods of the host understand. */
export const rule: StaticRule = {
  meta: {
    id: 'client-tls-contradicted',
    category: 'mutual-tls',
    level: 'error',
    title: 'A DestinationRule speaks TLS otherwise than its destination',
    page: {
      meaning:
        'The tls.mode of a DestinationRule overrides what the mesh would choose for each destination. DISABLE or SIMPLE towards pods that are STRICT is refused by them; ISTIO_MUTUAL towards pods without a proxy is answered by an application that does not understand it.',
      printedBy:
        'The sidecar of the caller: 503 UC, or UF with TLS_error WRONG_VERSION_NUMBER. A STRICT destination prints NR filter_chain_not_found.',
      confirm: ['kubectl get destinationrules -A -o yaml', 'kubectl get peerauthentications -A -o yaml'],
      change:
        'Take the tls block out, so that the mesh decides for each endpoint, or set the mode that the destination has.',
      never: 'Do not make the destination PERMISSIVE or take its sidecar away because one rule speaks wrongly.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/networking/core/cluster_tls.go',
      'istio 86c9f01f pilot/pkg/networking/core/backend_policies.go',
    ],
  },
  check: (mesh) =>
    mesh.objectsOf('DestinationRule').flatMap((object) =>
      tlsBlocksOf(object).flatMap(({ mode, at }): readonly StaticMatch[] => {
        const services = servicesOf(textOf(valueAt(object.raw, 'spec', 'host')) ?? '', object, mesh);
        const wrong = services.find((service) => contradicts(mode, service, mesh));
        if (wrong === undefined) return [];
        const meshed = mode !== 'ISTIO_MUTUAL';
        return [
          {
            object,
            at,
            certainty: 'likely',
            level: services.length > 1 ? 'warning' : 'error',
            cause: `DestinationRule ${nameOf(object.metadata)} has tls.mode ${mode} for ${wrong.hostname}, whose pods ${meshed ? 'demand mutual TLS (STRICT)' : 'have no proxy'}.`,
            drafts: services.length === 1 ? [changeDestinationTls({ rule: object, mode, at }, meshed)] : [],
          },
        ];
      }),
    ),
};

interface TlsBlock {
  readonly mode: string;
  readonly at: readonly (string | number)[];
}

function tlsBlocksOf({ raw }: KubeObject): readonly TlsBlock[] {
  const policy = ['spec', 'trafficPolicy'];
  const ports = listOf(valueAt(raw, ...policy, 'portLevelSettings')).map((_, index) => [
    ...policy,
    'portLevelSettings',
    index,
  ]);
  return [policy, ...ports].flatMap((at) => {
    const mode = textOf(valueAt(raw, ...at, 'tls', 'mode'));
    return mode === null ? [] : [{ mode, at: [...at, 'tls'] }];
  });
}

const servicesByHost = remembered(
  (mesh: MeshView): ReadonlyMap<string, Service> =>
    new Map(mesh.services.map((service) => [service.hostname, service])),
);

const byHostname = remembered((mesh: MeshView): readonly Service[] =>
  mesh.services.toSorted((one, other) => (one.hostname < other.hostname ? -1 : 1)),
);

/** The Services that a host stands for. A short name is of the rule's own namespace. */
function servicesOf(host: string, { metadata }: KubeObject, mesh: MeshView): readonly Service[] {
  if (host.startsWith('*')) return byHostname(mesh).filter(({ hostname }) => hostname.endsWith(host.slice(1)));
  const full = host.includes('.') ? host : `${host}.${metadata.namespace}`;
  const service = servicesByHost(mesh).get(full) ?? mesh.serviceByHost(full);
  return service === null || service === undefined ? [] : [service];
}

/** Only where all pods of the Service agree. Gateways are left out: their listeners do not follow PeerAuthentications. */
function contradicts(mode: string, { namespace, selector }: Service, mesh: MeshView): boolean {
  const pods = selector === null ? [] : podsWith(selector, namespace, mesh);
  if (pods.length === 0 || pods.some(({ labels }) => labels['istio'] !== undefined)) return false;
  if (mode === 'ISTIO_MUTUAL') return pods.every(({ dataplane, ips }) => dataplane === 'none' && ips.length > 0);
  if (mode !== 'DISABLE' && mode !== 'SIMPLE') return false;
  return pods.every((pod) => pod.dataplane === 'sidecar' && statedMode(pod, mesh) === 'STRICT');
}
