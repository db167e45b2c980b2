/**
 * A second, deliberately simple reading of what an Envoy sidecar decides (reference/envoy.md §5.1 to §5.6), written
 * without looking at src/policy: everything is a regular expression or a loop, nothing is compiled or unknown.
 */

/** A policy as a user writes it. */
export interface NaivePolicy {
  readonly namespace: string;
  readonly name: string;
  readonly action: 'ALLOW' | 'DENY';
  readonly rules: readonly NaiveRule[];
}

type Fields = Readonly<Record<string, readonly string[]>>;

/** One rule. */
export interface NaiveRule {
  readonly from?: readonly { readonly source: Fields }[];
  readonly to?: readonly { readonly operation: Fields }[];
  readonly when?: readonly {
    readonly key: string;
    readonly values?: readonly string[];
    readonly notValues?: readonly string[];
  }[];
}

/** A request of which everything is known. */
export interface NaiveRequest {
  readonly tcp: boolean;
  readonly identity: string | null;
  readonly ip: string;
  readonly port: number;
  readonly sni: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly claims: Readonly<Record<string, unknown>> | null;
}

/** The mesh. */
interface NaiveMesh {
  readonly trustDomains: readonly string[];
}

/** `null`: allowed; else the text between the brackets of `rbac_access_denied_matched_policy[…]`. */
export function naiveDecide(policies: readonly NaivePolicy[], request: NaiveRequest, mesh: NaiveMesh): string | null {
  const matching = (action: NaivePolicy['action']): string[] =>
    policies
      .filter((policy) => policy.action === action)
      .flatMap((policy) =>
        policy.rules.flatMap((rule, index) =>
          matchesRule(policy, rule, request, mesh)
            ? [`ns[${policy.namespace}]-policy[${policy.name}]-rule[${index}]`]
            : [],
        ),
      )
      .sort();
  const [denied] = matching('DENY');
  if (denied !== undefined) return denied;
  if (!policies.some(({ action }) => action === 'ALLOW')) return null;
  return matching('ALLOW').length > 0 ? null : 'none';
}

/** A PeerAuthentication as a sidecar sees it; creation times differ. */
export interface NaivePeer {
  readonly ref: { readonly namespace: string };
  readonly createdAt: string | null;
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> | null } | null;
  readonly mode: string;
  readonly portModes: ReadonlyMap<number, string>;
}

/** Whether a sidecar refuses plain text at a port (reference/envoy.md §5.7). */
export function naiveStrict(
  peers: readonly NaivePeer[],
  pod: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  port: number,
  root: string,
): boolean {
  const aged = [...peers].sort((a, b) => Date.parse(a.createdAt ?? '') - Date.parse(b.createdAt ?? ''));
  const labelsOf = (peer: NaivePeer): [string, string][] => Object.entries(peer.selector?.matchLabels ?? {});
  const wide = (namespace: string): NaivePeer | undefined =>
    aged.find((peer) => peer.ref.namespace === namespace && labelsOf(peer).length === 0);
  const own = aged.find(
    (peer) =>
      peer.ref.namespace === pod.namespace &&
      peer.ref.namespace !== root &&
      labelsOf(peer).length > 0 &&
      labelsOf(peer).every(([key, value]) => pod.labels[key] === value),
  );
  const levels = [own?.portModes.get(port), own?.mode, wide(pod.namespace)?.mode, wide(root)?.mode];
  return levels.find((mode) => mode !== undefined && mode !== 'UNSET') === 'STRICT';
}

const HTTP_ONLY = /^(not)?(hosts|paths|methods|requestprincipals)$|^request\./i;

function matchesRule(policy: NaivePolicy, rule: NaiveRule, request: NaiveRequest, mesh: NaiveMesh): boolean {
  const tests: Test[] = [];
  const sources = (rule.from ?? []).map(({ source }) => fieldTests(source));
  const operations = (rule.to ?? []).map(({ operation }) => fieldTests(operation));
  for (const { key, values = [], notValues = [] } of rule.when ?? []) {
    if (!KNOWN_KEY.test(key)) return false;
    if (values.length > 0) tests.push({ field: key, values, negated: false });
    if (notValues.length > 0) tests.push({ field: key, values: notValues, negated: true });
  }
  const all = [...tests, ...sources.flat(), ...operations.flat()];
  const usable = (test: Test): readonly string[] =>
    request.tcp && HTTP_ONLY.test(test.field) ? [] : test.values.filter((value) => isValid(test.field, value));
  if (policy.action === 'ALLOW' && all.some((test) => usable(test).length < test.values.length)) return false;
  const holds = (test: Test): boolean => {
    const values = usable(test);
    if (values.length === 0) return true;
    return values.some((value) => matchesValue(test.field, value, policy, request, mesh)) !== test.negated;
  };
  const anyOf = (lists: readonly Test[][]): boolean => lists.length === 0 || lists.some((list) => list.every(holds));
  return tests.every(holds) && anyOf(sources) && anyOf(operations);
}

interface Test {
  readonly field: string;
  readonly values: readonly string[];
  readonly negated: boolean;
}

function fieldTests(fields: Fields): Test[] {
  return Object.entries(fields).flatMap(([name, values]) => {
    const negated = name.startsWith('not');
    const field = negated ? name.charAt(3).toLowerCase() + name.slice(4) : name;
    return values.length === 0 ? [] : [{ field, values, negated }];
  });
}

const KNOWN_KEY =
  /^(source\.(ip|namespace|principal)|remote\.ip|destination\.port|connection\.sni|request\.(auth\.principal|auth\.audiences|headers\[.+\]|auth\.claims\[.+\]))$/;

function isValid(field: string, value: string): boolean {
  if (/ports?$/.test(field)) return /^\d+$/.test(value) && Number(value) < 65536;
  if (/ipblocks$|\.ip$/i.test(field)) return /^(\d{1,3}\.){3}\d{1,3}(\/([0-9]|[12][0-9]|3[0-2]))?$/.test(value);
  return true;
}

function quote(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** Istio's star as an anchored expression. */
function star(value: string): RegExp {
  if (value === '*') return /^.+$/;
  if (value.startsWith('*')) return new RegExp(`^.*${quote(value.slice(1))}$`);
  if (value.endsWith('*')) return new RegExp(`^${quote(value.slice(0, -1))}.*$`);
  return new RegExp(`^${quote(value)}$`);
}

function bits(address: string): string {
  return address
    .split('.')
    .map((byte) => Number(byte).toString(2).padStart(8, '0'))
    .join('');
}

function inBlock(block: string, address: string): boolean {
  const [network = '', length = '32'] = block.split('/');
  return bits(network).slice(0, Number(length)) === bits(address).slice(0, Number(length));
}

function principals(value: string, { trustDomains }: NaiveMesh): readonly string[] {
  const parts = value.split('/');
  const ours = parts.length === 5 && (parts[0] === 'cluster.local' || trustDomains.includes(parts[0] ?? ''));
  return ours ? trustDomains.map((domain) => [domain, ...parts.slice(1)].join('/')) : [value];
}

function matchesPrincipal(value: string, identity: string | null, mesh: NaiveMesh): boolean {
  const name = identity?.replace('spiffe://', '') ?? null;
  return name !== null && principals(value, mesh).some((one) => star(one).test(name));
}

function requestPrincipal(value: string, claims: NaiveRequest['claims']): boolean {
  const { iss, sub } = claims ?? {};
  if (typeof iss !== 'string' || typeof sub !== 'string') return false;
  if (value === '*') return iss !== '' && sub !== '';
  const at = value.lastIndexOf('/');
  if (at < 0) return bareRequestPrincipal(value, iss, sub);
  const [wantedIss, wantedSub] = [value.slice(0, at), value.slice(at + 1)];
  if (value.startsWith('*')) return star(wantedIss).test(iss) && sub === wantedSub;
  return iss === wantedIss && (value.endsWith('*') ? star(wantedSub).test(sub) : sub === wantedSub);
}

function bareRequestPrincipal(value: string, iss: string, sub: string): boolean {
  if (value.startsWith('*')) return iss !== '' && sub.endsWith(value.slice(1));
  return value.endsWith('*') ? iss.startsWith(value.slice(0, -1)) && sub !== '' : iss === value && sub === '';
}

function matchesPath(value: string, path: string): boolean {
  const bare = path.replace(/[?#].*$/, '');
  if (!/\{\*{1,2}\}/.test(value)) return star(value).test(bare);
  const pattern = quote(value)
    .replaceAll('\\{\\*\\*\\}', "[a-zA-Z0-9\\-._~%!$&'()+,;:@=*/]*")
    .replaceAll('\\{\\*\\}', "[a-zA-Z0-9\\-._~%!$&'()+,;:@=*]+");
  return new RegExp(`^${pattern}$`).test(bare);
}

function claimValues(claims: NaiveRequest['claims'], path: readonly string[]): readonly unknown[] {
  let value: unknown = claims;
  for (const name of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  return Array.isArray(value) ? value : [value];
}

function matchesValue(
  field: string,
  value: string,
  policy: NaivePolicy,
  request: NaiveRequest,
  mesh: NaiveMesh,
): boolean {
  const { identity, headers, claims } = request;
  const anyText = (items: readonly unknown[]): boolean =>
    items.some((item) => typeof item === 'string' && star(value).test(item));
  const header = /^request\.headers\[(.+)\]$/.exec(field)?.[1];
  if (header !== undefined) {
    const lines = headers.filter(([name]) => name.toLowerCase() === header.toLowerCase());
    return value === '*' ? lines.length > 0 : anyText(lines.map(([, text]) => text));
  }
  const claim = /^request\.auth\.claims(\[.+\])$/.exec(field)?.[1];
  if (claim !== undefined) return anyText(claimValues(claims, claim.slice(1, -1).split('][')));
  switch (field) {
    case 'principals':
    case 'source.principal':
      return matchesPrincipal(value, identity, mesh);
    case 'namespaces':
    case 'source.namespace':
      return new RegExp(`^.*/ns/${quote(value).replaceAll('\\*', '.*')}/.*$`).test(identity ?? '');
    case 'serviceAccounts': {
      const [namespace, account] = value.includes('/') ? value.split('/') : [policy.namespace, value];
      return new RegExp(`^spiffe://.+/ns/${quote(namespace ?? '')}/(.+/|)sa/${quote(account ?? '')}(/.+)?$`).test(
        identity ?? '',
      );
    }
    case 'ipBlocks':
    case 'source.ip':
    case 'remoteIpBlocks':
    case 'remote.ip':
      return inBlock(value, request.ip);
    case 'requestPrincipals':
    case 'request.auth.principal':
      return requestPrincipal(value, claims);
    case 'request.auth.audiences':
      return anyText(claimValues(claims, ['aud']));
    case 'ports':
    case 'destination.port':
      return Number(value) === request.port;
    case 'methods':
      return value === '*' || star(value).test(request.method);
    case 'hosts':
      return value === '*' || star(value.toLowerCase()).test(request.host.toLowerCase());
    case 'paths':
      return matchesPath(value, request.path);
    case 'connection.sni':
      return star(value).test(request.sni);
    default:
      throw new Error(`the naive reading does not know ${field}`);
  }
}
