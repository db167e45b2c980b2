import type {
  AuthorizationPolicy,
  Condition,
  MtlsMode,
  PeerAuthentication,
  PolicyOperation,
  PolicyRule,
  PolicySource,
} from '../src/model/policy.ts';

/**
 * istiod's conversion and ztunnel's decision a second time, slow and literal, from ../shared/reference/ztunnel.md §3 and
 * without a line of src/policy: what two readings of one page agree on is less likely to be a slip.
 */
export interface NaiveConnection {
  readonly sourceIp: string;
  readonly identity: string | null;
  readonly destinationIp: string;
  readonly destinationPort: number;
}

export interface NaiveVerdict {
  readonly outcome: 'allow' | 'deny';
  readonly deniedBy: readonly string[];
  readonly attached: readonly string[];
}

/** ztunnel's match message: lists of patterns, blocks as `address/bits`, `namespace/account` pairs, ports. */
interface Match {
  namespaces: string[];
  notNamespaces: string[];
  serviceAccounts: string[];
  notServiceAccounts: string[];
  principals: string[];
  notPrincipals: string[];
  sourceIps: string[];
  notSourceIps: string[];
  destinationIps: string[];
  notDestinationIps: string[];
  destinationPorts: number[];
  notDestinationPorts: number[];
}

interface Authorization {
  key: string;
  scope: 'global' | 'namespace' | 'selector';
  action: 'ALLOW' | 'DENY';
  rules: Match[][][];
}

type Labels = Readonly<Record<string, string>>;

export function naiveDecide(
  policies: readonly (AuthorizationPolicy | PeerAuthentication)[],
  workload: { readonly namespace: string; readonly labels: Labels },
  connection: NaiveConnection,
  root: string,
): NaiveVerdict {
  const authorizations = policies.filter((policy) => policy.kind === 'AuthorizationPolicy');
  const peers = policies.filter((policy) => policy.kind === 'PeerAuthentication');
  const attached = listOf(authorizations, peers, workload, root);
  const deniedBy: string[] = [];
  let allowPolicies = 0;
  let allowed = false;
  for (const one of everythingSent(authorizations, peers, root)) {
    if (!applies(one, workload.namespace, attached)) continue;
    const matched = authorizationMatches(one, connection);
    if (one.action === 'DENY' && matched) deniedBy.push(one.key);
    if (one.action === 'ALLOW') allowPolicies += 1;
    if (one.action === 'ALLOW' && matched) allowed = true;
  }
  const denied = deniedBy.length > 0 || (allowPolicies > 0 && !allowed);
  return { outcome: denied ? 'deny' : 'allow', deniedBy: deniedBy.sort(), attached };
}

function applies({ scope, key }: Authorization, namespace: string, attached: readonly string[]): boolean {
  if (scope === 'global') return true;
  return scope === 'namespace' ? key.startsWith(`${namespace}/`) : attached.includes(key);
}

function everythingSent(
  authorizations: readonly AuthorizationPolicy[],
  peers: readonly PeerAuthentication[],
  root: string,
): Authorization[] {
  const sent = authorizations.map((policy) => convertAuthorization(policy, root));
  const strict = [[[{ ...emptyMatch(), notPrincipals: ['*'] }]]];
  if (peers.length > 0) {
    sent.push({ key: `${root}/istio_converted_static_strict`, scope: 'selector', action: 'DENY', rules: strict });
  }
  sent.push(...peers.map((peer) => convertPeer(peer, peers, root)));
  return sent.filter((one) => one !== null);
}

// ---- 3.4, ztunnel

function authorizationMatches(policy: Authorization, connection: NaiveConnection): boolean {
  for (const rule of policy.rules) {
    let ruleMatch = true;
    for (const clause of rule) if (!clauseMatches(clause, connection)) ruleMatch = false;
    if (ruleMatch) return true;
  }
  return false;
}

function clauseMatches(clause: Match[], connection: NaiveConnection): boolean {
  if (clause.length === 0) return true;
  for (const match of clause) {
    const empty = Object.values(match).every((list) => list.length === 0);
    if (!empty && matchMatches(match, connection)) return true;
  }
  return false;
}

function matchMatches(match: Match, { sourceIp, identity, destinationIp, destinationPort }: NaiveConnection): boolean {
  const split = identity?.split('/') ?? [];
  const namespace = split[4] ?? '';
  const account = split[6] ?? '';
  const principal = identity?.replace(/^spiffe:\/\//, '') ?? null;
  const isPrincipal = (pattern: string): boolean => principal !== null && like(pattern, principal);
  const isNamespace = (pattern: string): boolean => like(pattern, namespace);
  const isAccount = (pair: string): boolean => identity !== null && pair === `${namespace}/${account}`;
  return (
    both(match.principals, match.notPrincipals, isPrincipal) &&
    both(match.namespaces, match.notNamespaces, isNamespace) &&
    both(match.serviceAccounts, match.notServiceAccounts, isAccount) &&
    both(match.sourceIps, match.notSourceIps, (block) => inside(block, sourceIp)) &&
    both(match.destinationIps, match.notDestinationIps, (block) => inside(block, destinationIp)) &&
    both(match.destinationPorts, match.notDestinationPorts, (port) => port === destinationPort)
  );
}

function both<T>(positive: T[], negative: T[], test: (value: T) => boolean): boolean {
  const wanted = positive.length === 0 ? true : positive.some(test);
  const unwanted = negative.length === 0 ? false : negative.some(test);
  return wanted && !unwanted;
}

function like(pattern: string, text: string): boolean {
  if (pattern === '*') return text.length > 0;
  if (pattern[0] === '*') return text.slice(-(pattern.length - 1)) === pattern.slice(1);
  if (pattern.at(-1) === '*') return text.slice(0, pattern.length - 1) === pattern.slice(0, -1);
  return pattern === text;
}

function inside(block: string, address: string): boolean {
  const [network = '', bits = ''] = block.split('/');
  const plain = address.toLowerCase().replace(/^::ffff:(\d+\.\d+\.\d+\.\d+)$/, '$1');
  if (network.includes(':') !== plain.includes(':')) return false;
  return binary(network).slice(0, Number(bits)) === binary(plain).slice(0, Number(bits));
}

/** The bits of a well-formed address as text. */
function binary(address: string): string {
  const bits = (value: number, width: number): string => value.toString(2).padStart(width, '0');
  if (!address.includes(':')) {
    return address
      .split('.')
      .map((byte) => bits(Number(byte), 8))
      .join('');
  }
  const dotted = address.match(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/);
  let hex = address;
  if (dotted !== null) {
    const [whole, a, b, c, d] = dotted;
    const high = (Number(a) * 256 + Number(b)).toString(16);
    const low = (Number(c) * 256 + Number(d)).toString(16);
    hex = address.replace(whole, `${high}:${low}`);
  }
  const [left = '', right] = hex.split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  while (head.length + tail.length < 8) head.push('0');
  return [...head, ...tail].map((group) => bits(Number.parseInt(group, 16), 16)).join('');
}

// ---- 3.5, AuthorizationPolicy

function convertAuthorization(policy: AuthorizationPolicy, root: string): Authorization | null {
  const unsent = policy.dryRun || policy.targetRefs.length > 0;
  if (unsent || policy.action === 'CUSTOM' || policy.action === 'AUDIT') return null;
  const { namespace, name } = policy.ref;
  const wide = namespace === root ? 'global' : 'namespace';
  const rules: Match[][][] = [];
  for (const rule of policy.rules) {
    if (policy.action === 'ALLOW' && ruleHasHttp(rule)) continue;
    const to = rule.to.map((operation) => convertTo(operation));
    const from = rule.from.map((source) => convertFrom(source, namespace));
    const when = rule.when.map((condition) => [convertWhen(condition)]);
    rules.push([to, from, ...when].filter((clause) => clause.length > 0));
  }
  const scope = policy.selector === null ? wide : 'selector';
  return { key: `${namespace}/${name}`, scope, action: policy.action, rules };
}

function convertWhen({ key, values, notValues }: Condition): Match {
  const match = emptyMatch();
  switch (key) {
    case 'source.ip':
      return { ...match, sourceIps: blocks(values), notSourceIps: blocks(notValues) };
    case 'source.namespace':
      return { ...match, namespaces: [...values], notNamespaces: [...notValues] };
    case 'source.principal':
      return { ...match, principals: [...values], notPrincipals: [...notValues] };
    case 'destination.ip':
      return { ...match, destinationIps: blocks(values), notDestinationIps: blocks(notValues) };
    case 'destination.port':
      return { ...match, destinationPorts: ports(values), notDestinationPorts: ports(notValues) };
    default:
      return match;
  }
}

const L4_KEYS = ['source.ip', 'source.namespace', 'source.principal', 'destination.ip', 'destination.port'];

function ruleHasHttp({ from, to, when }: PolicyRule): boolean {
  return [...from, ...to].some(hasHttp) || when.some(({ key }) => !L4_KEYS.includes(key));
}

const HTTP = [
  ...['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'],
  ...['remoteIpBlocks', 'notRemoteIpBlocks', 'requestPrincipals', 'notRequestPrincipals'],
];

function hasHttp(entry: PolicyOperation | PolicySource | null): boolean {
  return Object.entries(entry ?? {}).some(([name, values]) => HTTP.includes(name) && values.length > 0);
}

function convertTo(operation: PolicyOperation | null): Match {
  const match = emptyMatch();
  if (operation !== null) {
    match.destinationPorts = ports(operation.ports);
    match.notDestinationPorts = ports(operation.notPorts);
  }
  return match;
}

function convertFrom(source: PolicySource | null, namespace: string): Match {
  const match = emptyMatch();
  if (source === null) return match;
  const account = (name: string): string => (name.includes('/') ? name : `${namespace}/${name}`);
  match.sourceIps = blocks(source.ipBlocks);
  match.notSourceIps = blocks(source.notIpBlocks);
  match.namespaces = [...source.namespaces];
  match.notNamespaces = [...source.notNamespaces];
  match.serviceAccounts = source.serviceAccounts.map(account);
  match.notServiceAccounts = source.notServiceAccounts.map(account);
  match.principals = [...source.principals];
  match.notPrincipals = [...source.notPrincipals];
  return match;
}

/** Well-formed blocks only: what a value may look like is tested with the vectors. */
function blocks(values: readonly string[]): string[] {
  return values.map((value) => (value.includes('/') ? value : `${value}/${value.includes(':') ? 128 : 32}`));
}

function ports(values: readonly string[]): number[] {
  return values.map(Number).filter((port) => Number.isInteger(port) && port >= 0 && port <= 65535);
}

function emptyMatch(): Match {
  return {
    namespaces: [],
    notNamespaces: [],
    serviceAccounts: [],
    notServiceAccounts: [],
    principals: [],
    notPrincipals: [],
    sourceIps: [],
    notSourceIps: [],
    destinationIps: [],
    notDestinationIps: [],
    destinationPorts: [],
    notDestinationPorts: [],
  };
}

// ---- 3.5 and 3.6 (a) to (c), what istiod lists on the workload

function listOf(
  authorizations: readonly AuthorizationPolicy[],
  peers: readonly PeerAuthentication[],
  workload: { readonly namespace: string; readonly labels: Labels },
  root: string,
): string[] {
  const listed: string[] = [];
  for (const policy of authorizations) {
    const wanted = policy.selector?.matchLabels ?? null;
    const { namespace, name } = policy.ref;
    if (wanted === null || convertAuthorization(policy, root) === null) continue;
    if (namespace !== root && namespace !== workload.namespace) continue;
    const unlabelled = Object.keys(workload.labels).length === 0;
    if (unlabelled || subset(wanted, workload.labels)) listed.push(`${namespace}/${name}`);
  }
  return [...listed.sort(), ...peerList(peers, workload, root)];
}

function peerList(
  peers: readonly PeerAuthentication[],
  workload: { readonly namespace: string; readonly labels: Labels },
  root: string,
): string[] {
  const aged = byAge(peers);
  const isWide = ({ selector }: PeerAuthentication): boolean => Object.keys(selector?.matchLabels ?? {}).length === 0;
  const inRoot = ({ ref }: PeerAuthentication): boolean => ref.namespace === root;
  const near = aged.filter(({ ref }) => ref.namespace === workload.namespace && ref.namespace !== root);
  const mesh = aged.find((p) => inRoot(p) && isWide(p) && (p.selector === null || workload.namespace === root));
  const namespace = near.find(isWide);
  const pod = near.find((p) => !isWide(p) && subset(p.selector?.matchLabels ?? {}, workload.labels));

  let strict = mesh?.mode === 'STRICT';
  if (namespace !== undefined && namespace.mode !== 'UNSET') strict = namespace.mode === 'STRICT';
  const converted = `${pod?.ref.namespace}/converted_peer_authentication_${pod?.ref.name}`;
  switch (keyFor(pod?.mode ?? 'UNSET', [...(pod?.portModes.values() ?? [])], strict)) {
    case 'static':
      return [`${root}/istio_converted_static_strict`];
    case 'converted':
      return [converted];
    case 'none':
      return [];
  }
}

/** Table (c). */
function keyFor(mode: MtlsMode, ports: readonly MtlsMode[], inherited: boolean): 'static' | 'converted' | 'none' {
  if (mode === 'STRICT') return ports.includes('PERMISSIVE') || ports.includes('DISABLE') ? 'converted' : 'static';
  if (mode === 'PERMISSIVE' || mode === 'DISABLE') return ports.includes('STRICT') ? 'converted' : 'none';
  if (inherited) return ports.includes('PERMISSIVE') ? 'converted' : 'static';
  return ports.includes('STRICT') ? 'converted' : 'none';
}

// ---- 3.6 (d), the content

function convertPeer(
  peer: PeerAuthentication,
  peers: readonly PeerAuthentication[],
  root: string,
): Authorization | null {
  if (peer.ref.namespace === root || peer.selector === null) return null;
  const parentOf = (namespace: string): MtlsMode | 'absent' =>
    byAge(peers).find(({ ref, selector }) => ref.namespace === namespace && selector === null)?.mode ?? 'absent';
  const parent = parentOf(peer.ref.namespace);
  const mesh = parentOf(root);
  const own = peer.mode;
  const ports = [...peer.portModes].sort(([a], [b]) => a - b);
  const noIdentity: Match = { ...emptyMatch(), notPrincipals: ['*'] };

  const covered =
    own === 'STRICT' ||
    (own === 'UNSET' && parent === 'STRICT') ||
    ((parent === 'absent' || parent === 'UNSET') && mesh === 'STRICT'); // asymmetry 1
  const exceptable =
    own === 'STRICT' || (own === 'UNSET' && (parent === 'STRICT' || (parent === 'absent' && mesh === 'STRICT'))); // asymmetry 2
  const strict = ports.filter(([, mode]) => mode === 'STRICT' && !covered);
  const exempt = ports.filter(([, mode]) => (mode === 'PERMISSIVE' || mode === 'DISABLE') && exceptable);
  const rules = strict.map(([port]) => [[{ ...noIdentity, destinationPorts: [port] }]]);
  // Whether a parent's STRICT is merged in or one of its own is there: the exempt ports stand beside no identity.
  const exceptions = exempt.map(([port]) => [{ ...emptyMatch(), notDestinationPorts: [port] }]);
  if (exempt.length > 0) rules.push([[noIdentity], ...exceptions]);
  if (rules.length === 0) return null;
  const key = `${peer.ref.namespace}/converted_peer_authentication_${peer.ref.name}`;
  return { key, scope: 'selector', action: 'DENY', rules };
}

/** Oldest first; the times in the tests differ. */
function byAge(peers: readonly PeerAuthentication[]): PeerAuthentication[] {
  return [...peers].sort((a, b) => Date.parse(a.createdAt ?? '') - Date.parse(b.createdAt ?? ''));
}

function subset(wanted: Labels, labels: Labels): boolean {
  return Object.keys(wanted).every((key) => labels[key] === wanted[key]);
}
