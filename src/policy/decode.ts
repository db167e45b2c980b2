import type { KubeObject, ObjectRef } from '../model/mesh.ts';
import type {
  AuthorizationPolicy,
  JwtRule,
  PeerAuthentication,
  PolicyRule,
  RequestAuthentication,
  TargetRef,
} from '../model/policy.ts';
import { remembered } from '../text/remembered.ts';
import type { Decoded, Message } from './decode-fields.ts';
import { authorizationSpec, type JwtSpec, peerSpec, type RuleSpec, requestSpec } from './decode-spec.ts';

export type { Decoded } from './decode-fields.ts';

/** The annotation that makes istiod evaluate an AuthorizationPolicy without enforcing it. */
export const DRY_RUN_ANNOTATION = 'istio.io/dry-run';

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** Go's strconv.ParseBool; null where that fails. */
export function parseGoBool(text: string): boolean | null {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : null;
}

/**
 * Reads an AuthorizationPolicy of security.istio.io, any version, from an object as it was read (untrusted). Follows the
 * API types: refuses what they cannot hold (`stage: decode`), accepts much that admission would refuse. Never throws. An object is read once.
 */
export const decodeAuthorizationPolicy: (object: KubeObject) => Decoded<AuthorizationPolicy> = remembered((object) => {
  const spec = decodeSpec(object, 'AuthorizationPolicy', authorizationSpec);
  if (!spec.ok) return spec;
  const { selector, action, provider, rules } = spec.value;
  return {
    ok: true,
    value: {
      ...base(object),
      kind: 'AuthorizationPolicy',
      selector,
      action,
      provider: provider?.name ?? null,
      targetRefs: targetRefsOf(spec.value),
      rules: rules.map(ruleOf),
      dryRun: parseGoBool(object.metadata.annotations?.[DRY_RUN_ANNOTATION] ?? '') === true,
    },
  };
});

/** Reads a PeerAuthentication of security.istio.io, any version; see `decodeAuthorizationPolicy`. */
export const decodePeerAuthentication: (object: KubeObject) => Decoded<PeerAuthentication> = remembered((object) => {
  const spec = decodeSpec(object, 'PeerAuthentication', peerSpec);
  if (!spec.ok) return spec;
  const { selector, mtls, portLevelMtls } = spec.value;
  return {
    ok: true,
    value: {
      ...base(object),
      kind: 'PeerAuthentication',
      selector,
      mode: mtls?.mode ?? 'UNSET',
      portModes: new Map([...(portLevelMtls ?? [])].map(([port, { mode }]) => [port, mode])),
    },
  };
});

/** Reads a RequestAuthentication of security.istio.io, any version; see `decodeAuthorizationPolicy`. */
export const decodeRequestAuthentication: (object: KubeObject) => Decoded<RequestAuthentication> = remembered(
  (object) => {
    const spec = decodeSpec(object, 'RequestAuthentication', requestSpec);
    if (!spec.ok) return spec;
    return {
      ok: true,
      value: {
        ...base(object),
        kind: 'RequestAuthentication',
        selector: spec.value.selector,
        targetRefs: targetRefsOf(spec.value),
        jwtRules: spec.value.jwtRules.map(jwtRuleOf),
      },
    };
  },
);

/**
 * Reads `spec` of an object of kind `kind` in security.istio.io field by field. An absent spec is an empty one. Use the
 * functions above unless a difference counts that the model does not keep.
 */
export function decodeSpec<T>(object: KubeObject, kind: string, message: Message<T>): Decoded<T> {
  if (object.kind !== kind) return { ok: false, reason: `is a ${object.kind}, not a ${kind}` };
  if (!object.apiVersion.startsWith('security.istio.io/')) {
    return { ok: false, reason: `apiVersion: ${object.apiVersion} is not of security.istio.io` };
  }
  return message.read(object.raw['spec'] ?? null, 'spec');
}

function base(object: KubeObject): {
  ref: ObjectRef;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  createdAt: string | null;
} {
  const { kind, metadata } = object;
  return {
    ref: { kind, namespace: metadata.namespace, name: metadata.name },
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    createdAt: metadata.creationTimestamp,
  };
}

/** The single `targetRef` counts only without `targetRefs` (istio 86c9f01f pilot/pkg/model/policyattachment.go). */
function targetRefsOf(spec: {
  readonly targetRef: TargetRef | null;
  readonly targetRefs: readonly TargetRef[];
}): readonly TargetRef[] {
  if (spec.targetRefs.length > 0 || spec.targetRef === null) return spec.targetRefs;
  return [spec.targetRef];
}

function ruleOf(rule: RuleSpec): PolicyRule {
  return {
    from: rule.from.map((entry) => entry.source),
    to: rule.to.map((entry) => entry.operation),
    when: rule.when,
  };
}

function jwtRuleOf(rule: JwtSpec): JwtRule {
  const { issuer, audiences, fromHeaders, fromParams, fromCookies, forwardOriginalToken } = rule;
  return {
    issuer,
    audiences,
    jwksUri: rule.jwksUri === '' ? null : rule.jwksUri,
    jwks: rule.jwks === '' ? null : rule.jwks,
    fromHeaders,
    fromParams,
    fromCookies,
    outputPayloadToHeader: rule.outputPayloadToHeader === '' ? null : rule.outputPayloadToHeader,
    forwardOriginalToken,
  };
}
