import type { Envelope, Instant } from '../../src/model/line.ts';
import type { DiagnosticRecord, LogRecord } from '../../src/model/record.ts';
import { readDebugPairs } from '../../src/text/key-value.ts';
import { closingQuote } from '../../src/text/rust-debug.ts';
import { reporterOf } from './access.ts';

/** ztunnel's levels (istio/ztunnel 62d82653 src/telemetry.rs prints them in lower case, releases before 1.22 in upper case). */
const SEVERITIES: ReadonlyMap<string, DiagnosticRecord['severity']> = new Map([
  ['error', 'error'],
  ['warn', 'warning'],
  ['info', 'info'],
  ['debug', 'debug'],
  ['trace', 'debug'],
]);

/** The severity of a lower-case level; null: no level of ztunnel's. */
export function severityOf(level: string): DiagnosticRecord['severity'] | null {
  return SEVERITIES.get(level) ?? null;
}

/** A scope column: the module that spoke and the fields of the spans around it, outermost first. */
export interface Scope {
  /** Without a leading `ztunnel::`. */
  readonly name: string;
  readonly spans: readonly Span[];
}

/** A tracing span: `outbound{id=0a1b}`. */
export interface Span {
  readonly name: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** Reads `proxy::inbound:proxy{wl=ns/pod}:inbound{id=… peer=…}`: a module path, then spans behind single colons. */
export function readScope(column: string): Scope {
  let end = 0;
  while (end < column.length && !isSingleColon(column, end)) end += column.startsWith('::', end) ? 2 : 1;
  return { name: withoutCrate(column.slice(0, end)), spans: readSpans(column, end + 1) };
}

/** Reads spans from `from` to the end: `proxy{wl=ns/pod}:inbound{id=…}`. Broken ones give what can be read. */
export function readSpans(column: string, from: number): readonly Span[] {
  const spans: Span[] = [];
  let at = from;
  while (at < column.length) {
    const end = spanEnd(column, at);
    const text = column.slice(at, end);
    const brace = text.indexOf('{');
    const name = brace < 0 ? text : text.slice(0, brace);
    const fields = brace < 0 ? new Map<string, string>() : readDebugPairs(text.slice(brace + 1, -1));
    if (name !== '') spans.push({ name, fields });
    at = end + 1;
  }
  return spans;
}

/** Index of the first of `stops` from `from` on that stands outside of braces and quotes; the length if there is none. */
export function outsideBraces(text: string, from: number, stops: string): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const char = text.charAt(at);
    if (depth === 0 && stops.includes(char)) return at;
    if (char === '{') depth++;
    else if (char === '}') depth--;
    else if (char === '\\') at++;
    else if (char === '"' && depth > 0) at = Math.max(at, closingQuote(text, at + 1));
  }
  return text.length;
}

function spanEnd(column: string, from: number): number {
  return outsideBraces(column, from, ':');
}

function isSingleColon(text: string, at: number): boolean {
  return text.charAt(at) === ':' && text.charAt(at + 1) !== ':';
}

/** The module path as plain text prints it: without the crate. */
export function withoutCrate(scope: string): string {
  return scope.startsWith('ztunnel::') ? scope.slice('ztunnel::'.length) : scope;
}

/**
 * ztunnel's modules that print lines (istio/ztunnel 62d82653 src/lib.rs), and the scope of a vendor's request lines. `dns` is
 * left out: istio-agent has a scope of that name.
 */
const MODULES: ReadonlySet<string> = new Set([
  'admin',
  'app',
  'cert_fetcher',
  'config',
  'drain',
  'http access',
  'hyper_util',
  'identity',
  'inpod',
  'proxy',
  'proxyfactory',
  'rbac',
  'readiness',
  'signal',
  'socket',
  'state',
  'telemetry',
  'tls',
  'xds',
  'ztunnel',
]);

/** True for a scope column that ztunnel may print: one of its modules, a Rust path (`h2::proto::connection`), or with spans. */
export function isModule(column: string): boolean {
  return column.includes('::') || MODULES.has(column) || SPAN.test(column);
}

/** The same for text in which columns are hard to tell: the root of the path must be a module of ztunnel's. */
export function isOwnModule(column: string): boolean {
  const root = /^[a-z_0-9]+/.exec(column)?.[0] ?? '';
  return (MODULES.has(root) || root === 'dns') && isModule(column) && root !== column;
}

const SPAN = /^[a-z_0-9]+:[a-z_0-9]+\{/;

/** The record of any line that is no access line. Of fields with one name the innermost is kept: line, last span, first span. */
export function diagnosticOf(
  envelope: Envelope,
  head: { readonly parser: string; readonly time: Instant | null; readonly severity: DiagnosticRecord['severity'] },
  scope: Scope,
  message: string,
  fields: Iterable<readonly [string, string]>,
): DiagnosticRecord {
  const all: (readonly [string, string])[] = [];
  let reporter = reporterOf(null);
  for (const span of scope.spans) {
    reporter = reporterOf(span.name) ?? reporter;
    for (const pair of span.fields) all.push(pair);
  }
  all.push(...fields);
  return {
    kind: 'diagnostic',
    at: envelope.at,
    parser: head.parser,
    proxy: 'ztunnel',
    reporter,
    origin: envelope.origin,
    time: head.time ?? envelope.time,
    raw: envelope.payload,
    severity: head.severity,
    scope: scope.name,
    message,
    fields: Object.fromEntries(all),
  };
}

/** How the start-up record begins that prints the whole configuration as YAML over many lines (istio/ztunnel src/main.rs). */
const CONFIG_DUMP = 'running with config:';
const YAML_LINE = /^(?:\s|$|- |[A-Za-z_][\w.-]*:)/;

/** True for the further lines of ztunnel's configuration dump; its last line is a lone tab. */
export function continuesConfig(record: LogRecord, payload: string): boolean {
  return record.kind === 'diagnostic' && record.message.startsWith(CONFIG_DUMP) && YAML_LINE.test(payload);
}
