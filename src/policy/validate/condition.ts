import type { Condition } from '../../model/policy.ts';
import { type Check, filled, ipBlocks, ports, serviceAccounts, trustDomainPatterns } from './values.ts';

/** Attributes of `when` and what their values must be (istio 86c9f01f pkg/config/security/security.go). */
const ATTRIBUTES: Readonly<Record<string, Check>> = {
  'source.ip': ipBlocks,
  'remote.ip': ipBlocks,
  'source.namespace': filled,
  'source.serviceAccount': serviceAccounts,
  'source.principal': filled,
  'source.trustDomain': trustDomainPatterns,
  'request.auth.principal': filled,
  'request.auth.audiences': filled,
  'request.auth.presenter': filled,
  'destination.ip': ipBlocks,
  'destination.port': ports,
  'connection.sni': filled,
};

/** Attributes of the form `prefix[name]`; only the start counts, so `request.headersX[a]` passes. */
const KEYED_PREFIXES = [
  'request.headers',
  'request.experimental.inline.headers',
  'request.auth.claims',
  'experimental.envoy.filters.',
];

/** What is wrong with one entry of `when`. */
export function conditionErrors(condition: Condition): readonly string[] {
  const { key, values, notValues } = condition;
  if (key === '') return ['key: must not be empty'];
  if (values.length === 0 && notValues.length === 0) return ['values: this or notValues must be set'];
  const check = checkOf(key);
  if (typeof check === 'string') return [`key: ${JSON.stringify(key)} ${check}`];
  return [
    ...check(values).map((problem) => `values: ${problem}`),
    ...check(notValues).map((problem) => `notValues: ${problem}`),
  ];
}

/** The check for the values, or what is wrong with the key. */
function checkOf(key: string): Check | string {
  if (KEYED_PREFIXES.some((prefix) => key.startsWith(prefix))) {
    return isKeyed(key) ? filled : 'must have the form attribute[name]';
  }
  if (Object.hasOwn(ATTRIBUTES, key)) return ATTRIBUTES[key] ?? filled;
  if (key.startsWith('destination.labels')) return 'is replaced by the workload selector';
  if (key === 'destination.namespace') return 'is replaced by metadata.namespace';
  return 'is no known attribute';
}

function isKeyed(key: string): boolean {
  const open = key.indexOf('[');
  return key.endsWith(']') && open > 0 && open < key.length - 2;
}
