import type { TokenLocations } from './jwt-provider.ts';

/** A token and where it stood. Null: not in a header, not in a parameter. */
export interface FoundToken {
  readonly text: string;
  readonly header: string | null;
  readonly param: string | null;
}

/** What of a request is searched. Null: absent. */
interface TokenPlaces {
  /** All values of a header. */
  header(name: string): readonly string[] | null;
  /** Path with query. */
  readonly target: string | null;
  /** Values of the Cookie header. */
  readonly cookies: readonly string[] | null;
}

/** All tokens: headers first, then parameters, then cookies (envoy 1.37 source/extensions/filters/http/jwt_authn/extractor.cc). */
export function findTokens({ headers, params, cookies }: TokenLocations, places: TokenPlaces): readonly FoundToken[] {
  const pairs = places.target === null ? [] : queryOf(places.target);
  return [
    ...headers.flatMap(({ name, prefix }) =>
      (places.header(name) ?? []).flatMap((value) => {
        const text = tokenIn(value, prefix);
        return text === null ? [] : [{ text, header: name, param: null }];
      }),
    ),
    ...params.flatMap((param) => {
      const text = pairs.find(([name]) => name === param)?.[1];
      return text === undefined ? [] : [{ text, header: null, param }];
    }),
    ...cookies.flatMap((cookie) => {
      const text = cookieOf(places.cookies ?? [], cookie);
      return text === null ? [] : [{ text, header: null, param: null }];
    }),
  ];
}

/** The text from the first character after the prefix that a token can have; the prefix may stand anywhere. */
function tokenIn(value: string, prefix: string): string | null {
  if (prefix === '') return value;
  const at = value.indexOf(prefix);
  if (at < 0) return null;
  const rest = value.slice(at + prefix.length);
  const start = rest.search(/[A-Za-z0-9\-_.]/);
  return start < 0 ? value : rest.slice(start);
}

function queryOf(target: string): readonly (readonly [string, string])[] {
  const mark = target.indexOf('?');
  if (mark < 0) return [];
  return target
    .slice(mark + 1)
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=');
      const name = equals < 0 ? pair : pair.slice(0, equals);
      return [percentDecode(name), equals < 0 ? '' : percentDecode(pair.slice(equals + 1))] as const;
    });
}

function percentDecode(text: string): string {
  return text.replace(/%[0-9A-Fa-f]{2}/g, (found) => String.fromCharCode(Number.parseInt(found.slice(1), 16)));
}

/** The path without one parameter. Envoy writes the others anew, sorted by name. */
export function withoutParam(target: string, param: string): string {
  const rest = queryOf(target).filter(([name]) => name !== param);
  rest.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
  const path = target.slice(0, target.indexOf('?'));
  return rest.length === 0 ? path : `${path}?${rest.map(([name, value]) => `${name}=${value}`).join('&')}`;
}

function cookieOf(lines: readonly string[], name: string): string | null {
  for (const line of lines) {
    for (const pair of line.split(';')) {
      const equals = pair.indexOf('=');
      if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
      return pair
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1');
    }
  }
  return null;
}
