import { parseIpBlock } from '../match-ip.ts';

/** What is wrong with the values of one field, one sentence part each; empty: nothing. Values are untrusted text. */
export type Check = (values: readonly string[]) => readonly string[];

/** Makes a check of a rule for one value: null, or what is wrong with it. */
function each(problemOf: (value: string) => string | null): Check {
  return (values) =>
    values.flatMap((value) => {
      const problem = problemOf(value);
      return problem === null ? [] : [`${JSON.stringify(value)} ${problem}`];
    });
}

/** No value may be empty. */
export const filled: Check = each((value) => (value === '' ? 'must not be empty' : null));

/** Addresses and blocks as Go's net/netip reads them (istio 86c9f01f pkg/config/security/security.go). */
export const ipBlocks: Check = each((value) =>
  parseIpBlock(value) === null ? 'is neither an IP address nor a CIDR range' : null,
);

/** Decimal ports, leading zeros allowed, 0 included. */
export const ports: Check = each((value) =>
  /^[0-9]+$/.test(value) && Number(value) <= 65_535 ? null : 'is not a port (0 to 65535)',
);

const MAX_SERVICE_ACCOUNTS = 16;
const MAX_SERVICE_ACCOUNT_BYTES = 320;

/** `serviceAccount` or `namespace/serviceAccount`, no wildcards, not too many, not too long. */
export const serviceAccounts: Check = (values) =>
  values.length > MAX_SERVICE_ACCOUNTS
    ? [`must not have more than ${MAX_SERVICE_ACCOUNTS} values`]
    : serviceAccountForm(values);

const serviceAccountForm: Check = each((value) => {
  if (value === '') return 'must not be empty';
  if (value.includes('*')) return 'must not have a wildcard';
  const parts = value.split('/', 3);
  if (parts.length > 2 || parts.includes('')) return 'must be serviceAccount or namespace/serviceAccount';
  const bytes = new TextEncoder().encode(value).length;
  return bytes > MAX_SERVICE_ACCOUNT_BYTES ? `must not be longer than ${MAX_SERVICE_ACCOUNT_BYTES} bytes` : null;
});

/** Patterns of trust domains, as a condition takes them: at most one `*`, that first or last. */
export const trustDomainPatterns: Check = each(trustDomainProblem);

/** Patterns of trust domains, as a source takes them: also without a slash. */
export const trustDomains: Check = each((value) =>
  value.includes('/') ? 'must not have a slash' : trustDomainProblem(value),
);

function trustDomainProblem(value: string): string | null {
  if (value === '') return 'must not be empty';
  const star = value.indexOf('*');
  if (star < 0) return null;
  if (value.includes('*', star + 1)) return 'must not have more than one wildcard';
  return star === 0 || star === value.length - 1 ? null : 'may have a wildcard only first or last';
}

/** A path segment beside a template: what Envoy takes for a literal (RFC 3986 pchar, without escapes checked). */
const LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/;

const ONE_SEGMENT = '{*}';
const ANY_SEGMENTS = '{**}';

/** Paths: braces only as whole segments `{*}` or `{**}`, none of these after a `{**}`, beside them only literals. */
export const paths: Check = each((value) => {
  if (value === '') return 'must not be empty';
  const isTemplate = value.includes(ONE_SEGMENT) || value.includes(ANY_SEGMENTS);
  let sawAny = false;
  for (const segment of withoutOuterSlashes(value).split('/')) {
    if (segment === ONE_SEGMENT || segment === ANY_SEGMENTS) {
      if (sawAny) return 'must not have an operator after {**}';
      sawAny = segment === ANY_SEGMENTS;
      continue;
    }
    if (/[{}]/.test(segment)) return 'may have braces only as segments {*} or {**}';
    if (isTemplate && !LITERAL.test(segment)) return `has the segment ${JSON.stringify(segment)} beside a template`;
  }
  return null;
});

function withoutOuterSlashes(path: string): string {
  let start = 0;
  let end = path.length;
  while (start < end && path[start] === '/') start++;
  while (end > start && path[end - 1] === '/') end--;
  return path.slice(start, end);
}
