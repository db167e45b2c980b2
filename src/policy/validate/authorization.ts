import type { PolicyOperation, PolicySource } from '../../model/policy.ts';
import type { AuthorizationSpec, RuleSpec } from '../decode-spec.ts';
import { conditionErrors } from './condition.ts';
import { type Remarks, scopeRemarks } from './scope.ts';
import { type Check, filled, ipBlocks, paths, ports, serviceAccounts, trustDomains } from './values.ts';

/** A field of a source: what its values must be, whether CUSTOM may have it, whether it also counts on plain TCP. */
interface SourceField {
  readonly check: Check;
  readonly custom: boolean;
  /** Istio's own list for its warning; trust domains are not in it although they do work on TCP. */
  readonly tcp: boolean;
}

const identityField: SourceField = { check: filled, custom: false, tcp: true };
const requestField: SourceField = { check: filled, custom: false, tcp: false };
const serviceAccountField: SourceField = { check: serviceAccounts, custom: false, tcp: true };
const trustDomainField: SourceField = { check: trustDomains, custom: false, tcp: false };
const ipField: SourceField = { check: ipBlocks, custom: true, tcp: true };

const SOURCE_FIELDS: { readonly [Name in keyof PolicySource]: SourceField } = {
  principals: identityField,
  notPrincipals: identityField,
  requestPrincipals: requestField,
  notRequestPrincipals: requestField,
  namespaces: identityField,
  notNamespaces: identityField,
  serviceAccounts: serviceAccountField,
  notServiceAccounts: serviceAccountField,
  trustDomains: trustDomainField,
  notTrustDomains: trustDomainField,
  ipBlocks: ipField,
  notIpBlocks: ipField,
  remoteIpBlocks: ipField,
  notRemoteIpBlocks: ipField,
};

const OPERATION_CHECKS: { readonly [Name in keyof PolicyOperation]: Check } = {
  hosts: filled,
  notHosts: filled,
  ports,
  notPorts: ports,
  methods: filled,
  notMethods: filled,
  paths,
  notPaths: paths,
};

const NOT_WITH_CUSTOM = 'is not supported with action CUSTOM';

/** `when` attributes that CUSTOM refuses, beside all of `request.auth.`. */
const NOT_CUSTOM_KEYS = new Set(['source.namespace', 'source.serviceAccount', 'source.principal']);

/** What istiod's webhook says about the spec of an AuthorizationPolicy (istio 86c9f01f pkg/config/validation/validation.go). */
export function authorizationRemarks(spec: AuthorizationSpec): Remarks {
  const scope = scopeRemarks(spec);
  const custom = spec.action === 'CUSTOM';
  const ofRules = spec.rules.flatMap((rule, index) => ruleErrors(rule, `rules[${index}]`, custom));
  const httpOnly = spec.action === 'DENY' ? spec.rules.flatMap((rule, index) => (isHttpOnly(rule) ? [index] : [])) : [];
  return {
    errors: [...scope.errors, ...actionErrors(spec), ...ofRules],
    warnings: [
      ...scope.warnings,
      ...httpOnly.map((index) => `rules[${index}]: has only HTTP attributes, so it denies all plain TCP traffic`),
    ],
  };
}

function actionErrors(spec: AuthorizationSpec): readonly string[] {
  const { action, provider, rules } = spec;
  const errors: string[] = [];
  if ((action === 'CUSTOM' || action === 'DENY') && rules.length === 0) {
    errors.push(`rules: action ${action} has no effect without a rule`);
  }
  if (action === 'CUSTOM' && rules.length > 0 && (provider === null || provider.name === '')) {
    errors.push('provider.name: must be set with action CUSTOM');
  }
  if (action !== 'CUSTOM' && provider !== null) errors.push(`provider: must not be set with action ${action}`);
  return errors;
}

function ruleErrors(rule: RuleSpec, path: string, custom: boolean): readonly string[] {
  const { from, to, when } = rule;
  return [
    ...from.flatMap(({ source }, index) => sourceErrors(source, `${path}.from[${index}].source`, custom)),
    ...to.flatMap(({ operation }, index) => operationErrors(operation, `${path}.to[${index}].operation`)),
    ...when.flatMap((condition, index) => [
      ...(custom && isNotCustomKey(condition.key)
        ? [`${path}.when[${index}].key: ${condition.key} ${NOT_WITH_CUSTOM}`]
        : []),
      ...conditionErrors(condition).map((problem) => `${path}.when[${index}].${problem}`),
    ]),
  ];
}

function isNotCustomKey(key: string): boolean {
  return NOT_CUSTOM_KEYS.has(key) || key.startsWith('request.auth.');
}

function sourceErrors(source: PolicySource | null, path: string, custom: boolean): readonly string[] {
  if (source === null) return [`${path}: must be set`];
  const used = usedFields(SOURCE_FIELDS, source);
  if (used.length === 0) return [`${path}: must not be empty`];
  const errors = mixesIdentities(source) ? [`${path}: serviceAccounts exclude principals and namespaces`] : [];
  for (const [name, field, values] of used) {
    errors.push(...field.check(values).map((problem) => `${path}.${name}: ${problem}`));
    if (custom && !field.custom) errors.push(`${path}.${name}: ${NOT_WITH_CUSTOM}`);
  }
  return errors;
}

function mixesIdentities(source: PolicySource): boolean {
  const accounts = source.serviceAccounts.length + source.notServiceAccounts.length;
  const others = [source.principals, source.notPrincipals, source.namespaces, source.notNamespaces];
  return accounts > 0 && others.some((values) => values.length > 0);
}

function operationErrors(operation: PolicyOperation | null, path: string): readonly string[] {
  if (operation === null) return [`${path}: must be set`];
  const used = usedFields(OPERATION_CHECKS, operation);
  if (used.length === 0) return [`${path}: must not be empty`];
  return used.flatMap(([name, check, values]) => check(values).map((problem) => `${path}.${name}: ${problem}`));
}

/** The entries of a table whose field has values, with these. */
function usedFields<Name extends string, Entry>(
  table: Readonly<Record<Name, Entry>>,
  message: Readonly<Record<Name, readonly string[]>>,
): readonly (readonly [Name, Entry, readonly string[]])[] {
  const used: (readonly [Name, Entry, readonly string[]])[] = [];
  for (const name in table) if (message[name].length > 0) used.push([name, table[name], message[name]]);
  return used;
}

/** Istio's test for its warning about DENY rules; `when` is not looked at. */
function isHttpOnly(rule: RuleSpec): boolean {
  const sources = rule.from.flatMap(({ source }) => (source === null ? [] : [source]));
  const operations = rule.to.flatMap(({ operation }) => (operation === null ? [] : [operation]));
  if (operations.length > 0) return !operations.some(({ ports, notPorts }) => ports.length + notPorts.length > 0);
  const tcp = sources.some((source) => usedFields(SOURCE_FIELDS, source).some(([, field]) => field.tcp));
  return sources.length > 0 && !tcp;
}
