import type { ObjectRef } from '../model/mesh.ts';

/** The id of a rule as Envoy's RBAC filter prints it. */
export interface RbacId {
  /**
   * `none`: ALLOW policies apply and no rule of them matched. `rule`: a rule of a DENY policy matched. `custom`: the rule
   * belongs to a CUSTOM policy, which denies only when its provider cannot be used. `other`: made by something else than
   * an AuthorizationPolicy (an EnvoyFilter), or too little of it was logged.
   */
  readonly kind: 'none' | 'rule' | 'custom' | 'other';
  /** The policy, null where the id names none or was cut before its name ended. */
  readonly policy: ObjectRef | null;
  /** Index in `spec.rules`; null like `policy`. */
  readonly rule: number | null;
  /** Extension provider of a CUSTOM policy, where the id has it. */
  readonly provider: string | null;
  /** As printed. Untrusted. */
  readonly id: string;
}

const DETAIL = 'rbac_access_denied_matched_policy[';
const CUSTOM = 'istio-ext-authz-';
const BAD_CUSTOM = 'deny-due-to-bad-CUSTOM-action';
const BAD_CUSTOM_ALL = 'deny-all-due-to-bad-CUSTOM-action';
/** istio 86c9f01f pilot/pkg/security/authz/builder/builder.go, names of the rules; the provider part exists since 1.30. */
const RULE = /^(?:istio-ext-authz-(?:(.+)-)?)?ns\[([^\]]+)\]-policy\[([^\]]+)\](?:-rule\[(\d+)\])?/;

/**
 * Reads RESPONSE_CODE_DETAILS or CONNECTION_TERMINATION_DETAILS of a denial, also one that a `:LENGTH` of the format cut
 * short. Null: it is no RBAC denial. (envoy 1.37 source/extensions/filters/common/rbac/utility.cc)
 */
export function parseRbacDetail(text: string | null): RbacId | null {
  if (text === null || !text.startsWith('rbac_access_denied')) return null;
  if (!text.startsWith(DETAIL)) return parseRbacId('');
  return parseRbacId(text.endsWith(']') ? text.slice(DETAIL.length, -1) : text.slice(DETAIL.length));
}

/** Reads the bare id, as debug lines print it after `matched policy`. */
export function parseRbacId(id: string): RbacId {
  const bad = id.includes(BAD_CUSTOM) || id.includes(BAD_CUSTOM_ALL);
  const [, provider = null, namespace, name, rule] = RULE.exec(id) ?? [];
  return {
    kind: kindOf(id, bad),
    policy: namespace === undefined || name === undefined ? null : { kind: 'AuthorizationPolicy', namespace, name },
    rule: rule === undefined ? null : Number(rule),
    provider,
    id,
  };
}

function kindOf(id: string, bad: boolean): RbacId['kind'] {
  if (id === 'none') return 'none';
  if (bad || id.startsWith(CUSTOM)) return 'custom';
  return id.startsWith('ns[') ? 'rule' : 'other';
}
