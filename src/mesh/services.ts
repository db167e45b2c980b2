import type { KubeObject, Service } from '../model/mesh.ts';
import { listOf, recordOf, textMapOf, textOf, textsOf, valueAt } from '../text/untyped.ts';

/** Reads a Service. Untrusted; what has the wrong type counts as absent. Never throws. */
export function decodeService(object: KubeObject): Service {
  const { raw, metadata } = object;
  const spec = recordOf(raw['spec']);
  const selector = textMapOf(spec['selector']);
  return {
    name: metadata.name,
    namespace: metadata.namespace,
    hostname: `${metadata.name}.${metadata.namespace}.svc.cluster.local`,
    addresses: addressesOf(raw),
    selector: Object.keys(selector).length === 0 ? null : selector,
    labels: metadata.labels ?? {},
    ports: listOf(spec['ports']).flatMap((port) => portOf(recordOf(port))),
  };
}

/** Every address that reaches the Service; a headless one has none. */
function addressesOf(raw: Readonly<Record<string, unknown>>): readonly string[] {
  const spec = recordOf(raw['spec']);
  const ingress = listOf(valueAt(raw, 'status', 'loadBalancer', 'ingress')).map((entry) =>
    textOf(valueAt(entry, 'ip')),
  );
  const all = [
    textOf(spec['clusterIP']),
    ...textsOf(spec['clusterIPs']),
    ...textsOf(spec['externalIPs']),
    textOf(spec['loadBalancerIP']),
    ...ingress,
  ];
  return [...new Set(all.filter((address) => address !== null).filter((address) => address !== 'None'))];
}

function portOf(port: Readonly<Record<string, unknown>>): Service['ports'] {
  const number = port['port'];
  if (typeof number !== 'number') return [];
  const target = port['targetPort'];
  return [
    {
      name: textOf(port['name']),
      port: number,
      targetPort: typeof target === 'number' ? target : (targetPortOf(textOf(target)) ?? number),
      appProtocol: textOf(port['appProtocol']),
    },
  ];
}

/** A number that a template wrote as text is still a number; any other text is the name of a container port. */
function targetPortOf(text: string | null): number | string | null {
  return text !== null && /^\d{1,5}$/.test(text) ? Number(text) : text;
}

/**
 * Name and namespace of the Service that a host name stands for: `web.shop`, `web.shop.svc`, `web.shop.svc.cluster.local`
 * (any cluster domain), with or without a closing dot. Null: no such name.
 */
export function serviceNameOf(host: string): { readonly name: string; readonly namespace: string } | null {
  const [name, namespace, svc, ...domain] = host.toLowerCase().replace(/\.$/, '').split('.');
  if (name === undefined || namespace === undefined || name === '' || namespace === '') return null;
  if (svc === undefined) return { name, namespace };
  return svc === 'svc' && !domain.includes('') ? { name, namespace } : null;
}
