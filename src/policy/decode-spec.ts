import type {
  AuthorizationPolicy,
  Condition,
  MtlsMode,
  PolicyOperation,
  PolicySource,
  Selector,
  TargetRef,
} from '../model/policy.ts';
import {
  choice,
  duration,
  type Field,
  flag,
  list,
  type Message,
  message,
  nested,
  numberMap,
  readOnce,
  text,
  textMap,
} from './decode-fields.ts';

/** `spec` of an AuthorizationPolicy, field by field as Istio's API has it. */
export interface AuthorizationSpec {
  readonly selector: Selector | null;
  readonly targetRef: TargetRef | null;
  readonly targetRefs: readonly TargetRef[];
  readonly rules: readonly RuleSpec[];
  readonly action: AuthorizationPolicy['action'];
  readonly provider: { readonly name: string } | null;
}

/** One of `rules`. */
export interface RuleSpec {
  readonly from: readonly { readonly source: PolicySource | null }[];
  readonly to: readonly { readonly operation: PolicyOperation | null }[];
  readonly when: readonly Condition[];
}

/** `spec` of a PeerAuthentication. */
export interface PeerSpec {
  readonly selector: Selector | null;
  readonly mtls: MutualTls | null;
  /** Null: absent; an empty map is refused at admission. */
  readonly portLevelMtls: ReadonlyMap<number, MutualTls> | null;
}

/** `mtls` of a PeerAuthentication. */
export interface MutualTls {
  readonly mode: MtlsMode;
}

/** `spec` of a RequestAuthentication. */
export interface RequestSpec {
  readonly selector: Selector | null;
  readonly targetRef: TargetRef | null;
  readonly targetRefs: readonly TargetRef[];
  readonly jwtRules: readonly JwtSpec[];
}

/** One of `jwtRules`. */
export interface JwtSpec {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly jwksUri: string;
  readonly jwks: string;
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[];
  readonly fromParams: readonly string[];
  readonly outputPayloadToHeader: string;
  readonly forwardOriginalToken: boolean;
  readonly outputClaimToHeaders: readonly { readonly header: string; readonly claim: string }[];
  /** Nanoseconds; null: absent. */
  readonly timeout: bigint | null;
  readonly fromCookies: readonly string[];
  readonly spaceDelimitedClaims: readonly string[];
  readonly presence: 'OPTIONAL' | 'REQUIRED';
}

const texts: Field<readonly string[]> = list(text);

const selector = nested(message<Selector>({ matchLabels: textMap(text) }));

const targetRefMessage = message<TargetRef>({ group: text, kind: text, name: text, namespace: text });

const target = {
  selector,
  targetRef: nested(targetRefMessage),
  targetRefs: list(targetRefMessage),
};

const source = message<PolicySource>({
  principals: texts,
  notPrincipals: texts,
  requestPrincipals: texts,
  notRequestPrincipals: texts,
  namespaces: texts,
  notNamespaces: texts,
  serviceAccounts: texts,
  notServiceAccounts: texts,
  trustDomains: texts,
  notTrustDomains: texts,
  ipBlocks: texts,
  notIpBlocks: texts,
  remoteIpBlocks: texts,
  notRemoteIpBlocks: texts,
});

const operation = message<PolicyOperation>({
  hosts: texts,
  notHosts: texts,
  ports: texts,
  notPorts: texts,
  methods: texts,
  notMethods: texts,
  paths: texts,
  notPaths: texts,
});

const rule = message<RuleSpec>({
  from: list(message<RuleSpec['from'][number]>({ source: nested(source) })),
  to: list(message<RuleSpec['to'][number]>({ operation: nested(operation) })),
  when: list(message<Condition>({ key: text, values: texts, notValues: texts })),
});

/** Reads the spec of an AuthorizationPolicy (istio.io/api security/v1beta1/authorization_policy.proto). */
export const authorizationSpec: Message<AuthorizationSpec> = readOnce(
  message<AuthorizationSpec>({
    ...target,
    rules: list(rule),
    action: choice(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM']),
    provider: nested(message<{ readonly name: string }>({ name: text })),
  }),
);

const mutualTls = message<MutualTls>({ mode: choice(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT']) });

/** Reads the spec of a PeerAuthentication (istio.io/api security/v1beta1/peer_authentication.proto). */
export const peerSpec: Message<PeerSpec> = readOnce(
  message<PeerSpec>({
    selector,
    mtls: nested(mutualTls),
    portLevelMtls: numberMap(mutualTls),
  }),
);

const jwtRule = message<JwtSpec>({
  issuer: text,
  audiences: texts,
  jwksUri: text,
  jwks: text,
  fromHeaders: list(message<JwtSpec['fromHeaders'][number]>({ name: text, prefix: text })),
  fromParams: texts,
  outputPayloadToHeader: text,
  forwardOriginalToken: flag,
  outputClaimToHeaders: list(message<JwtSpec['outputClaimToHeaders'][number]>({ header: text, claim: text })),
  timeout: duration,
  fromCookies: texts,
  spaceDelimitedClaims: texts,
  presence: choice(['OPTIONAL', 'REQUIRED']),
});

/** Reads the spec of a RequestAuthentication (istio.io/api security/v1beta1/request_authentication.proto). */
export const requestSpec: Message<RequestSpec> = readOnce(message<RequestSpec>({ ...target, jwtRules: list(jwtRule) }));
