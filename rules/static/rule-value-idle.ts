import type { MeshView } from '../../src/model/mesh.ts';
import type { AuthorizationPolicy, PolicyOperation, PolicySource } from '../../src/model/policy.ts';
import type { Draft } from '../../src/model/remedy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { readStringMatch } from '../../src/policy/match-string.ts';
import { authorizationPolicies, type Written } from '../../src/policy/survey/policies.ts';
import { podPortMeant } from '../../src/policy/survey/ports.ts';
import { podsSelected } from '../../src/policy/survey/selection.ts';
import { draftOf, patchObject } from '../../src/remedy/edits/change.ts';
import { showPolicy, step } from '../../src/remedy/edits/index.ts';
import { principalParts } from '../../src/remedy/edits/names.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';

/** A value of a rule that no caller and no request can have. */
export const rule: StaticRule = {
  meta: {
    id: 'rule-value-idle',
    category: 'authorization',
    level: 'warning',
    title: 'A value of a rule can match nothing',
    page: {
      meaning:
        'Values of rules are compared to the letter. A star counts at the beginning or at the end only: one between is a plain character (and with one at the beginning, so is one at the end). Methods are in capitals. A principal is TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT. A port is that of the pod, not of the Service. What such a value should admit is refused, and what it should deny comes in.',
      printedBy: 'Nobody at this place. Where an ALLOW has it, the denials that follow.',
      confirm: ['kubectl -n NAMESPACE get authorizationpolicy NAME -o yaml'],
      change:
        'Write the value as it is seen: a path with a part that varies as a template (/api/{*}/items, from Istio 1.22), each namespace and each host by its name, GET for get, the targetPort of the Service.',
      never: 'Do not shorten the value to a star: it then matches everything.',
    },
    cites: [
      'istio 86c9f01f pilot/pkg/security/authz/matcher/string.go',
      'istio 86c9f01f pilot/pkg/security/authz/model/generator.go',
      'istio/ztunnel 62d82653 src/rbac.rs',
    ],
  },
  check: (mesh) =>
    authorizationPolicies(mesh).flatMap((written) =>
      valuesOf(written.policy).flatMap((value): readonly StaticMatch[] => {
        const fault = faultOf(value, written.policy, mesh);
        return fault === null ? [] : [matchOf(written, value, fault)];
      }),
    ),
};

/** A value of a list, by the keys that lead to it. */
interface Value {
  readonly at: readonly (string | number)[];
  /** Name of the list without its `not`. */
  readonly field: string;
  readonly negated: boolean;
  readonly text: string;
  /** The whole list. */
  readonly among: readonly string[];
}

function valuesOf({ rules }: AuthorizationPolicy): readonly Value[] {
  return rules.flatMap(({ from, to }, index) => [
    ...from.flatMap((source, entry) => listed(source, ['spec', 'rules', index, 'from', entry, 'source'])),
    ...to.flatMap((operation, entry) => listed(operation, ['spec', 'rules', index, 'to', entry, 'operation'])),
  ]);
}

function listed(entry: PolicySource | PolicyOperation | null, at: Value['at']): readonly Value[] {
  return Object.entries(entry ?? {}).flatMap(([name, texts]: [string, readonly string[]]) => {
    const negated = name.startsWith('not');
    const field = negated ? name.charAt(3).toLowerCase() + name.slice(4) : name;
    return texts.map((text, index) => ({ at: [...at, name, index], field, negated, text, among: texts }));
  });
}

/** Why a value matches nothing, and what was meant instead, if that is plain. */
interface Fault {
  readonly why: string;
  readonly meant: string | null;
  /** It may be a placeholder, or an identity that is not Istio's own. */
  readonly isDoubtful?: boolean;
}

/** Lists in which a star has a meaning. */
const STARRED: ReadonlySet<string> = new Set(['principals', 'namespaces', 'paths', 'hosts']);

const METHODS: ReadonlySet<string> = new Set('GET HEAD POST PUT PATCH DELETE CONNECT OPTIONS TRACE'.split(' '));

function faultOf({ field, text, among }: Value, policy: AuthorizationPolicy, mesh: MeshView): Fault | null {
  // Templates of paths have stars of their own; those of charts are yet to be filled in.
  if (/[{$<]/.test(text)) return null;
  const short = text.replace(/\*\*+$/, '*');
  // `/dex/**` beside `/dex/*` is needless, and nothing is missed.
  if (short !== text && among.includes(short)) return null;
  if (STARRED.has(field) && readStringMatch(text).value.includes('*')) {
    return { why: 'a star counts at one end only, elsewhere it is a plain character', meant: null };
  }
  if (field === 'methods' && !METHODS.has(text) && METHODS.has(text.toUpperCase())) {
    return { why: 'methods are compared to the letter and are in capitals', meant: text.toUpperCase() };
  }
  if (field === 'principals' && !text.includes('*') && !text.includes('://') && principalParts(text) === null) {
    const isDoubtful = !/[/:]/.test(text);
    return { why: 'a principal has the form TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT', meant: null, isDoubtful };
  }
  const target = field === 'ports' ? podPortMeant(Number(text), podsSelected(policy, mesh), mesh) : null;
  if (target === null) return null;
  return { why: `that is the port of a Service, and its pods listen on ${target}`, meant: String(target) };
}

function matchOf({ object, policy: { ref } }: Written<AuthorizationPolicy>, value: Value, fault: Fault): StaticMatch {
  const { at, field, negated, text } = value;
  return {
    object,
    at,
    certainty: fault.isDoubtful === true ? 'possible' : 'likely',
    level: fault.isDoubtful === true ? 'note' : 'warning',
    cause: `${nameOf(ref)} ${negated ? 'excepts' : 'names'} ${text} among its ${field}, and that matches nothing: ${fault.why}.`,
    drafts: [draftFor(object, ref, at, text, fault.meant)],
  };
}

function draftFor(
  object: StaticMatch['object'],
  ref: AuthorizationPolicy['ref'],
  at: Value['at'],
  text: string,
  meant: string | null,
): Draft {
  const confirm = [showPolicy(ref)];
  if (meant === null) return step('policy-change', `Write in ${refText(ref)} what is meant by ${text}.`, { confirm });
  const summary = `Write ${meant} in place of ${text} in ${refText(ref)}.`;
  const risk = 'The rule begins to match what it names.';
  const planned = patchObject(object, [{ op: 'set', at, value: meant }]);
  return planned === null
    ? step('policy-change', summary, { risk, confirm })
    : draftOf([planned], { kind: 'policy-change', summary, risk, verify: confirm });
}
