import type { Finding } from '../../model/finding.ts';
import type { Condition, PolicyOperation, PolicyRule, PolicySource } from '../../model/policy.ts';
import type { Flow } from '../../model/traffic.ts';
import { blockHolds, parseIp, parseIpBlock } from '../../policy/match-ip.ts';
import { matchesString, readStringMatch } from '../../policy/match-string.ts';
import { allOf, anyOf, type Truth } from '../../policy/network-match.ts';
import { pathShape, plainPath } from '../../text/path-shape.ts';
import { ownAddresses } from './caller-proof.ts';
import { principalParts } from './names.ts';

/** What rules of an AuthorizationPolicy are compared with. */
export interface Call {
  /** Null: plain text, no identity. */
  readonly principal: string | null;
  readonly addresses: readonly string[];
  /** Port of the pod; null: not known. */
  readonly port: number | null;
  /** What was requested, where all requests agree. */
  readonly method: string | null;
  readonly path: string | null;
  /** ztunnel knows nothing of HTTP: an ALLOW rule with HTTP fields is dropped there, and a DENY rule loses them. */
  readonly layer4: boolean;
  /** Namespace of the policy: service accounts without a namespace are in it. */
  readonly policyNamespace: string;
}

/** The call of a finding, against policies of a namespace. `port` is the pod's. */
export function callOf(finding: Finding, port: number | null, policyNamespace: string): Call {
  const requests = requestsOf(finding);
  return {
    principal: finding.source.principal,
    addresses: ownAddresses(finding),
    port,
    method: onlyOne(requests.map(({ method }) => method)),
    path: onlyOne(requests.map(({ path, sample }) => (sample ? null : path))),
    layer4: isLayer4(finding),
    policyNamespace,
  };
}

/** True where no HTTP field may stand in a policy: at ztunnel, and wherever it is not known who enforces. */
export function isLayer4({ enforcedBy }: Finding): boolean {
  return enforcedBy === null || enforcedBy === 'ztunnel';
}

/** A request of a finding, as far as a policy could name it. */
export interface Request {
  readonly method: string | null;
  /** Without query. */
  readonly path: string | null;
  /** Stands for several requests, whose paths may differ in segments that look like ids. */
  readonly sample: boolean;
}

/** What the finding's requests were, one per flow; empty where none is of HTTP. */
export function requestsOf(finding: Finding): readonly Request[] {
  return finding.flows.flatMap((flow) => {
    const { record } = flow;
    if (record.kind !== 'request') return [];
    const path = record.path === null ? null : plainPath(record.path);
    return [{ method: record.method, path, sample: standsForOthers(flow) }];
  });
}

/**
 * True for a flow of requests whose paths differ: it holds all paths of one shape, and one of them as its own. Only the lines
 * that were kept can tell.
 */
export function standsForOthers({ record, count, samples }: Flow): boolean {
  if (record.kind !== 'request' || record.path === null || count < 2) return false;
  const path = plainPath(record.path);
  return path !== pathShape(path) && samples.some(({ raw }) => !holdsPath(raw, path));
}

/** Whether the path stands in a line as a whole. */
function holdsPath(line: string, path: string): boolean {
  for (let at = line.indexOf(path); at >= 0; at = line.indexOf(path, at + 1)) {
    if (!/[\w./~%-]/.test(line.charAt(at + path.length))) return true;
  }
  return false;
}

/** The value that all agree on; null: they do not, or it is not known. */
function onlyOne(values: readonly (string | null)[]): string | null {
  const [first = null, ...others] = new Set(values);
  return others.length === 0 ? first : null;
}

/** Whether a rule's `from` covers the caller. Without sources it covers everybody. */
export function fromFits(rule: PolicyRule, call: Call, action: 'ALLOW' | 'DENY'): Truth {
  return rule.from.length === 0 ? true : anyOf(rule.from.map((source) => sourceFits(source, call, action)));
}

/** Whether a rule's `to` and `when` cover the call, whoever makes it. */
export function restFits(rule: PolicyRule, call: Call, action: 'ALLOW' | 'DENY'): Truth {
  const to = rule.to.length === 0 ? true : anyOf(rule.to.map((operation) => operationFits(operation, call, action)));
  return allOf([to, ...rule.when.map((condition) => conditionFits(condition, call, action))]);
}

/** Whether one entry of `from` covers the caller; `except` names fields to leave out of the question. An empty one covers nobody. */
export function sourceFits(
  source: PolicySource | null,
  call: Call,
  action: 'ALLOW' | 'DENY',
  except: readonly (keyof PolicySource)[] = [],
): Truth {
  if (source === null) return false;
  const identity = call.principal === null ? null : principalParts(call.principal);
  const whole = (list: readonly string[]): Truth => matchesAny(list, call.principal);
  const namespace = (list: readonly string[]): Truth => matchesAny(list, identity?.namespace ?? null);
  const account = (list: readonly string[]): Truth => accountIn(list, identity, call.policyNamespace);
  const address = (list: readonly string[]): Truth => addressIn(list, call.addresses);
  const http = (): Truth => null;
  const lost = call.layer4 ? action === 'DENY' : null;
  const fits: Readonly<Record<keyof PolicySource, Truth>> = {
    principals: listed(source.principals, whole),
    notPrincipals: notListed(source.notPrincipals, whole),
    namespaces: listed(source.namespaces, namespace),
    notNamespaces: notListed(source.notNamespaces, namespace),
    serviceAccounts: listed(source.serviceAccounts, account),
    notServiceAccounts: notListed(source.notServiceAccounts, account),
    trustDomains: listed(source.trustDomains, http),
    notTrustDomains: notListed(source.notTrustDomains, http),
    ipBlocks: listed(source.ipBlocks, address),
    notIpBlocks: notListed(source.notIpBlocks, address),
    requestPrincipals: listed(source.requestPrincipals, () => lost),
    notRequestPrincipals: listed(source.notRequestPrincipals, () => lost),
    remoteIpBlocks: listed(source.remoteIpBlocks, () => lost),
    notRemoteIpBlocks: listed(source.notRemoteIpBlocks, () => lost),
  };
  const left = Object.entries(fits).filter(([field]) => !except.some((name) => name === field));
  return allOf(left.map(([, fit]) => fit));
}

function operationFits(operation: PolicyOperation | null, call: Call, action: 'ALLOW' | 'DENY'): Truth {
  if (operation === null) return false;
  const port = (list: readonly string[]): Truth => (call.port === null ? null : list.includes(String(call.port)));
  const http = (list: readonly string[], seen: string | null): Truth => {
    if (call.layer4) return action === 'DENY';
    return seen === null || list.some((value) => value.includes('{')) ? null : matchesAny(list, seen);
  };
  const { hosts, notHosts, methods, notMethods, paths, notPaths } = operation;
  return allOf([
    listed(operation.ports, port),
    notListed(operation.notPorts, port),
    listed(methods, (list) => http(list, call.method)),
    listed(paths, (list) => http(list, call.path)),
    listed(hosts, (list) => http(list, null)),
    ...[notMethods, notPaths, notHosts].map((list) => listed(list, () => (call.layer4 ? action === 'DENY' : null))),
  ]);
}

/** Keys that ztunnel knows (istio 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go). */
const LAYER4_KEYS = ['source.ip', 'source.namespace', 'source.principal', 'destination.ip', 'destination.port'];

/** True for a key of a condition that ztunnel knows; all others are of HTTP, or unknown to it. */
export function isLayer4Key(key: string): boolean {
  return LAYER4_KEYS.includes(key);
}

function conditionFits({ key, values, notValues }: Condition, call: Call, action: 'ALLOW' | 'DENY'): Truth {
  if (call.layer4 && !isLayer4Key(key)) return action === 'DENY';
  const identity = call.principal === null ? null : principalParts(call.principal);
  const match = (list: readonly string[]): Truth => {
    if (key === 'source.principal') return matchesAny(list, call.principal);
    if (key === 'source.namespace') return matchesAny(list, identity?.namespace ?? null);
    if (key === 'source.ip') return addressIn(list, call.addresses);
    if (key === 'destination.port') return call.port === null ? null : list.includes(String(call.port));
    return null;
  };
  return allOf([listed(values, match), notListed(notValues, match)]);
}

function listed(list: readonly string[], match: (list: readonly string[]) => Truth): Truth {
  return list.length === 0 ? true : match(list);
}

function notListed(list: readonly string[], match: (list: readonly string[]) => Truth): Truth {
  if (list.length === 0) return true;
  const fit = match(list);
  return fit === null ? null : !fit;
}

/** An absent value is in no list (istio/ztunnel 62d82653 src/rbac.rs). */
function matchesAny(list: readonly string[], seen: string | null): boolean {
  return seen !== null && list.some((written) => matchesString(readStringMatch(written), seen));
}

function accountIn(
  list: readonly string[],
  identity: ReturnType<typeof principalParts>,
  policyNamespace: string,
): Truth {
  if (identity === null) return false;
  const { namespace, serviceAccount } = identity;
  return list.some((written) => {
    const slash = written.indexOf('/');
    const [ns, name] = slash < 0 ? [policyNamespace, written] : [written.slice(0, slash), written.slice(slash + 1)];
    return ns === namespace && name === serviceAccount;
  });
}

/** True or false only if it is the same for all addresses of the caller; null also where none is known. */
function addressIn(list: readonly string[], addresses: readonly string[]): Truth {
  const blocks = list.map(parseIpBlock).filter((block) => block !== null);
  const found = addresses.map((text) => {
    const address = parseIp(text);
    return address === null ? null : blocks.some((block) => blockHolds(block, address));
  });
  const [first = null] = found;
  return found.every((fit) => fit === first) ? first : null;
}
