import type { Condition, PolicyOperation, PolicyRule, PolicySource } from '../../model/policy.ts';
import { parseIpBlock } from '../match-ip.ts';
import { readStringList } from '../match-string.ts';
import type { Constraint, LostField, ServiceAccountMatch, ZtunnelMatch, ZtunnelRule } from './form.ts';

type ZtunnelField = Constraint['field'];

/** Fields of `source` that ztunnel has: its own name, then ours with accepted and with refused values. */
const SOURCE = [
  ['sourceIps', 'ipBlocks', 'notIpBlocks'],
  ['serviceAccounts', 'serviceAccounts', 'notServiceAccounts'],
  ['principals', 'principals', 'notPrincipals'],
  ['namespaces', 'namespaces', 'notNamespaces'],
] as const satisfies readonly (readonly [ZtunnelField, keyof PolicySource, keyof PolicySource])[];
/** Fields of `source` and `operation` that are HTTP attributes: ztunnel has no place for them. */
const HTTP_SOURCE = ['remoteIpBlocks', 'notRemoteIpBlocks', 'requestPrincipals', 'notRequestPrincipals'] as const;
const HTTP_OPERATION = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'] as const;
/** Fields that ztunnel has no place for either, and that istiod does not count: they vanish without a word. */
const SILENT_SOURCE = ['trustDomains', 'notTrustDomains'] as const;
/** Keys of `when` that ztunnel can answer. Every other key counts as an HTTP attribute. */
const CONDITIONS: ReadonlyMap<string, ZtunnelField> = new Map([
  ['source.ip', 'sourceIps'],
  ['source.namespace', 'namespaces'],
  ['source.principal', 'principals'],
  ['destination.ip', 'destinationIps'],
  ['destination.port', 'destinationPorts'],
]);

/**
 * One rule of an AuthorizationPolicy in `namespace` as ztunnel gets it: `to`, `from` and each `when` become a clause (istio
 * 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go). Values that istiod cannot read are left out, and a field
 * without any other is lost.
 */
export function convertRule(rule: PolicyRule, index: number, namespace: string): ZtunnelRule {
  const to = rule.to.map((entry, at) => convertOperation(entry, `to[${at}].operation`));
  const from = rule.from.map((entry, at) => convertSource(entry, `from[${at}].source`, namespace));
  const when = rule.when.map((condition, at) => [convertCondition(condition, `when[${at}]`)]);
  return { index, clauses: [to, from, ...when].filter((clause) => clause.length > 0) };
}

/** A list of values where it stands. */
interface Written {
  readonly path: string;
  readonly written: readonly string[];
  readonly negated: boolean;
}

/** An absent operation would make istiod dereference nil; admission refuses it. Here it is an entry without fields. */
function convertOperation(operation: PolicyOperation | null, path: string): ZtunnelMatch {
  if (operation === null) return matchOf(path, []);
  const { ports, notPorts } = operation;
  return matchOf(path, [
    ...read('destinationPorts', { path: `${path}.ports`, written: ports, negated: false }, ''),
    ...read('destinationPorts', { path: `${path}.notPorts`, written: notPorts, negated: true }, ''),
    ...HTTP_OPERATION.flatMap((name) => lost(`${path}.${name}`, operation[name], name)),
  ]);
}

function convertSource(source: PolicySource | null, path: string, namespace: string): ZtunnelMatch {
  if (source === null) return matchOf(path, []);
  return matchOf(path, [
    ...SOURCE.flatMap(([field, accepted, refused]) => [
      ...read(field, { path: `${path}.${accepted}`, written: source[accepted], negated: false }, namespace),
      ...read(field, { path: `${path}.${refused}`, written: source[refused], negated: true }, namespace),
    ]),
    ...HTTP_SOURCE.flatMap((name) => lost(`${path}.${name}`, source[name], name)),
    ...SILENT_SOURCE.flatMap((name) => lost(`${path}.${name}`, source[name], null)),
  ]);
}

function convertCondition({ key, values, notValues }: Condition, path: string): ZtunnelMatch {
  const field = CONDITIONS.get(key);
  if (field === undefined) {
    const written = [...values, ...notValues.map((value) => `not ${value}`)];
    return matchOf(path, [{ path: `${path}.key`, written, httpAttribute: key }]);
  }
  return matchOf(path, [
    ...read(field, { path: `${path}.values`, written: values, negated: false }, ''),
    ...read(field, { path: `${path}.notValues`, written: notValues, negated: true }, ''),
  ]);
}

function matchOf(path: string, parts: readonly (Constraint | LostField)[]): ZtunnelMatch {
  return {
    path,
    constraints: parts.filter((part) => 'field' in part),
    lost: parts.filter((part): part is LostField => !('field' in part)),
  };
}

function lost(path: string, written: readonly string[], httpAttribute: string | null): readonly LostField[] {
  return written.length === 0 ? [] : [{ path, written, httpAttribute }];
}

/** Nothing for an absent field, which is an empty list. */
function read(field: ZtunnelField, list: Written, namespace: string): readonly (Constraint | LostField)[] {
  const { path, written } = list;
  if (written.length === 0) return [];
  switch (field) {
    case 'principals':
    case 'namespaces':
      return [{ ...list, field, values: readStringList(written) }];
    case 'serviceAccounts':
      return [{ ...list, field, values: written.map((value) => readServiceAccount(value, namespace)) }];
    case 'sourceIps':
    case 'destinationIps': {
      const values = written.map(parseIpBlock).filter((block) => block !== null);
      return values.length === 0 ? lost(path, written, null) : [{ ...list, field, values }];
    }
    case 'destinationPorts': {
      const values = written.map(readPort).filter((port) => port !== null);
      return values.length === 0 ? lost(path, written, null) : [{ ...list, field, values }];
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
