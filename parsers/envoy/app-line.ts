import type { DiagnosticRecord } from '../../src/model/record.ts';
import { isGoScope } from './components.ts';
import { isOpenDump } from './rbac-dump.ts';

/** An application log line in its parts. Untrusted text. */
export interface AppLine {
  /** As printed; null: lost. */
  readonly time: string | null;
  readonly severity: DiagnosticRecord['severity'];
  /** Logger: `envoy rbac`, `ads`; `default` for Go lines without one. */
  readonly scope: string;
  /** `file:line` of Envoy's source. */
  readonly source: string | null;
  /** Without the tags of its connection. */
  readonly message: string;
  readonly tags: Tags;
  /** Number of Envoy's worker thread, printed after the message since Istio 1.17. */
  readonly thread: string | null;
  /** True: the message goes on in the next line. */
  readonly isOpen: boolean;
}

/** Envoy's own numbers of the connection and the request that a message is about. Null: not told. */
export interface Tags {
  readonly connection: string | null;
  readonly stream: string | null;
}

const NO_TAGS: Tags = { connection: null, stream: null };
/** `[C12][S345] ` up to Envoy 1.27, then `[Tags: "ConnectionId":"12","StreamId":"345"] ` (envoy 1.37 source/common/common/logger.h). */
const TAGGED = /^\[(?:C(\d{1,20})\](?:\[S(\d{1,20})\])?|Tags: ((?:"\w{1,64}":"[^"]{0,256}",?){1,16})\]) ?/;

/** A message of Envoy without the tags in front of it, and what they say. */
function withoutTags(text: string): { readonly message: string; readonly tags: Tags } {
  const match = text.charCodeAt(0) === BRACKET ? TAGGED.exec(text) : null;
  if (match === null) return { message: text, tags: NO_TAGS };
  const [head, connection, stream, list = ''] = match;
  const tag = (name: string): string | null => new RegExp(`"${name}":"(\\d{1,20})"`).exec(list)?.[1] ?? null;
  const tags = { connection: connection ?? tag('ConnectionId'), stream: stream ?? tag('StreamId') };
  return { message: text.slice(head.length), tags };
}

const BRACKET = 91;

const SEVERITIES: ReadonlyMap<string, DiagnosticRecord['severity']> = new Map([
  ['critical', 'error'],
  ['fatal', 'error'],
  ['error', 'error'],
  ['warning', 'warning'],
  ['warn', 'warning'],
  ['info', 'info'],
  ['debug', 'debug'],
  ['trace', 'debug'],
]);

/** Severity by the level that Envoy or Go prints, any case; null: no level. */
export function severityOf(level: string): DiagnosticRecord['severity'] | null {
  return SEVERITIES.get(level.toLowerCase()) ?? null;
}

/**
 * Istio's layout: time with microseconds (which tells it from other Go programs), level in lower case, logger, message,
 * separated by tabs, or by blanks where a terminal or a ticket turned them. A time with a masked year is accepted.
 */
const ISTIO_LINE =
  /^ {0,8}(?:([\dX]{4}-[\dX]{2}-[\dX]{2}T\d\d:\d\d:\d\d\.\d{6}Z)[ \t]{1,16})?(trace|debug|info|warn|warning|error|critical|fatal)([ \t]{1,16})(?=\S)/;
const ENVOY_SCOPE = /^envoy ([a-z_0-9]{1,40})(?=\s|$)/;
const SOURCE = /^[ \t]*\[?([\w./+-]{1,300}\.(?:cc|h|rs|go|hpp|cpp):\d{1,6})\]?(?=\s)/;
const THREAD = /[ \t\n]thread=(\d{1,10})[ \t]*$/;
const GO_SCOPE = /^([A-Za-z][\w-]{1,40})([ \t]{1,16})(?=\S)/;

/** Takes a line in Istio's layout apart; null: it has another. ztunnel's scopes (`access`, `a::b`) are left alone. */
export function splitAppLine(payload: string): AppLine | null {
  const match = ISTIO_LINE.exec(payload);
  if (match === null) return null;
  const [head, time = null, level = '', gap = ''] = match;
  const severity = severityOf(level);
  if (severity === null) return null;
  const rest = payload.slice(head.length);
  const envoy = ENVOY_SCOPE.exec(rest);
  if (envoy !== null) return envoyLine(time, severity, envoy[0], rest.slice(envoy[0].length));
  return goLine(time, severity, gap, rest);
}

function envoyLine(time: string | null, severity: AppLine['severity'], scope: string, rest: string): AppLine | null {
  const said = readEnvoyMessage(rest);
  const { source, message, thread } = said;
  const bracketed = rest.trimStart().startsWith('[') && source !== null;
  // Since Istio 1.17 the thread ends every message, so a dump without one goes on in the next line.
  const isOpen = time !== null && source !== null && !bracketed && thread === null && isOpenDump(message);
  if (isOpen && LATER_LINE.test(rest)) return null;
  return { time, severity, scope, ...said, isOpen };
}

/** What Envoy's logger says behind its name: place in the source, tags, message, thread. */
export function readEnvoyMessage(text: string): Pick<AppLine, 'source' | 'message' | 'tags' | 'thread'> {
  const source = SOURCE.exec(text);
  const thread = THREAD.exec(text);
  const said = withoutTags(text.slice(source?.[0].length ?? 0, thread?.index ?? text.length).trim());
  return { ...said, source: source?.[1] ?? null, thread: thread?.[1] ?? null };
}

/** What Envoy's logger says beside the message, as fields. */
export function envoyFields({
  source,
  tags,
  thread,
}: Pick<AppLine, 'source' | 'tags' | 'thread'>): Record<string, string> {
  const told = { source, thread, connection: tags.connection, stream: tags.stream };
  return Object.fromEntries(Object.entries(told).filter((entry): entry is [string, string] => entry[1] !== null));
}

/** A further line that begins a record of its own: the dump before it was cut short. */
const LATER_LINE = /\n\s{0,8}(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\{"level")/;

function goLine(time: string | null, severity: AppLine['severity'], gap: string, rest: string): AppLine | null {
  const word = GO_SCOPE.exec(rest);
  const name = word?.[1] ?? null;
  const spaced = word !== null && isWide(word[2] ?? '');
  const scoped = name !== null && (isGoScope(name) || (spaced && isWide(gap)));
  if (time === null && !(scoped && spaced && isGoScope(name ?? ''))) return null;
  if (isZtunnel(rest)) return null;
  const scope = scoped ? name : 'default';
  const message = scoped ? rest.slice(word?.[0].length ?? 0) : rest;
  return { time, severity, scope, source: null, message: message.trim(), tags: NO_TAGS, thread: null, isOpen: false };
}

function isWide(gap: string): boolean {
  return gap.length > 1 || gap === '\t';
}

/** ztunnel's scopes, which have the same columns before them (istio/ztunnel 62d82653), and Solo's layer 7 lines. */
const ZTUNNEL =
  /^(?:(?:http )?access\b|(?:app|cert_fetcher|drain|hyper_util|proxyfactory|readiness|state|xds|ztunnel)(?=[\t{:]| {2})|dns[\t ]{1,16}[a-z.]{1,40}=|[\w-]{1,40}(?:::|\{|:[a-z]))/;

/** ztunnel separates message and fields by a tab even where there are no fields. */
function isZtunnel(rest: string): boolean {
  return ZTUNNEL.test(rest) || rest.endsWith('\t');
}

/** Envoy's own layout: `[time][thread][level][logger] [file:line] message` (envoy 1.37 source/common/common/logger.h). */
const ENVOY_LINE =
  /^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,9})\]\[(\d{1,10})\]\[([a-z]{4,8})\]\[([\w ]{1,40})\] (?:\[([^\]\s]{1,300}:\d{1,6})\] )?/;

/** Takes a line in Envoy's own layout apart; null: it has another. The scope is written as in Istio: `envoy main`. */
export function splitEnvoyLine(payload: string): AppLine | null {
  const match = ENVOY_LINE.exec(payload);
  if (match === null) return null;
  const [head, time = '', thread = '', level = '', logger = '', source = null] = match;
  const severity = severityOf(level);
  if (severity === null) return null;
  const { message, tags } = withoutTags(payload.slice(head.length).trim());
  return { time: `${time}Z`, severity, scope: `envoy ${logger}`, source, message, tags, thread, isOpen: false };
}
