import type { KubeObject, MeshView } from '../model/mesh.ts';
import { hasLabels } from '../text/labels.ts';
import { listOf, textMapOf, textOf, valueAt } from '../text/untyped.ts';

/** A Gateway one of whose servers names a Secret. */
interface NamingGateway {
  readonly gateway: KubeObject;
  /** Which server, as a sentence. Untrusted text. */
  readonly said: string;
  /** Where the pods of the gateway are; null: none are known. */
  readonly podNamespace: string | null;
}

/** The Gateways (of Istio and of the Gateway API) that take a certificate from Secrets of this name; at most three. */
export function gatewaysNaming(secret: string, mesh: MeshView): readonly NamingGateway[] {
  return mesh
    .objectsOf('Gateway')
    .flatMap((gateway) => {
      const port = portNaming(gateway, secret);
      if (port === undefined) return [];
      const { namespace, name } = gateway.metadata;
      const said = `The server for port ${port} of Gateway ${namespace}/${name} names it.`;
      return [{ gateway, said, podNamespace: podNamespaceOf(gateway, mesh) }];
    })
    .slice(0, 3);
}

function portNaming({ raw }: KubeObject, secret: string): unknown {
  const server = listOf(valueAt(raw, 'spec', 'servers')).find((entry) => {
    const named = textOf(valueAt(entry, 'tls', 'credentialName'));
    return named === secret || named?.endsWith(`/${secret}`) === true;
  });
  const listener = listOf(valueAt(raw, 'spec', 'listeners')).find((entry) =>
    listOf(valueAt(entry, 'tls', 'certificateRefs')).some((ref) => valueAt(ref, 'name') === secret),
  );
  return valueAt(server, 'port', 'number') ?? valueAt(listener, 'port');
}

/** Gateways of the Gateway API have their pods beside them. */
function podNamespaceOf({ raw, metadata }: KubeObject, mesh: MeshView): string | null {
  const selector = textMapOf(valueAt(raw, 'spec', 'selector'));
  if (Object.keys(selector).length === 0) return metadata.namespace;
  return mesh.pods.find(({ labels }) => hasLabels(labels, selector))?.namespace ?? null;
}
