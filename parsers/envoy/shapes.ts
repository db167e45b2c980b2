/**
 * What the printed value of an operator can look like (envoy 1.37 docs, configuration/observability/access_log). `word`: no
 * blank, no quote; `phrase`: blanks, but no quote, and the proxy writes it; `header`: free text of a client that seldom has
 * blanks; `free`: anything at all. The others are words or headers that say more about themselves.
 */
export type Shape =
  | 'number'
  | 'code'
  | 'port'
  | 'protocol'
  | 'flags'
  | 'details'
  | 'grpc'
  | 'method'
  | 'address'
  | 'host'
  | 'cluster'
  | 'word'
  | 'phrase'
  | 'path'
  | 'authority'
  | 'id'
  | 'forwarded'
  | 'header'
  | 'free'
  | 'time';

/** What holds for the values of a shape. `-` and empty text, which mean absent, are values of every shape. */
export interface ShapeRule {
  /** Longest value looked at: what keeps a hostile line from being searched again and again. */
  readonly maxLength: number;
  readonly mayHoldBlanks: boolean;
  readonly mayHoldQuotes: boolean;
  /** How freely a client writes it: 0 not at all, 1 seldom with blanks, 2 anything. */
  readonly freedom: 0 | 1 | 2;
  /** What every value fulfils, whatever Envoy, its age and who masked the line; null: nothing more. Linear. */
  readonly loose: RegExp | null;
  /** What usual values fulfil, which tells neighbours apart where the text between them does not; null: nothing. Linear. */
  readonly exact: RegExp | null;
  /** Usual values, to find out whether two neighbours can be told apart. */
  readonly samples: readonly string[];
}

const LONG = 8192;
const DIGITS = /^\d{1,20}$/;
const WORD = { maxLength: LONG, mayHoldBlanks: false, mayHoldQuotes: false, freedom: 0, loose: null } as const;
const HEADER = {
  maxLength: Number.POSITIVE_INFINITY,
  mayHoldBlanks: true,
  mayHoldQuotes: true,
  freedom: 1,
  loose: null,
} as const;

/** The rules of all shapes. */
export const SHAPES: Readonly<Record<Shape, ShapeRule>> = {
  number: { ...WORD, maxLength: 20, loose: DIGITS, exact: null, samples: ['0', '57', '1234'] },
  code: { ...WORD, maxLength: 20, loose: DIGITS, exact: /^(?:0|[1-9]\d\d)$/, samples: ['0', '200', '503'] },
  port: { ...WORD, maxLength: 20, loose: DIGITS, exact: /^\d{1,5}$/, samples: ['0', '80', '15006'] },
  protocol: {
    ...WORD,
    maxLength: 15,
    loose: /^HTTP\//,
    exact: /^HTTP\/\d(?:\.\d)?$/,
    samples: ['HTTP/1.1', 'HTTP/2'],
  },
  flags: {
    ...WORD,
    exact: /^[A-Z][A-Za-z]{1,40}(?:,[A-Z][A-Za-z]{1,40}){0,16}$/,
    samples: ['UF', 'UF,URX', 'NoRouteFound'],
  },
  details: {
    ...WORD,
    exact: /^[A-Za-z][\w.:-]{0,200}(?:\{[^\s"]*\}|\[[^\s"]*\]|\([^\s"]*\))?$/,
    samples: [
      'via_upstream',
      'codec_error:http2.x',
      'rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]',
      'upstream_reset_before_response_started{connection_failure|TLS_error:_1,a}',
    ],
  },
  grpc: {
    ...WORD,
    exact: /^(?:[A-Z][A-Za-z]{1,30}|[A-Z][A-Z_]{1,30}|\d{1,10})$/,
    samples: ['OK', 'PermissionDenied', 'PERMISSION_DENIED', '7'],
  },
  method: { ...WORD, exact: /^[A-Z][A-Z-]{1,40}$/, samples: ['GET', 'POST'] },
  address: {
    ...WORD,
    exact:
      /^(?:\d{1,3}(?:\.\d{1,3}){3}:\d{1,5}|\[[\da-fA-F:.%\w]{2,60}\]:\d{1,5}|[a-z]{3,8}:\/\/[^\s"]*|[/@][^\s"]*|[a-z][\w.-]*:\d{1,5})$/,
    samples: ['10.0.0.1:8080', '[2001:db8::1]:80', 'envoy://internal_client_address/'],
  },
  host: {
    ...WORD,
    exact:
      /^(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-fA-F]{0,4}(?::[\da-fA-F.]{0,15}){2,8}|[a-z]{3,8}:\/\/[^\s"]*|[/@][^\s"]*)(?:\/\d{1,3})?$/,
    samples: ['10.0.0.1', '2001:db8::1'],
  },
  cluster: {
    ...WORD,
    exact: /^(?:(?:out|in)bound(?:-vip)?\|\d{0,5}\|[^|\s]{0,300}\|[^|\s]{0,300}|(?!(?:out|in)bound\|)[^|\s"]{1,512})$/,
    samples: ['outbound|80|v1|a.b.svc.cluster.local', 'inbound|8080||', 'PassthroughCluster', 'xds-grpc'],
  },
  word: { ...WORD, exact: null, samples: ['a', 'a-b_c', 'web-0.x', 'spiffe://td/ns/a/sa/b'] },
  phrase: {
    ...WORD,
    mayHoldBlanks: true,
    exact: null,
    samples: ['default', 'transport socket timeout was reached', 'TLS_error:|268435581:SSL_routines:x:TLS_error_end'],
  },
  path: { ...HEADER, exact: /^(?:[/*]|[a-z]{2,8}:\/\/)[^\s"]*$/, samples: ['/', '/a/b.c?x=1&y=2', '/v1/x:predict'] },
  authority: { ...HEADER, exact: /^[\w.:%[\]-]+$/, samples: ['web.shop', 'web.shop:8080'] },
  id: { ...HEADER, exact: /^[\w-]+$/, samples: ['a84deefc-9bdd-4c1e-9b7a-a1b200006d9d'] },
  forwarded: {
    ...HEADER,
    exact: /^[\da-fA-F.:,[\] ]+$/,
    samples: ['10.0.0.1', '10.0.0.1,10.0.0.2', '10.0.0.1, 10.0.0.2'],
  },
  header: { ...HEADER, exact: null, samples: ['a', 'a-b_c', 'text/html', '10.0.0.1:80'] },
  free: {
    ...HEADER,
    freedom: 2,
    exact: null,
    samples: ['a', 'curl/8.7.1', 'Mozilla/5.0 (X11; Linux x86_64)', 'a, b: 1'],
  },
  time: {
    ...WORD,
    maxLength: 64,
    loose: /^\d/,
    exact: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:Z|[+-]\d{4})$/,
    samples: ['2026-11-21T12:24:51.934Z', '2026-11-21T12:24:51.934+0000'],
  },
};

/** Code of `"`, which only what clients write may hold. */
export const QUOTE: number = 34;
/** Code of a blank. */
export const BLANK: number = 32;

/** Whether `code` can stand in a value of this shape. */
export function mayHold(rule: ShapeRule, code: number): boolean {
  return (code !== BLANK || rule.mayHoldBlanks) && (code !== QUOTE || rule.mayHoldQuotes);
}

/** Whether a printed text means that there is no value. */
export function isAbsent(text: string): boolean {
  return text === '' || text === '-';
}

/** Whether a text whose characters are all allowed is a value of this shape. */
export function isValue(rule: ShapeRule, text: string, strict: boolean): boolean {
  if (isAbsent(text)) return true;
  if (rule.loose === DIGITS && (!strict || rule.exact === null)) return areDigits(text);
  const pattern = (strict ? rule.exact : null) ?? rule.loose;
  return pattern === null || pattern.test(text);
}

/** The same as the pattern, without its cost: most columns are numbers. */
function areDigits(text: string): boolean {
  for (let place = 0; place < text.length; place++) {
    const code = text.charCodeAt(place);
    if (code < 48 || code > 57) return false;
  }
  return text.length <= 20;
}
