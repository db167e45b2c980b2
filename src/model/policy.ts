import type { NearMiss } from './finding.ts';
import type { ObjectRef } from './mesh.ts';

/** A condition of a rule: `key` with accepted and refused values. */
export interface Condition {
  readonly key: string;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
}

/** `from[].source` of an AuthorizationPolicy. An empty list is an absent field. */
export interface PolicySource {
  readonly principals: readonly string[];
  readonly notPrincipals: readonly string[];
  readonly requestPrincipals: readonly string[];
  readonly notRequestPrincipals: readonly string[];
  readonly namespaces: readonly string[];
  readonly notNamespaces: readonly string[];
  readonly serviceAccounts: readonly string[];
  readonly notServiceAccounts: readonly string[];
  readonly trustDomains: readonly string[];
  readonly notTrustDomains: readonly string[];
  readonly ipBlocks: readonly string[];
  readonly notIpBlocks: readonly string[];
  readonly remoteIpBlocks: readonly string[];
  readonly notRemoteIpBlocks: readonly string[];
}

/** `to[].operation` of an AuthorizationPolicy. */
export interface PolicyOperation {
  readonly hosts: readonly string[];
  readonly notHosts: readonly string[];
  readonly ports: readonly string[];
  readonly notPorts: readonly string[];
  readonly methods: readonly string[];
  readonly notMethods: readonly string[];
  readonly paths: readonly string[];
  readonly notPaths: readonly string[];
}

/** One rule. An absent list is empty; a null entry: `from: [{}]`, an item without `source`. */
export interface PolicyRule {
  readonly from: readonly (PolicySource | null)[];
  readonly to: readonly (PolicyOperation | null)[];
  readonly when: readonly Condition[];
}

/**
 * A selector: null: the field is absent; `matchLabels` null: present but without labels (`selector: {}`), which is another
 * thing (istio pilot/pkg/serviceregistry/ambient/authorization.go).
 */
export interface Selector {
  readonly matchLabels: Readonly<Record<string, string>> | null;
}

/** `targetRef(s)` of a policy. */
export interface TargetRef {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

interface PolicyBase {
  readonly ref: ObjectRef;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339 as written, null if absent. */
  readonly createdAt: string | null;
  readonly selector: Selector | null;
}

/** security.istio.io AuthorizationPolicy, decoded. */
export interface AuthorizationPolicy extends PolicyBase {
  readonly kind: 'AuthorizationPolicy';
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM';
  readonly provider: string | null;
  readonly targetRefs: readonly TargetRef[];
  /** An empty rule (`- {}`, or null) has empty lists; an absent list of rules is empty. */
  readonly rules: readonly PolicyRule[];
  /** Annotation `istio.io/dry-run` is true in Go's ParseBool. */
  readonly dryRun: boolean;
}

export type MtlsMode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT';

/** security.istio.io PeerAuthentication, decoded. */
export interface PeerAuthentication extends PolicyBase {
  readonly kind: 'PeerAuthentication';
  readonly mode: MtlsMode;
  /** By pod port. */
  readonly portModes: ReadonlyMap<number, MtlsMode>;
}

/** One `jwtRules` entry of a RequestAuthentication. */
export interface JwtRule {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly jwksUri: string | null;
  readonly jwks: string | null;
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  readonly outputPayloadToHeader: string | null;
  readonly forwardOriginalToken: boolean;
}

/** security.istio.io RequestAuthentication, decoded. */
export interface RequestAuthentication extends PolicyBase {
  readonly kind: 'RequestAuthentication';
  readonly targetRefs: readonly TargetRef[];
  readonly jwtRules: readonly JwtRule[];
}

/** What a decision was about and how it fell. */
export interface Decision {
  readonly outcome: 'allow' | 'deny' | 'unknown';
  /** One sentence: why. */
  readonly because: string;
  /** The policies that decided: all matching DENYs, the ALLOW that matched, or all ALLOWs of which none did. */
  readonly determining: readonly ObjectRef[];
  /** For a deny: the rules that came closest. */
  readonly nearMiss: readonly NearMiss[];
  /** What the proxy would log, as far as known: ztunnel's error text, or Envoy's details. */
  readonly error: string | null;
}
