import type { Finding } from '../../model/finding.ts';
import type { PolicyRule } from '../../model/policy.ts';
import { allOf } from '../../policy/network-match.ts';
import type { Destination } from './destination.ts';
import { type Call, callOf, fromFits, restFits, sourceFits } from './fit.ts';
import { principalParts } from './names.ts';
import type { AppliedPolicy } from './policies.ts';

/** A list in a rule that names callers, to which this one can be added so that the rule would match. */
export interface Slot {
  readonly applied: AppliedPolicy;
  readonly rule: number;
  readonly at: readonly (string | number)[];
  readonly value: string;
  /** The rule holds for some ports only. */
  readonly portBound: boolean;
}

/** All such lists in some ALLOW policies, the best first: least reach, then the rule the finding calls a near miss, then rules for some ports. */
export function slotsIn(
  finding: Finding,
  destination: Destination,
  policies: readonly AppliedPolicy[],
): readonly Slot[] {
  const slots = policies.flatMap((applied) => {
    const call = callOf(finding, destination.port, applied.policy.ref.namespace);
    return applied.policy.rules.flatMap((rule, index) =>
      slotsOf(rule, call).map(({ at, value }) => ({
        applied,
        rule: index,
        at: ['spec', 'rules', index, ...at],
        value,
        portBound: rule.to.length > 0,
      })),
    );
  });
  const rank = (slot: Slot): number =>
    slot.applied.reach * 4 + (isNearMiss(finding, slot) ? 0 : 2) + (slot.portBound ? 0 : 1);
  return slots.toSorted((a, b) => rank(a) - rank(b));
}

function isNearMiss(finding: Finding, { applied, rule }: Slot): boolean {
  const { ref } = applied.policy;
  return finding.nearMiss.some(
    (miss) => miss.rule === rule && miss.policy.name === ref.name && miss.policy.namespace === ref.namespace,
  );
}

function slotsOf(rule: PolicyRule, call: Call): readonly { at: readonly (string | number)[]; value: string }[] {
  const { principal } = call;
  const identity = principal === null ? null : principalParts(principal);
  if (principal === null || identity === null) return [];
  const account = `${identity.namespace}/${identity.serviceAccount}`;
  const inSources =
    restFits(rule, call, 'ALLOW') !== true
      ? []
      : rule.from.flatMap((source, index) => {
          const at = ['from', index, 'source'];
          if (source === null) return [];
          if (source.principals.length > 0 && sourceFits(source, call, 'ALLOW', ['principals'])) {
            return [{ at: [...at, 'principals'], value: principal }];
          }
          const byAccount = source.serviceAccounts.length > 0 && sourceFits(source, call, 'ALLOW', ['serviceAccounts']);
          return byAccount ? [{ at: [...at, 'serviceAccounts'], value: account }] : [];
        });
  return [...inSources, ...conditionSlots(rule, call, principal)];
}

/** `when: source.principal` is another way to list callers. */
function conditionSlots(
  rule: PolicyRule,
  call: Call,
  principal: string,
): readonly { at: readonly (string | number)[]; value: string }[] {
  return rule.when.flatMap(({ key, values, notValues }, index) => {
    if (key !== 'source.principal' || values.length === 0 || notValues.length > 0) return [];
    const others = { ...rule, when: rule.when.filter((_condition, other) => other !== index) };
    const fits = allOf([fromFits(others, call, 'ALLOW'), restFits(others, call, 'ALLOW')]);
    return fits === true ? [{ at: ['when', index, 'values'], value: principal }] : [];
  });
}

/** True if a policy, as it was given, admits the call: then it is not what refused it. */
export function admitsAlready(finding: Finding, destination: Destination, { policy }: AppliedPolicy): boolean {
  const call = callOf(finding, destination.port, policy.ref.namespace);
  return policy.rules.some((rule) => allOf([fromFits(rule, call, 'ALLOW'), restFits(rule, call, 'ALLOW')]) === true);
}
