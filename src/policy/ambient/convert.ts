import type { AuthorizationPolicy } from '../../model/policy.ts';
import { remembered } from '../../text/remembered.ts';
import { convertRule } from './convert-rule.ts';
import {
  type AmbientSettings,
  byText,
  type LostField,
  policyKey,
  type ZtunnelPolicy,
  type ZtunnelRule,
  type ZtunnelScope,
} from './form.ts';
import { behaves } from './release.ts';

/** What istiod makes of one AuthorizationPolicy. */
export interface Conversion {
  /** Null: nothing is sent to ztunnel. */
  readonly policy: ZtunnelPolicy | null;
  /** Message of the condition `ZtunnelAccepted` beyond `attached to ztunnel`; null: istiod has nothing to say. */
  readonly status: string | null;
}

/**
 * istiod's form of an AuthorizationPolicy for ztunnel, with the status it writes (istio 86c9f01f
 * pilot/pkg/serviceregistry/ambient/authorization.go). Dry-run policies, those bound by `targetRefs` and the actions
 * AUDIT and CUSTOM are not sent. Expects an admitted object; what admission would refuse is read without throwing.
 */
export function convertPolicy(policy: AuthorizationPolicy, settings: AmbientSettings): Conversion {
  const known = conversions(policy);
  const key = JSON.stringify([settings.rootNamespace, settings.istioVersion]);
  const conversion = known.get(key) ?? convert(policy, settings);
  known.set(key, conversion);
  return conversion;
}

/** What was made of each policy, by settings: every view that holds the policy asks. */
const conversions = remembered((_policy: AuthorizationPolicy) => new Map<string, Conversion>());

function convert(policy: AuthorizationPolicy, settings: AmbientSettings): Conversion {
  const { ref, action } = policy;
  if (policy.dryRun) return { policy: null, status: dryRunStatus(policy, settings) };
  if (policy.targetRefs.length > 0) return { policy: null, status: null };
  if (action !== 'ALLOW' && action !== 'DENY') {
    return { policy: null, status: `ztunnel does not support the ${action} action` };
  }
  const rules = policy.rules.map((rule, index) => convertRule(rule, index, ref.namespace));
  const isDropped = (rule: ZtunnelRule): boolean => action === 'ALLOW' && httpAttributes([rule]).length > 0;
  const converted: ZtunnelPolicy = {
    key: policyKey(ref.namespace, ref.name),
    name: ref.name,
    namespace: ref.namespace,
    scope: scopeOf(policy, settings),
    action,
    rules: rules.filter((rule) => !isDropped(rule)),
    dropped: rules.filter(isDropped),
    source: ref,
  };
  return { policy: converted, status: httpStatus(converted, settings) };
}

/** HTTP attributes in the rules by the names istiod gives them, sorted, each once. */
function httpAttributes(rules: readonly ZtunnelRule[]): readonly string[] {
  const found = new Set<string>();
  for (const { httpAttribute } of lostFields(rules)) if (httpAttribute !== null) found.add(httpAttribute);
  return [...found].sort(byText);
}

/** All fields of the rules that ztunnel never gets. */
export function lostFields(rules: readonly ZtunnelRule[]): readonly LostField[] {
  return rules.flatMap((rule) => rule.clauses.flat().flatMap((match) => match.lost));
}

function scopeOf(policy: AuthorizationPolicy, settings: AmbientSettings): ZtunnelScope {
  if (policy.selector !== null) return 'WORKLOAD_SELECTOR';
  return policy.ref.namespace === settings.rootNamespace ? 'GLOBAL' : 'NAMESPACE';
}

function dryRunStatus({ ref }: AuthorizationPolicy, settings: AmbientSettings): string | null {
  if (!behaves(settings.istioVersion, 'dryRunStatus')) return null;
  const name = policyKey(ref.namespace, ref.name);
  return `found policy "${name}" using dry-run annotation, but support for ambient dry-run authorizationPolicies isn't enabled`;
}

function httpStatus(policy: ZtunnelPolicy, settings: AmbientSettings): string | null {
  const found = httpAttributes([...policy.rules, ...policy.dropped]);
  if (found.length === 0) return null;
  return (
    `ztunnel does not support HTTP attributes (found: ${found.join(', ')}). ` +
    `In ambient mode you must use a waypoint proxy to enforce HTTP rules. ${httpConsequence(policy, settings)}`
  );
}

function httpConsequence(policy: ZtunnelPolicy, settings: AmbientSettings): string {
  if (policy.action === 'ALLOW') {
    return 'Within an ALLOW policy, rules matching HTTP attributes are omitted. This will be more restrictive than requested.';
  }
  if (behaves(settings.istioVersion, 'noEffectStatus') && policy.rules.every((rule) => !canMatch(rule))) {
    return 'After omitting unsupported HTTP attributes, this DENY policy has no enforceable rules at ztunnel and will have no effect. Deploy a waypoint proxy and use a targetRef to enforce this policy.';
  }
  return 'DENY policy with HTTP attributes is enforced without the HTTP rules. This will be more restrictive than requested.';
}

/** False: one of its clauses holds empty matches only, so the rule is dead. */
export function canMatch(rule: ZtunnelRule): boolean {
  return rule.clauses.every((matches) => matches.some((match) => match.constraints.length > 0));
}
