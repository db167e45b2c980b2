import type { Selector, TargetRef } from '../../model/policy.ts';

/** What istiod says about an object beside yes and no. */
export interface Remarks {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Where a policy applies. */
interface Scope {
  readonly selector: Selector | null;
  readonly targetRef: TargetRef | null;
  readonly targetRefs: readonly TargetRef[];
}

/** Kinds a policy can be attached to, as `group/kind`; the core group may be written `core` or left out. */
const TARGETS = new Set([
  'core/Service',
  'networking.istio.io/ServiceEntry',
  'gateway.networking.k8s.io/Gateway',
  'gateway.networking.k8s.io/GatewayClass',
]);

/** Checks `selector`, `targetRef`, `targetRefs` and that only one of them is set (istio 86c9f01f pkg/config/validation). */
export function scopeRemarks(scope: Scope): Remarks {
  const { selector, targetRef, targetRefs } = scope;
  const set = [selector !== null, targetRef !== null, targetRefs.length > 0].filter(Boolean).length;
  const targets: readonly (readonly [string, TargetRef])[] = [
    ...(targetRef === null ? [] : [['targetRef', targetRef] as const]),
    ...targetRefs.map((target, index) => [`targetRefs[${index}]`, target] as const),
  ];
  const { errors, warnings } = selectorRemarks(selector);
  return {
    errors: [
      ...(set > 1 ? ['only one of selector, targetRef and targetRefs may be set'] : []),
      ...errors,
      ...targets.flatMap(([path, target]) => targetErrors(target).map((problem) => `${path}: ${problem}`)),
    ],
    warnings,
  };
}

/** Checks a selector; null is the absent one. */
export function selectorRemarks(selector: Selector | null): Remarks {
  if (selector === null) return { errors: [], warnings: [] };
  const labels = Object.entries(selector.matchLabels ?? {});
  return {
    errors: labels.flatMap(([key, value]) => [
      ...(key === '' ? [`selector.matchLabels: the key of ${JSON.stringify(value)} must not be empty`] : []),
      ...(key.includes('*') || value.includes('*')
        ? [`selector.matchLabels: ${JSON.stringify(`${key}=${value}`)} must not have a wildcard`]
        : []),
    ]),
    warnings: labels.length === 0 ? ['selector has no labels'] : [],
  };
}

function targetErrors(target: TargetRef): readonly string[] {
  const { group, kind, name, namespace } = target;
  const canonical = `${group === '' ? 'core' : group}/${kind}`;
  return [
    ...(name === '' ? ['name must be set'] : []),
    ...(namespace === '' ? [] : ['namespace must not be set']),
    ...(TARGETS.has(canonical) ? [] : [`${JSON.stringify(canonical)} is no kind that a policy can be attached to`]),
  ];
}
