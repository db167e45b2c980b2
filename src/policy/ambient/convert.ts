import type { AuthorizationPolicy, Condition, PolicyOperation, PolicyRule, PolicySource } from '../../model/policy.ts';
import { parseIpBlock } from '../match-ip.ts';
import { readStringList } from '../match-string.ts';
import {
  type AmbientSettings,
  byText,
  type Constraint,
  type LostField,
  policyKey,
  type ServiceAccountMatch,
  type ZtunnelMatch,
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

/** Attributes that L4 can answer, as `when` keys. Every other key counts as an HTTP attribute. */
const CONDITIONS: ReadonlyMap<string, Constraint['field']> = new Map([
  ['source.ip', 'sourceIps'],
  ['source.namespace', 'namespaces'],
  ['source.principal', 'principals'],
  ['destination.ip', 'destinationIps'],
  ['destination.port', 'destinationPorts'],
]);

/** Fields of `source` and `operation` that are HTTP attributes: ztunnel has no place for them. */
const HTTP_SOURCE = ['remoteIpBlocks', 'notRemoteIpBlocks', 'requestPrincipals', 'notRequestPrincipals'] as const;
const HTTP_OPERATION = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'] as const;
/** Fields that ztunnel has no place for either, and that istiod does not count: they vanish without a word. */
const SILENT_SOURCE = ['trustDomains', 'notTrustDomains'] as const;

/**
 * istiod's form of an AuthorizationPolicy for ztunnel, with the status it writes (istio 86c9f01f
 * pilot/pkg/serviceregistry/ambient/authorization.go). Dry-run policies, those bound by `targetRefs` and the actions
 * AUDIT and CUSTOM are not sent. Expects an admitted object; what admission would refuse is read without throwing.
 */
export function convertPolicy(policy: AuthorizationPolicy, settings: AmbientSettings): Conversion {
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
export function httpAttributes(rules: readonly ZtunnelRule[]): readonly string[] {
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

function convertRule(rule: PolicyRule, index: number, namespace: string): ZtunnelRule {
  const to = rule.to.map((entry, at) => convertOperation(entry, `to[${at}].operation`));
  const from = rule.from.map((entry, at) => convertSource(entry, `from[${at}].source`, namespace));
  const when = rule.when.map((condition, at) => [convertCondition(condition, `when[${at}]`)]);
  return { index, clauses: [to, from, ...when].filter((clause) => clause.length > 0) };
}

/** An absent operation would make istiod dereference nil; admission refuses it. Here it is an entry without fields. */
function convertOperation(operation: PolicyOperation | null, path: string): ZtunnelMatch {
  if (operation === null) return { path, constraints: [], lost: [] };
  const { ports, notPorts } = operation;
  return {
    path,
    constraints: constraintsOf({ field: 'destinationPorts', path, namespace: '' }, { ports }, { notPorts }),
    lost: HTTP_OPERATION.flatMap((name) => lost(`${path}.${name}`, operation[name], name)),
  };
}

function convertSource(source: PolicySource | null, path: string, namespace: string): ZtunnelMatch {
  if (source === null) return { path, constraints: [], lost: [] };
  const { ipBlocks, notIpBlocks, namespaces, notNamespaces, serviceAccounts, notServiceAccounts } = source;
  const { principals, notPrincipals } = source;
  return {
    path,
    constraints: [
      ...constraintsOf({ field: 'sourceIps', path, namespace }, { ipBlocks }, { notIpBlocks }),
      ...constraintsOf({ field: 'serviceAccounts', path, namespace }, { serviceAccounts }, { notServiceAccounts }),
      ...constraintsOf({ field: 'principals', path, namespace }, { principals }, { notPrincipals }),
      ...constraintsOf({ field: 'namespaces', path, namespace }, { namespaces }, { notNamespaces }),
    ],
    lost: [
      ...HTTP_SOURCE.flatMap((name) => lost(`${path}.${name}`, source[name], name)),
      ...SILENT_SOURCE.flatMap((name) => lost(`${path}.${name}`, source[name], null)),
    ],
  };
}

function convertCondition({ key, values, notValues }: Condition, path: string): ZtunnelMatch {
  const field = CONDITIONS.get(key);
  if (field !== undefined) {
    return { path, constraints: constraintsOf({ field, path, namespace: '' }, { values }, { notValues }), lost: [] };
  }
  const written = [...values, ...notValues.map((value) => `not ${value}`)];
  return { path, constraints: [], lost: [{ path: `${path}.key`, written, httpAttribute: key }] };
}

function lost(path: string, written: readonly string[], httpAttribute: string | null): readonly LostField[] {
  return written.length === 0 ? [] : [{ path, written, httpAttribute }];
}

/** What a list of values is for: ztunnel's field, the entry it stands in, the namespace of the policy. */
interface Place {
  readonly field: Constraint['field'];
  readonly path: string;
  readonly namespace: string;
}

/** One list of values by its name in the YAML. */
type Named = Readonly<Record<string, readonly string[]>>;

/** The positive and the negative constraint of one field; a list without a readable value is no constraint. */
function constraintsOf(place: Place, positive: Named, negative: Named): readonly Constraint[] {
  const read = (lists: Named, negated: boolean): readonly (Constraint | null)[] =>
    Object.entries(lists).map(([name, written]) => readConstraint(place, name, written, negated));
  return [...read(positive, false), ...read(negative, true)].filter((constraint) => constraint !== null);
}

function readConstraint(
  { field, path, namespace }: Place,
  name: string,
  written: readonly string[],
  negated: boolean,
): Constraint | null {
  if (written.length === 0) return null;
  const base = { negated, path: `${path}.${name}`, written };
  switch (field) {
    case 'principals':
    case 'namespaces':
      return { ...base, field, values: readStringList(written) };
    case 'serviceAccounts':
      return { ...base, field, values: written.map((value) => readServiceAccount(value, namespace)) };
    case 'sourceIps':
    case 'destinationIps': {
      const values = written.map(parseIpBlock).filter((block) => block !== null);
      return values.length === 0 ? null : { ...base, field, values };
    }
    case 'destinationPorts': {
      const values = written.map(readPort).filter((port) => port !== null);
      return values.length === 0 ? null : { ...base, field, values };
    }
  }
}

/** `name` of the policy's own namespace, or `namespace/name`. */
function readServiceAccount(written: string, namespace: string): ServiceAccountMatch {
  const slash = written.indexOf('/');
  if (slash < 0) return { namespace, name: written };
  return { namespace: written.slice(0, slash), name: written.slice(slash + 1) };
}

/** Decimal digits only, as Go's ParseUint; leading zeros are fine. */
function readPort(written: string): number | null {
  if (!/^\d+$/.test(written)) return null;
  const port = Number(written);
  return port <= 65535 ? port : null;
}
