import type { Finding } from '../../model/finding.ts';
import type { Destination } from './destination.ts';
import { isLayer4, type Request, requestsOf } from './fit.ts';

type Json = Readonly<Record<string, unknown>>;

/** A path that means itself in a policy: no star, template or escape, and nothing that Istio would normalise. */
const LITERAL_PATH = /^(?!.*(?:\/\/|\/\.\.?(?:\/|$)))\/[A-Za-z0-9._~:@!$&'()+,;=/-]{0,200}$/;
const METHOD = /^[A-Z]{1,20}$/;
/** More operations, methods or paths than this are no list of what a caller needs, but a sample of it. */
const MAX_LISTED = 8;

/** A rule that admits a caller, and what is to be said of its width. */
export interface AllowRule {
  readonly rule: Json;
  /** Sentences for the risk, with a blank in front: what the rule opens beyond what was seen, or does not. May be empty. */
  readonly remark: string;
}

/**
 * The narrowest rule that admits a principal to what the finding saw: the port where policies see the pod's, and one
 * operation for each method and path it saw, where they are few and the proxy knows HTTP. Methods and paths are never
 * combined anew: what was not seen is not admitted. Null: requests were seen, and they cannot be listed.
 */
export function allowRule(finding: Finding, destination: Destination, principal: string): AllowRule | null {
  const ports = portsOf(finding, destination);
  const requests = isLayer4(finding) ? [] : requestsOf(finding);
  const from = [{ source: { principals: [principal] } }];
  if (requests.length === 0) {
    return { rule: { from, ...toOf(Object.keys(ports).length > 0 ? [ports] : []) }, remark: '' };
  }
  const listed = listedOperations(requests);
  if (listed === null) return null;
  return {
    rule: { from, ...toOf(listed.map((operation) => ({ ...ports, ...operation }))) },
    remark: samples(requests),
  };
}

/** True if the finding's requests are too many or too odd to be listed in a rule: then somebody has to say what they have in common. */
export function needsPattern(finding: Finding): boolean {
  const requests = isLayer4(finding) ? [] : requestsOf(finding);
  return requests.length > 0 && listedOperations(requests) === null;
}

/** What such a rule is narrowed to, in words: `port 8080`, `GET /a`. Empty: nothing, or its requests cannot be listed. */
export function scopeWords(finding: Finding, destination: Destination): readonly string[] {
  const { ports } = portsOf(finding, destination);
  const listed = isLayer4(finding) ? [] : (listedOperations(requestsOf(finding)) ?? []);
  return [
    ...(ports === undefined ? [] : [`port ${ports.join(', ')}`]),
    ...listed.map(({ methods, paths }) => `${methods.join(', ')} ${paths.join(', ')}`),
  ];
}

function toOf(operations: readonly Json[]): Json {
  return operations.length > 0 ? { to: operations.map((operation) => ({ operation })) } : {};
}

/** A waypoint stands before the pod, and which port its policies see depends on how it was called. */
function portsOf(finding: Finding, { port }: Destination): { readonly ports?: readonly string[] } {
  return port === null || finding.enforcedBy === 'waypoint' ? {} : { ports: [String(port)] };
}

/** Methods and paths as an operation has them: every method of it was seen with every path of it. */
interface Operation {
  readonly methods: readonly string[];
  readonly paths: readonly string[];
}

/** Null: they cannot be listed. */
function listedOperations(requests: readonly Request[]): readonly Operation[] | null {
  const methods = listable(
    requests.map(({ method }) => method),
    METHOD,
  );
  const paths = listable(
    requests.map(({ path }) => path),
    LITERAL_PATH,
  );
  if (methods === null || paths === null) return null;
  const byMethod = joinEqual(
    methods.map((method) => [method, paths.filter((path) => wasSeen(requests, method, path))]),
  ).map(([keys, values]) => ({ methods: keys, paths: values }));
  const byPath = joinEqual(
    paths.map((path) => [path, methods.filter((method) => wasSeen(requests, method, path))]),
  ).map(([keys, values]) => ({ methods: values, paths: keys }));
  const operations = byPath.length < byMethod.length ? byPath : byMethod;
  return operations.length <= MAX_LISTED ? operations : null;
}

function wasSeen(requests: readonly Request[], method: string, path: string): boolean {
  return requests.some((request) => request.method === method && request.path === path);
}

/** Keys with equal lists become one entry. */
function joinEqual(
  entries: readonly (readonly [key: string, values: readonly string[]])[],
): readonly (readonly [keys: readonly string[], values: readonly string[]])[] {
  const groups = new Map<string, { readonly keys: string[]; readonly values: readonly string[] }>();
  for (const [key, values] of entries) {
    const id = JSON.stringify(values);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, { keys: [key], values });
    else group.keys.push(key);
  }
  return [...groups.values()].map(({ keys, values }) => [keys, values]);
}

/** The values, each once and sorted; null: one of them is not known or means more than itself, or they are many. */
function listable(values: readonly (string | null)[], form: RegExp): readonly string[] | null {
  const known = [...new Set(values.filter((value) => value !== null))].toSorted();
  const fits = values.every((value) => value !== null && form.test(value));
  return fits && known.length <= MAX_LISTED ? known : null;
}

function samples(requests: readonly Request[]): string {
  const paths = [...new Set(requests.flatMap(({ path, sample }) => (sample && path !== null ? [path] : [])))];
  return paths.length === 0
    ? ''
    : ` Of paths with changing parts only ${paths.toSorted().join(', ')} is admitted, of which the log was read: others of that shape stay refused until their pattern is added.`;
}
