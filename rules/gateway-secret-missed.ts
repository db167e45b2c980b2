import { gatewaysNaming } from '../src/causes/gateway-credential.ts';
import { readSecretFailure, type SecretFailure } from '../src/causes/gateway-secret.ts';
import type { Rule } from '../src/model/finding.ts';
import type { KubeObject, MeshView } from '../src/model/mesh.ts';
import type { LogRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** A gateway asked for the Secret of a server's certificate, and there is none, or none that serves. */
export const rule: Rule = {
  meta: {
    id: 'gateway-secret-missed',
    category: 'identity',
    level: 'error',
    title: 'A gateway has no certificate: its Secret was not found',
    page: {
      meaning:
        'A server of a Gateway names a Secret (credentialName, or certificateRefs in the Gateway API), and istiod cannot give it to the gateway. It is looked for in the namespace of the pods of the gateway only, whatever namespace the Gateway object or the application is in. Until it is there the listener has no certificate, and every TLS handshake with it is cut off.',
      printedBy:
        'istiod, as a warning of ads when it answers the gateway. Clients see a reset of the handshake; the gateway has a line with "Secret is not supplied by SDS" at best.',
      confirm: [
        'kubectl get secrets -A --field-selector metadata.name=SECRET # confirmed if it is in another namespace than the gateway',
        'kubectl get gateways.networking.istio.io -A -o yaml',
        'istioctl proxy-config secret deploy/GATEWAY -n GATEWAY_NAMESPACE',
      ],
      change:
        'Create the Secret in the namespace of the pods of the gateway, of type kubernetes.io/tls with tls.crt and tls.key (and ca.crt where clients are checked); with cert-manager, a Certificate in that namespace. In the Gateway API a ReferenceGrant lets a Gateway use a Secret of another namespace.',
      never:
        'Do not turn the server to plain HTTP, nor to ISTIO_MUTUAL where clients come from outside of the mesh. Do not turn verification off at the client.',
    },
    cites: ['istio 86c9f01f pilot/pkg/xds/sds.go', 'istio 86c9f01f pilot/pkg/credentials/kube/secrets.go'],
  },
  on: ['istiod/diagnostic', 'istio-agent/diagnostic', 'envoy/diagnostic'],
  match({ record }, mesh) {
    const failure = secretOf(record, mesh);
    if (failure === null) return null;
    const gateways = gatewaysNaming(failure.name, mesh);
    return {
      certainty: record.proxy === 'envoy' ? 'likely' : 'certain',
      cause: [lookedFor(failure), ...gateways.map(({ said }) => said), elsewhere(failure, mesh)]
        .filter((part) => part !== '')
        .join(' '),
      policies: gateways.map(({ gateway }) => ({
        kind: 'Gateway',
        namespace: gateway.metadata.namespace,
        name: gateway.metadata.name,
      })),
      enforcedBy: 'gateway',
      intended: 'no',
      // The two sides tell of one Secret: Envoy's does not know the namespace.
      subject: [failure.name, failure.kind],
    };
  },
  propose(finding, mesh) {
    const [flow] = finding.flows;
    const failure = flow === undefined ? null : secretOf(flow.record, mesh);
    return failure === null ? [] : [supply(failure, mesh)];
  },
};

/** Envoy's side does not know the namespace: then it is that of the pods of a gateway that names the Secret. */
function secretOf(record: LogRecord, mesh: MeshView): SecretFailure | null {
  const failure = record.kind === 'diagnostic' ? readSecretFailure(record.message) : null;
  if (failure === null || failure.namespace !== null) return failure;
  return { ...failure, namespace: gatewaysNaming(failure.name, mesh)[0]?.podNamespace ?? null };
}

function lookedFor({ kind, namespace, name, forClients }: SecretFailure): string {
  const what = forClients ? 'the certificates by which clients are checked' : 'key and certificate';
  const secret = namespace === null ? name : `${namespace}/${name}`;
  if (kind === 'keys') return `Secret ${secret} lacks ${what} for the gateway, or they are empty.`;
  if (kind === 'forbidden')
    return `The gateway may not have Secret ${name}: it is in another namespace than its pods${namespace === null ? '' : ` (${namespace})`}, and no ReferenceGrant allows that.`;
  return `There is no Secret ${secret}${namespace === null ? ' in the namespace of the gateway' : ''}, from which the gateway should get ${what}.`;
}

/** Secrets of that name in other namespaces. */
function elsewhere(failure: SecretFailure, mesh: MeshView): string {
  const places = namesakes(failure, mesh).map(({ metadata }) => metadata.namespace);
  if (failure.kind !== 'absent' || places.length === 0) return '';
  return `A Secret of that name is in ${places.join(', ')}, where it is not looked for: only the namespace of the pods of the gateway counts.`;
}

function namesakes({ name, namespace }: SecretFailure, mesh: MeshView): readonly KubeObject[] {
  return mesh
    .objectsOf('Secret')
    .filter(({ metadata }) => metadata.name === name && metadata.namespace !== namespace)
    .slice(0, 5);
}

function supply(failure: SecretFailure, mesh: MeshView): Draft {
  const { name, namespace, kind, forClients } = failure;
  const place = wordOr(namespace, 'GATEWAY_NAMESPACE');
  const keys = forClients ? 'ca.crt' : 'tls.crt and tls.key';
  const what = forClients ? 'with key ca.crt' : `type kubernetes.io/tls with ${keys}`;
  const hosts = gatewaysNaming(name, mesh).length > 0 ? 'the hosts of that server' : 'its hosts';
  return step(
    'configuration',
    kind === 'keys'
      ? `Put ${keys} into Secret ${namespace ?? 'GATEWAY_NAMESPACE'}/${name}.`
      : `Create Secret ${namespace ?? 'GATEWAY_NAMESPACE'}/${name} (${what}), where the pods of the gateway are; with cert-manager, a Certificate there with ${hosts} as dnsNames.`,
    {
      risk: 'Whoever may read Secrets of that namespace can then read the private key.',
      confirm: [
        `kubectl get secrets -A --field-selector metadata.name=${wordOr(name, 'SECRET')}`,
        'kubectl get gateways.networking.istio.io -A -o yaml',
      ],
      apply:
        kind === 'keys' || forClients
          ? []
          : [`kubectl -n ${place} create secret tls ${wordOr(name, 'SECRET')} --cert=TLS_CRT_FILE --key=TLS_KEY_FILE`],
      verify: [`istioctl proxy-config secret deploy/GATEWAY -n ${place} | grep -F ${wordOr(name, 'SECRET')}`],
    },
  );
}
