import type { Instant } from './line.ts';

/** Names one Kubernetes object. `namespace` is empty for cluster-scoped kinds. */
export interface ObjectRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Any Kubernetes object as read. Untrusted: use `src/policy/decode` to look inside a spec. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>> | null;
    readonly annotations: Readonly<Record<string, string>> | null;
    readonly creationTimestamp: string | null;
  };
  /** The object as it was read, for edits and output. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** Where it was read: path of the file and number of the document in it (from 0). */
  readonly source: { readonly file: string; readonly document: number };
}

/** A pod. Ports are the container's. */
export interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly ips: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly node: string | null;
  readonly hostNetwork: boolean;
  /** How the pod takes part in the mesh, as far as labels, annotations and containers show. */
  readonly dataplane: 'ambient' | 'sidecar' | 'none' | 'unknown';
  readonly ports: readonly { readonly name: string | null; readonly port: number }[];
}

/** A Service. */
export interface Service {
  readonly name: string;
  readonly namespace: string;
  /** `name.namespace.svc.cluster.local`. */
  readonly hostname: string;
  readonly addresses: readonly string[];
  readonly selector: Readonly<Record<string, string>> | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly {
    readonly name: string | null;
    readonly port: number;
    /** Number, or name of a container port. */
    readonly targetPort: number | string;
    /** `appProtocol`, else null. */
    readonly appProtocol: string | null;
  }[];
}

/** A namespace. */
export interface Namespace {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What is known of the mesh beside the logs. Built once by `src/mesh`, then read only. */
export interface MeshView {
  /** False: no `--mesh` was given; all lists are empty and nothing may be concluded from that. */
  readonly known: boolean;
  /** Paths that were read. */
  readonly sources: readonly string[];
  /** Newest time found in the objects (managedFields, List metadata), null if none tells. */
  readonly takenAt: Instant | null;
  readonly rootNamespace: string;
  readonly trustDomain: string;
  readonly trustDomainAliases: readonly string[];
  /** Istio release as `1.27`, null if unknown. */
  readonly istioVersion: string | null;
  /** MeshConfig as written (untrusted), for what stands in no field above; null: it is not among the objects. */
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly namespaces: readonly Namespace[];
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  /** `namespace/name` of every service account seen. */
  readonly serviceAccounts: ReadonlySet<string>;
  /** All objects that decide about traffic, by kind: AuthorizationPolicy, PeerAuthentication, NetworkPolicy, … */
  readonly objects: readonly KubeObject[];
  /** The text of a file that objects were read from, character by character; null: not kept (too long, no plain UTF-8, stdin). */
  sourceText(file: string): string | null;

  /** The pod with this address; null: none, or several claim it (host network). */
  podByIp(ip: string): Pod | null;
  podByName(namespace: string, name: string): Pod | null;
  serviceByIp(ip: string): Service | null;
  /** By `name.namespace`, `name.namespace.svc`, or full host name. */
  serviceByHost(host: string): Service | null;
  /** All objects of a kind, in one namespace if given. */
  objectsOf(kind: string, namespace?: string): readonly KubeObject[];
  /** The object with this name, or null. */
  object(ref: ObjectRef): KubeObject | null;
}
