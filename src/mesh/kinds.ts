/** Kinds that a view indexes: a change of these makes a new one. */
export const INDEXED_KINDS: ReadonlySet<string> = new Set(['Pod', 'Service', 'Namespace']);

/** Kinds that admit or refuse callers. They act on workloads of their own namespace, or of all from the root namespace. */
export const POLICY_KINDS: ReadonlySet<string> = new Set([
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'NetworkPolicy',
]);

/** Kinds that live in no namespace, as far as they turn up in dumps of a mesh. */
const CLUSTER_SCOPED: ReadonlySet<string> = new Set([
  'APIService',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
  'CSIDriver',
  'CSINode',
  'CertificateSigningRequest',
  'CiliumClusterwideNetworkPolicy',
  'ClusterIssuer',
  'ClusterRole',
  'ClusterRoleBinding',
  'ClusterTrustBundle',
  'CustomResourceDefinition',
  'GatewayClass',
  'GlobalNetworkPolicy',
  'IngressClass',
  'IstioCNI',
  'Istio',
  'MutatingWebhookConfiguration',
  'Namespace',
  'Node',
  'PersistentVolume',
  'PriorityClass',
  'RuntimeClass',
  'StorageClass',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
  'ZTunnel',
]);

/** True for a kind whose objects have no namespace. */
export function isClusterScoped(kind: string): boolean {
  return CLUSTER_SCOPED.has(kind);
}

/** The API groups in which a kind means what this program takes it for; others use the same name for another thing. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  AuthorizationPolicy: ['security.istio.io'],
  PeerAuthentication: ['security.istio.io'],
  RequestAuthentication: ['security.istio.io'],
  NetworkPolicy: ['networking.k8s.io', 'extensions'],
  DestinationRule: ['networking.istio.io'],
  VirtualService: ['networking.istio.io'],
  ServiceEntry: ['networking.istio.io'],
  Sidecar: ['networking.istio.io'],
  Namespace: [''],
  Pod: [''],
  Service: [''],
  ServiceAccount: [''],
  ConfigMap: [''],
};

/** The API group of an apiVersion: `networking.k8s.io` of `networking.k8s.io/v1`, '' of `v1` and of none. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

/**
 * False for an object that only shares its kind's name: a Knative Service, a Calico NetworkPolicy. An object without
 * apiVersion gets the benefit of the doubt.
 */
export function isOwnKind(kind: string, apiVersion: string): boolean {
  const groups = Object.hasOwn(GROUPS, kind) ? GROUPS[kind] : undefined;
  return groups === undefined || apiVersion === '' || groups.includes(groupOf(apiVersion));
}
