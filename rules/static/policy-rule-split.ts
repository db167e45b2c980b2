import type { KubeObject, ObjectRef } from '../../src/model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule } from '../../src/model/policy.ts';
import type { Draft } from '../../src/model/remedy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { sourceCovers } from '../../src/policy/survey/cover.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import {
  asksForNobody,
  asksForTokenOnly,
  fieldsOf,
  isPublic,
  matchesAll,
  namesCaller,
  namesPublicOnly,
} from '../../src/policy/survey/rule-shape.ts';
import { draftOf, patchObject } from '../../src/remedy/edits/change.ts';
import { showPolicy, step } from '../../src/remedy/edits/index.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';
import { recordOf, valueAt } from '../../src/text/untyped.ts';

/** What was meant as one rule stands as two: one names callers, the other what may be called. */
export const rule: StaticRule = {
  meta: {
    id: 'policy-rule-split',
    category: 'authorization',
    level: 'warning',
    title: 'One list item names callers and another what may be called',
    page: {
      meaning:
        'Items of a list are alternatives. An ALLOW with "- from" and "- to" as two rules admits these callers to everything, and everybody to these operations, plain text included. The same holds for two items of one to: "- operation: methods" and "- operation: paths" allow the methods on all paths, and the paths with all methods.',
      printedBy: 'Nobody: what it admits looks like any other connection.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicy NAME -o yaml'],
      change: 'If AND was meant, take away the dash: from, to and when of one item all have to hold.',
      never: 'Do not add a DENY for the rest: it needs to be kept in step with every caller and path.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/security/authz/model/model.go',
      'istio.io docs/ops/common-problems/security-issues',
    ],
  },
  check: (mesh) =>
    authorizationPolicies(mesh)
      .filter(({ policy }) => policy.action === 'ALLOW')
      .flatMap(({ object, policy }) => [
        ...splitRules(object, policy),
        ...splitEntries(object, policy),
        ...splitSources(object, policy),
      ]),
};

const OWNER = 'Only its owner knows whether the two were meant as one.';
const RISK = 'Whoever came in by one of them alone is refused then.';

/** Policies with more rules are lists of alternatives on purpose. */
const MAX_SUSPECT = 3;

/** A rule that only says what may be called, beside one that only says who may call. */
function splitRules(object: KubeObject, policy: AuthorizationPolicy): readonly StaticMatch[] {
  const { rules, ref } = policy;
  const callers = rules.findIndex((one) => one.to.length === 0 && namesCaller(one));
  const caller = rules[callers];
  if (caller === undefined) return [];
  const isList = rules.length > MAX_SUSPECT || asksForTokenOnly(caller);
  return rules.flatMap((open, index): readonly StaticMatch[] => {
    if (!asksForNobody(open) || matchesAll(open)) return [];
    const isUsual = isList || namesPublicOnly(open);
    return [
      {
        object,
        at: ['spec', 'rules', index],
        certainty: 'possible',
        level: isUsual ? 'note' : 'warning',
        cause: `Rules of ${nameOf(ref)} are alternatives: rule ${callers} admits its callers to everything, rule ${index} admits everybody to what it names.`,
        drafts: [merge(object, policy, callers, index, isUsual)],
      },
    ];
  });
}

/** Only where it is plain which two belong together; what is open as usual is asked for by others than those callers. */
function merge(
  object: KubeObject,
  { rules, ref }: AuthorizationPolicy,
  callers: number,
  open: number,
  isUsual: boolean,
): Draft {
  const summary = `If both were meant to hold, make one rule of rules ${callers} and ${open} of ${refText(ref)}.`;
  const asked = ['to', 'when'].filter((key) => valueAt(object.raw, 'spec', 'rules', open, key) !== undefined);
  const isPlain = asked.every((key) => valueAt(object.raw, 'spec', 'rules', callers, key) === undefined);
  const planned =
    rules.length === 2 && isPlain && !isUsual
      ? patchObject(object, [
          ...asked.map((key) => ({
            op: 'set' as const,
            at: ['spec', 'rules', callers, key],
            value: valueAt(object.raw, 'spec', 'rules', open, key),
          })),
          { op: 'unset', at: ['spec', 'rules', open] },
        ])
      : null;
  return planned === null
    ? step('policy-change', summary, { risk: RISK, decision: OWNER, confirm: [showPolicy(ref)] })
    : draftOf([planned], { kind: 'policy-change', summary, risk: RISK, decision: OWNER, verify: [showPolicy(ref)] });
}

/** Two operations of one `to` that limit different things and nothing in common. */
function splitEntries(object: KubeObject, { rules, ref }: AuthorizationPolicy): readonly StaticMatch[] {
  return rules.flatMap((one: PolicyRule, index): readonly StaticMatch[] => {
    const fields = one.to.map((operation) =>
      fieldsOf(operation).map((field) => field.replace(/^not/, '').toLowerCase()),
    );
    const [first = [], ...others] = fields;
    const second = others.findIndex((other) => other.length > 0 && !other.some((field) => first.includes(field)));
    if (first.length === 0 || second < 0 || new Set(fields.flat()).size < fields.flat().length) return [];
    const isUsual = one.to.some(isPublic);
    return [
      {
        object,
        at: ['spec', 'rules', index, 'to', second + 1],
        certainty: 'possible',
        level: isUsual ? 'note' : 'warning',
        cause: `Operations of rule ${index} of ${nameOf(ref)} are alternatives: one limits ${first.join(', ')} only, another ${others[second]?.join(', ')} only, so either alone is enough.`,
        drafts: [join(object, index, 'to', ref, !isUsual && one.to.length === 2)],
      },
    ];
  });
}

/**
 * Two sources of one `from` that ask different things: a namespace, and a principal which is of it anyway; or somebody, and
 * everybody but somebody. Either is enough, so the wider one decides.
 */
function splitSources(object: KubeObject, { rules, ref }: AuthorizationPolicy): readonly StaticMatch[] {
  return rules.flatMap(({ from }, index): readonly StaticMatch[] => {
    const narrow = from.findIndex((source, at) =>
      from.some((other, place) => place !== at && isPointless(source, other)),
    );
    if (narrow < 0) return [];
    return [
      {
        object,
        at: ['spec', 'rules', index, 'from', narrow],
        certainty: 'possible',
        cause: `Sources of rule ${index} of ${nameOf(ref)} are alternatives: whom source ${narrow} names another one admits already, and more.`,
        drafts: [join(object, index, 'from', ref, from.length === 2)],
      },
    ];
  });
}

/** Of two entries that have no field in common it is plain what the one is that was meant, if one may say both. */
function join(object: KubeObject, rule: number, list: 'from' | 'to', ref: ObjectRef, isPlain: boolean): Draft {
  const field = list === 'from' ? 'source' : 'operation';
  const at = ['spec', 'rules', rule, list];
  const both = [0, 1].map((index) => recordOf(valueAt(object.raw, ...at, index, field)));
  const one = { ...both[0], ...both[1] };
  // istiod takes no source that names accounts in both ways (istio 86c9f01f pkg/config/validation/validation.go).
  const planned =
    isPlain && one['serviceAccounts'] === undefined
      ? patchObject(object, [{ op: 'set', at, value: [{ [field]: one }] }])
      : null;
  const summary = `If both were meant to hold, make one ${field} of them in ${refText(ref)}.`;
  return planned === null
    ? step('policy-change', summary, { decision: OWNER, confirm: [showPolicy(ref)] })
    : draftOf([planned], { kind: 'policy-change', summary, risk: RISK, decision: OWNER, verify: [showPolicy(ref)] });
}

type Source = PolicyRule['from'][number];

/** Whether a source that names callers adds nothing to another one that asks for something else. */
function isPointless(narrow: Source, wide: Source): boolean {
  const [own, other] = [fieldsOf(narrow), fieldsOf(wide)];
  if (own.length === 0 || other.length === 0 || other.some((field) => own.includes(field))) return false;
  return isOnlyNegative(wide) ? own.every((field) => !field.startsWith('not')) : sourceCovers(wide, narrow);
}

/** Everybody passes such a source, but for those it names. */
function isOnlyNegative(source: Source): boolean {
  const fields = fieldsOf(source);
  return fields.length > 0 && fields.every((field) => field.startsWith('not'));
}
