import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { Condition, PolicyRule } from '../../model/policy.ts';
import { allOf, anyOf } from '../../policy/network-match.ts';
import type { Destination } from './destination.ts';
import { type Call, callOf, fromFits, isLayer4Key, restFits, sourceFits } from './fit.ts';
import { type Edit, entryIn } from './json-patch.ts';
import { principalParts } from './names.ts';
import { isMistyped } from './near-principal.ts';
import type { AppliedPolicy } from './policies.ts';

/** A list in a rule that names callers, to which this one can be added so that the rule would match. */
export interface Slot {
  readonly applied: AppliedPolicy;
  readonly rule: number;
  readonly edit: Edit;
  /** What the name is put in place of, as nobody has it and it is most likely a mistake for it; null: it goes beside the others. */
  readonly replaced: string | null;
  /** The rule holds for some ports only. */
  readonly portBound: boolean;
}

/** All such lists in some ALLOW policies, the best first: least reach, then the rule the finding calls a near miss, then rules for some ports. */
export function slotsIn(
  finding: Finding,
  destination: Destination,
  policies: readonly AppliedPolicy[],
  mesh: MeshView,
): readonly Slot[] {
  const slots = policies.flatMap((applied) => {
    const call = callOf(finding, destination.port, applied.policy.ref.namespace);
    return applied.policy.rules.flatMap((rule, index) =>
      slotsOf(rule, call).map(({ at, list, value }) => {
        const place = ['spec', 'rules', index, ...at];
        const mistyped = list.findIndex((entry) => isMistyped(entry, value, mesh));
        const replaced = mistyped < 0 ? null : (list[mistyped] ?? null);
        const edit: Edit =
          replaced === null ? entryIn(list, place, value) : { op: 'set', at: [...place, mistyped], value };
        return { applied, rule: index, edit, replaced, portBound: rule.to.length > 0 };
      }),
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

/** A list of a rule, by the keys below the rule, and the value that it lacks. */
interface Lacking {
  readonly at: readonly (string | number)[];
  readonly list: readonly string[];
  readonly value: string;
}

function slotsOf(rule: PolicyRule, call: Call): readonly Lacking[] {
  const { principal } = call;
  const identity = principal === null ? null : principalParts(principal);
  if (principal === null || identity === null) return [];
  const account = `${identity.namespace}/${identity.serviceAccount}`;
  const sources = restFits(rule, call, 'ALLOW') === true ? rule.from : [];
  const inSources = sources.flatMap((source, index) => {
    if (source === null) return [];
    const { principals, serviceAccounts } = source;
    const lacks = (field: 'principals' | 'serviceAccounts'): boolean =>
      source[field].length > 0 && sourceFits(source, call, 'ALLOW', [field]) === true;
    if (lacks('principals'))
      return [{ at: ['from', index, 'source', 'principals'], list: principals, value: principal }];
    if (!lacks('serviceAccounts')) return [];
    return [{ at: ['from', index, 'source', 'serviceAccounts'], list: serviceAccounts, value: account }];
  });
  return [...inSources, ...conditionSlots(rule, call, principal)];
}

/** `when: source.principal` is another way to list callers. */
function conditionSlots(rule: PolicyRule, call: Call, principal: string): readonly Lacking[] {
  return rule.when.flatMap(({ key, values, notValues }, index) => {
    if (key !== 'source.principal' || values.length === 0 || notValues.length > 0) return [];
    const others = { ...rule, when: rule.when.filter((_condition, other) => other !== index) };
    const fits = allOf([fromFits(others, call, 'ALLOW'), restFits(others, call, 'ALLOW')]);
    return fits === true ? [{ at: ['when', index, 'values'], list: values, value: principal }] : [];
  });
}

/** True if a policy, as it was given, admits the call: then it is not what refused it. */
export function admitsAlready(finding: Finding, destination: Destination, { policy }: AppliedPolicy): boolean {
  const call = callOf(finding, destination.port, policy.ref.namespace);
  return policy.rules.some((rule) => allOf([fromFits(rule, call, 'ALLOW'), restFits(rule, call, 'ALLOW')]) === true);
}

const TOKEN_FIELDS = ['requestPrincipals', 'notRequestPrincipals'] as const;

/** True if a rule would admit the call with a valid token, which only a proxy that knows HTTP can have seen. */
export function wantsToken(finding: Finding, destination: Destination, { policy }: AppliedPolicy): boolean {
  const call = callOf(finding, destination.port, policy.ref.namespace);
  if (call.layer4) return false;
  return policy.rules.some((rule) => {
    const asked = rule.from.some((source) => TOKEN_FIELDS.some((field) => (source?.[field].length ?? 0) > 0));
    const when = rule.when.filter(({ key }) => !key.startsWith('request.auth.'));
    if (!asked && when.length === rule.when.length) return false;
    const from = rule.from.map((source) => sourceFits(source, call, 'ALLOW', TOKEN_FIELDS));
    return allOf([from.length === 0 || anyOf(from), restFits({ ...rule, when }, call, 'ALLOW')]) !== false;
  });
}

/**
 * The conditions on HTTP under which rules that name this very caller admit the call, in words (`request.headers[x] is
 * a or b`): the proxy saw them fail, the line does not show them. Empty: no rule is like that.
 */
export function conditionsFor(
  finding: Finding,
  destination: Destination,
  { policy }: AppliedPolicy,
): readonly string[] {
  const call = callOf(finding, destination.port, policy.ref.namespace);
  if (call.layer4) return [];
  return policy.rules.flatMap((rule) => {
    const hidden = rule.when.filter(({ key }) => !isLayer4Key(key) && !key.startsWith('request.auth.'));
    const open = { ...rule, when: rule.when.filter((condition) => !hidden.includes(condition)) };
    const fits =
      rule.from.length > 0 && fromFits(rule, call, 'ALLOW') === true && restFits(open, call, 'ALLOW') !== false;
    return hidden.length > 0 && fits ? [hidden.map(conditionWords).join(' and ')] : [];
  });
}

function conditionWords({ key, values, notValues }: Condition): string {
  const parts = [
    ...(values.length > 0 ? [`${key} is ${values.join(' or ')}`] : []),
    ...(notValues.length > 0 ? [`${key} is not ${notValues.join(' or ')}`] : []),
  ];
  return parts.join(' and ');
}
