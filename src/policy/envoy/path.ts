import { isAtLeast, type PathNormalization } from './settings.ts';

/** The path as policies see it (without query) and as it goes on (with query); null: Envoy answers 400. */
interface NormalPath {
  readonly path: string;
  readonly forwarded: string;
}

/** Percent-encoded characters that are decoded: unreserved ones (RFC 3986). */
const UNRESERVED = /[A-Za-z0-9\-._~]/;
/** An escape, or a character that is encoded if it stands there as it is (Envoy's path table, from Chromium's url). */
const SPECIAL = /%[0-9A-Fa-f]{2}|["<>^`{|}]|[^\u0021-\u007e]/gu;
/** A path without these is its own normal form. */
const NOT_PLAIN = /[.%\\"<>^`{|}]|[^\u0021-\u007e]/;
const SURROGATE = /\p{Surrogate}/u;

/**
 * Drops the fragment, then normalises as meshConfig.pathNormalization says: slashes decoded, RFC 3986, slashes merged
 * (envoy 1.40 source/common/http/{conn_manager_utility,path_utility}.cc; istio 86c9f01f tests/integration/security/
 * normalization_test.go). Linear time.
 */
export function normalizePath(
  written: string,
  normalization: PathNormalization,
  envoyVersion: string | null,
): NormalPath | null {
  const fragment = written.indexOf('#');
  const whole = fragment < 0 ? written : written.slice(0, fragment);
  const query = whole.indexOf('?');
  const suffix = query < 0 ? '' : whole.slice(query);
  let path: string | null = query < 0 ? whole : whole.slice(0, query);
  if (normalization === 'DECODE_AND_MERGE_SLASHES') path = decodeSlashes(path);
  if (normalization !== 'NONE') path = canonical(path, isAtLeast(envoyVersion, [1, 39, 3]));
  if (path === null) return null;
  if (normalization === 'MERGE_SLASHES' || normalization === 'DECODE_AND_MERGE_SLASHES') {
    path = mergeSlashes(path);
  }
  return { path, forwarded: path + suffix };
}

/** Envoy joins the segments that are not empty between the outer slashes: `//` stays as it is. */
function mergeSlashes(path: string): string {
  if (!path.includes('//')) return path;
  const segments = path.split('/').filter((segment) => segment !== '');
  return `${path.startsWith('/') ? '/' : ''}${segments.join('/')}${path.endsWith('/') ? '/' : ''}`;
}

function decodeSlashes(path: string): string {
  return path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
}

/** Segments are resolved one by one; empty ones count, so `/a//../b` is `/a/b`. Null: `%00` stands in it. */
function canonical(path: string, parameters: boolean): string | null {
  if (!NOT_PLAIN.test(path)) return path;
  if (path.includes('%00')) return null;
  if (!path.startsWith('/')) return path;
  const kept: string[] = [];
  const segments = path.slice(1).split(/[/\\]/);
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    const text = recode(segment);
    const dots = parameters ? withoutParameters(text) : text;
    if (dots === '..') kept.pop();
    if (dots === '..' || dots === '.') {
      if (last) kept.push('');
      continue;
    }
    kept.push(text);
  }
  return `/${kept.join('/')}`;
}

/** Envoy 1.39.3 and later: `..;` is `..`. */
function withoutParameters(segment: string): string {
  return segment === '..;' ? '..' : segment;
}

function recode(segment: string): string {
  return segment.replace(SPECIAL, (found) => {
    if (found.startsWith('%')) {
      const decoded = String.fromCharCode(Number.parseInt(found.slice(1), 16));
      return UNRESERVED.test(decoded) ? decoded : found;
    }
    return SURROGATE.test(found) ? '%EF%BF%BD' : encodeURIComponent(found);
  });
}
