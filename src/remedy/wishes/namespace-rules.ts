import { listOf, recordOf, textOf, textsOf, valueAt } from '../../text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;

/** Who was named so far. */
export interface NamedCaller {
  readonly principal: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/**
 * The AuthorizationPolicy `after` with the caller's whole namespace in each place that names the caller and did not in
 * `before` (null: a new policy); null: there is no such place. In an ALLOW policy the namespace is a source of its own,
 * beside the others: within one source the two would narrow each other. In a DENY policy it is one more exception of the
 * same source: each exception by itself narrows what is denied. What else a source or a rule asks for stays.
 */
export function forNamespace(before: Json | null, after: Json, caller: NamedCaller): Json | null {
  const action = textOf(valueAt(after, 'spec', 'action')) ?? 'ALLOW';
  const widen = WIDENERS.get(action);
  if (widen === undefined) return null;
  const rules = listOf(valueAt(after, 'spec', 'rules')).map(recordOf);
  const known = listOf(valueAt(before, 'spec', 'rules')).map(recordOf);
  const widening: Widening = { names: namesOf(caller, after), namespace: caller.namespace };
  const widened = rules.map((rule, index) => widen(rule, known[index] ?? {}, widening));
  if (widened.every((one) => one === null)) return null;
  const changed = widened.map((one, index) => one?.rule ?? rules[index]);
  const added = widened.flatMap((one) => one?.beside ?? []);
  return { ...after, spec: { ...recordOf(after['spec']), rules: [...changed, ...added] } };
}

interface Widening {
  /** The caller in all spellings that a list may have: as a principal, as a service account. */
  readonly names: ReadonlySet<string>;
  readonly namespace: string;
}

/** A rule as it becomes, and a rule that comes to stand beside it. */
interface Widened {
  readonly rule: Json;
  readonly beside: readonly Json[];
}

type Widener = (rule: Json, known: Json, widening: Widening) => Widened | null;

const WIDENERS: ReadonlyMap<string, Widener> = new Map([
  ['ALLOW', (rule, known, widening) => bySource(rule, known, widening, admitted) ?? byCondition(rule, known, widening)],
  [
    'DENY',
    (rule, known, widening) => bySource(rule, known, widening, excepted) ?? exceptByCondition(rule, known, widening),
  ],
]);

/** A service account without a namespace is in that of the policy. */
function namesOf({ principal, namespace, serviceAccount }: NamedCaller, policy: Json): ReadonlySet<string> {
  const own = valueAt(policy, 'metadata', 'namespace') === namespace ? [serviceAccount] : [];
  return new Set([principal, `${namespace}/${serviceAccount}`, ...own]);
}

/** A list without the caller; null: the caller is not in it, or was before. */
function withoutCaller(list: unknown, known: unknown, { names }: Widening): readonly string[] | null {
  const before = textsOf(known);
  const left = textsOf(list).filter((name) => !names.has(name) || before.includes(name));
  return left.length < textsOf(list).length ? left : null;
}

/** What a source becomes, in its place, and sources that come to stand behind all. Null: it stays. */
type SourceWidener = (source: Json, known: Json, widening: Widening) => readonly [Json, ...Json[]] | null;

function bySource(rule: Json, known: Json, widening: Widening, widen: SourceWidener): Widened | null {
  const entries = listOf(rule['from']).map(recordOf);
  const widened = entries.map((entry, index) =>
    widen(recordOf(entry['source']), recordOf(valueAt(known, 'from', index, 'source')), widening),
  );
  if (widened.every((one) => one === null)) return null;
  const inPlace = widened.map((one, index) => (one === null ? entries[index] : { source: one[0] }));
  const behind = widened.flatMap((one) => (one?.slice(1) ?? []).map((source) => ({ source })));
  return { rule: { ...rule, from: [...inPlace, ...behind] }, beside: [] };
}

function admitted(source: Json, known: Json, widening: Widening): readonly [Json, ...Json[]] | null {
  for (const field of ['principals', 'serviceAccounts']) {
    const left = withoutCaller(source[field], known[field], widening);
    if (left === null) continue;
    const { [field]: _named, ...others } = source;
    const wide = { ...others, namespaces: [widening.namespace] };
    return left.length === 0 ? [wide] : [{ ...source, [field]: left }, wide];
  }
  return null;
}

function excepted(source: Json, known: Json, widening: Widening): readonly [Json] | null {
  for (const field of ['notPrincipals', 'notServiceAccounts']) {
    const left = withoutCaller(source[field], known[field], widening);
    if (left === null) continue;
    const { [field]: _named, ...others } = source;
    const notNamespaces = [...textsOf(source['notNamespaces']), widening.namespace];
    return [{ ...others, ...(left.length === 0 ? {} : { [field]: left }), notNamespaces }];
  }
  return null;
}

/** `when: source.principal` is another way to list callers. A namespace beside it takes a rule of its own. */
function byCondition(rule: Json, known: Json, widening: Widening): Widened | null {
  const found = conditionNaming(rule, known, widening, 'values');
  if (found === null) return null;
  const { when, index, left } = found;
  const wide = withNamespace(rule, when, index, widening);
  if (left.length === 0) return { rule: wide, beside: [] };
  return { rule: { ...rule, when: when.with(index, { ...when[index], values: left }) }, beside: [wide] };
}

/** The rule with the namespace in the place of a condition: as its source, if it has none yet. */
function withNamespace(rule: Json, when: readonly Json[], index: number, { namespace }: Widening): Json {
  if (listOf(rule['from']).length > 0) {
    return { ...rule, when: when.with(index, { key: 'source.namespace', values: [namespace] }) };
  }
  const { from: _none, when: _when, ...others } = rule;
  const left = when.toSpliced(index, 1);
  return { from: [{ source: { namespaces: [namespace] } }], ...others, ...(left.length === 0 ? {} : { when: left }) };
}

function exceptByCondition(rule: Json, known: Json, widening: Widening): Widened | null {
  const found = conditionNaming(rule, known, widening, 'notValues');
  if (found === null) return null;
  const { when, index, left } = found;
  const kept = left.length === 0 ? when.toSpliced(index, 1) : when.with(index, { ...when[index], notValues: left });
  const exception = { key: 'source.namespace', notValues: [widening.namespace] };
  return { rule: { ...rule, when: [...kept, exception] }, beside: [] };
}

interface NamingCondition {
  readonly when: readonly Json[];
  readonly index: number;
  readonly left: readonly string[];
}

function conditionNaming(
  rule: Json,
  known: Json,
  widening: Widening,
  field: 'values' | 'notValues',
): NamingCondition | null {
  const when = listOf(rule['when']).map(recordOf);
  for (const [index, condition] of when.entries()) {
    if (condition['key'] !== 'source.principal') continue;
    const left = withoutCaller(condition[field], valueAt(known, 'when', index, field), widening);
    if (left !== null) return { when, index, left };
  }
  return null;
}
