import type { KubeObject, MeshView } from '../model/mesh.ts';
import { decodeAuthorizationPolicy } from '../policy/decode.ts';
import { type ProbeRequest, UNKNOWN_REQUEST } from '../policy/way/probe.ts';
import { remembered } from '../text/remembered.ts';

/** Methods, and paths, that are tried with each other. */
const MAX_VALUES = 5;
/** Headers that are tried beside them. */
const MAX_HEADERS = 2;

/** Values that stand for whatever policies do not name. */
export const OTHER_METHODS: readonly string[] = ['DELETE', 'PUT', 'PATCH', 'OPTIONS', 'HEAD', 'POST', 'GET'];
export const OTHER_PATH = '/some/other/path';

/**
 * Requests that policies may tell apart: the methods, paths and headers that AuthorizationPolicies name (a sample of those with a
 * star or a template), those of `objects` before the others of the mesh, with those of the request that was seen, and with
 * others. Empty: they name none, so all requests are alike to them.
 */
export function tellingRequests(
  seen: ProbeRequest,
  objects: readonly KubeObject[],
  mesh: MeshView,
): readonly ProbeRequest[] {
  const named = [namedBy(objects), namedIn(mesh)];
  const isAlike = named.every(({ methods, paths, headers }) => methods.length + paths.length + headers.length === 0);
  if (seen.protocol === 'tcp' || isAlike) return [];
  const methods = every(
    seen.method,
    named.flatMap((one) => one.methods),
    OTHER_METHODS,
  );
  const paths = every(
    seen.path,
    named.flatMap((one) => one.paths),
    [OTHER_PATH],
  );
  const carried = headersAmong(named.flatMap((one) => one.headers));
  return methods.flatMap((method) =>
    paths.flatMap((path) =>
      carried.map((headers) => ({
        ...UNKNOWN_REQUEST,
        ...{ protocol: 'http' as const, host: seen.host, method, path },
        ...{ headers: headers ?? [], headersComplete: headers !== null },
      })),
    ),
  );
}

/** The same request with each set of headers that the AuthorizationPolicies of a mesh may tell apart. */
export function withEachHeaders(seen: ProbeRequest, mesh: MeshView): readonly ProbeRequest[] {
  if (seen.protocol === 'tcp' || seen.headersComplete) return [seen];
  return headersAmong(namedIn(mesh).headers).map((headers) =>
    headers === null ? seen : { ...seen, headers, headersComplete: true },
  );
}

type Headers = ProbeRequest['headers'];

/** None, and each that is named alone. Where none is named, all are left open (null). */
function headersAmong(named: Headers): readonly (Headers | null)[] {
  return named.length === 0 ? [null] : [[], ...named.slice(0, MAX_HEADERS).map((header) => [header])];
}

/** What was seen, what is named, and the first of `others` that is neither. */
function every(seen: string | null, named: readonly string[], others: readonly string[]): readonly string[] {
  const rest = others.filter((other) => other !== seen && !named.includes(other));
  return [
    ...new Set([...(seen === null ? [] : [seen]), ...[...new Set(named)].slice(0, MAX_VALUES), ...rest.slice(0, 1)]),
  ];
}

/** Methods, paths and headers, sorted: what is asked does not depend on the order of policies. */
interface Named {
  readonly methods: readonly string[];
  readonly paths: readonly string[];
  readonly headers: Headers;
}

const namedIn: (mesh: MeshView) => Named = remembered((mesh) => namedBy(mesh.objectsOf('AuthorizationPolicy')));

const HEADER_KEY = /^request\.headers\[([^\]]+)\]$/;

function namedBy(objects: readonly KubeObject[]): Named {
  const rules = objects.flatMap((object) => {
    const policy = decodeAuthorizationPolicy(object);
    return policy.ok ? policy.value.rules : [];
  });
  const operations = rules.flatMap(({ to }) => to.filter((operation) => operation !== null));
  const samples = (lists: readonly (readonly string[])[]): readonly string[] =>
    [...new Set(lists.flat().map(sampleOf))].filter((value) => value !== '').toSorted();
  const headers = rules.flatMap(({ when }) =>
    when.flatMap(({ key, values, notValues }) => {
      const name = HEADER_KEY.exec(key)?.[1];
      return name === undefined ? [] : samples([values, notValues]).map((value): Headers[number] => [name, value]);
    }),
  );
  return {
    methods: samples(operations.flatMap(({ methods, notMethods }) => [methods, notMethods])),
    paths: samples(operations.flatMap(({ paths, notPaths }) => [paths, notPaths])),
    headers: headers.toSorted(([a, one], [b, other]) => (`${a} ${one}` < `${b} ${other}` ? -1 : 1)),
  };
}

/** A value that a pattern covers; empty: it covers all. */
function sampleOf(pattern: string): string {
  const plain = pattern.replace(/\{\*{1,2}\}/g, 'x');
  if (plain.startsWith('*')) return plain.slice(1) === '' ? '' : `/x${plain.slice(1)}`;
  return plain.endsWith('*') ? `${plain.slice(0, -1)}x` : plain;
}
