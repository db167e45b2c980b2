import type { Envelope } from '../../src/model/line.ts';
import type { Parsed, Parser } from '../../src/model/record.ts';
import { COLUMN, emptyRow, type Row } from './columns.ts';
import { areKnownFlags, isKnownDetails } from './details.ts';
import { toRecord } from './record.ts';
import { defaultTextParsers } from './text.ts';

/**
 * What is left of an access log line in tickets and runbooks: the bracket or the time lost, the end cut off or replaced by
 * dots, or nothing but `403 rbac_access_denied_matched_policy[none]`. Needs a details text or a flag that Envoy prints
 * right behind a status, or a details text that cannot be anything else; whole lines are left to the other parsers.
 */
export const envoyFragment: Parser = {
  id: 'envoy-fragment',
  title: 'Envoy access log, part of a line',
  takesParts: true,
  parse(envelope: Envelope): Parsed {
    const { payload } = envelope;
    if (payload.length > MAX_LENGTH) return null;
    const bare = BARE.exec(payload)?.[1];
    if (bare !== undefined) return bareDetails(envelope, bare);
    if (!STATUS.test(payload) || isWhole(envelope)) return null;
    const text = payload.replace(LABEL, '');
    const quote = UNQUOTED.test(text) ? '"' : '';
    return mended(envelope, quote, text) ?? headOf(envelope, quote + text) ?? (CUT_OFF.test(text) ? CUT : null);
  },
};

const MAX_LENGTH = 65_536;
/** Something like a status has to be there: the cheap refusal. */
const STATUS = /(?:^|[\s"])(?:0|[1-5]\d\d)(?:\s|$)/;
/** Nothing but Envoy begins a line so. */
const CUT_OFF = /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "(?:[A-Z]{3,16} |- )/;
const CUT: Parsed = { kind: 'malformed', reason: 'access log line is cut off or of another format' };

function isWhole(envelope: Envelope): boolean {
  return defaultTextParsers.some((parser) => parser.parse(envelope) !== null);
}

/** Indentation, comment marks and the labels of a runbook (`Client - `), which are no wrapping of a tool. */
const LABEL = /^(?:\s{1,32}|#{1,3} {1,4}|[A-Z][A-Za-z ]{0,30} ?[-:] )(?=[["\d])/;
/** How a fragment begins: with its time, which may lack the bracket, or with the request. */
const HEAD = /^(?:(\[?)[\dX]{4}-[\dX-]{5}T[\d:.]{8,18}Z\] )?"(?:[A-Z]{3,16} |- - (?:-|HTTP\/[\d.]{1,4})")/;

/** The request, whose opening quote was lost with what stood before it. */
const UNQUOTED = /^[A-Z]{3,16} \S{1,8192} HTTP\/[\d.]{1,4}" (?:0|[1-5]\d\d) /;

/** The line as a parser of whole lines takes it after label, bracket, time or opening quote were mended. */
function mended(envelope: Envelope, quote: string, text: string): Parsed {
  const head = HEAD.exec(quote + text);
  if (head === null) return null;
  const [, bracket] = head;
  const prefix = bracket === undefined ? `[-] ${quote}` : bracket === '' ? '[' : '';
  const whole = { ...envelope, payload: prefix + text };
  for (const parser of defaultTextParsers) {
    const parsed = parser.parse(whole);
    if (parsed === null || (parsed.kind !== 'request' && parsed.kind !== 'connection')) continue;
    return { ...parsed, parser: 'envoy-fragment', raw: parsed.raw.slice(prefix.length) };
  }
  return null;
}

/** Time and request, each of which may be missing. */
const REQUEST = /^(?:\[?(\d{4}-\d\d-\d\dT[\d:.]{8,18}Z)\] )?"([A-Z]{3,16}|-) (\S{1,8192}) (HTTP\/[\d.]{1,4}|-)" /;
/** Status, flags and details. */
const ANSWER = /^(0|[1-5]\d\d)(?: (-|[A-Z]{2,5}(?:,[A-Z]{2,5}){0,8}))?(?: ([^\s"]{3,8192}))?(?=\s|$)/;
const CLUSTER =
  /(?:^|\s)((?:outbound|inbound|inbound-vip)\|\d{1,5}\|[^\s"]{0,512}|PassthroughCluster|BlackHoleCluster|InboundPassthrough\w{0,32})(?=\s|$)/;
/** A reason why the upstream's transport failed, in its quotes. */
const TRANSPORT = /"((?:TLS[ _]error|delayed_connect_error|immediate_connect_error|tunnel_response)[^"]{0,512})"/;
const TERMINATION = /^ - ((?:rbac_access_denied|ext_authz_)\S{1,512})(?=\s|$)/;

/** What stands at the head of the line, and the cluster where it follows. */
function headOf(envelope: Envelope, text: string): Parsed {
  const request = REQUEST.exec(text);
  const start = request?.[0].length ?? 0;
  const answer = ANSWER.exec(text.slice(start));
  if (answer === null) return null;
  const [, status = '', flags = '', word = ''] = answer;
  const rest = text.slice(start + answer[0].length);
  const details = isKnownDetails(word) ? word : null;
  const termination = details === null ? (TERMINATION.exec(rest)?.[1] ?? null) : null;
  if (details === null && termination === null && !areKnownFlags(flags)) return null;
  // Without the request only the bare answer counts, or what its next columns show: anything may begin with a number and go on.
  if (request === null && !isBare(details, rest) && !(flags !== '' && COLUMNS.test(rest))) return null;
  const row = requestRow(request);
  row[COLUMN.status] = status;
  row[COLUMN.flags] = flags === '' ? null : flags;
  row[COLUMN.details] = details;
  row[COLUMN.termination] = termination;
  row[COLUMN.transportFailure] = TRANSPORT.exec(rest)?.[1] ?? null;
  row[COLUMN.cluster] = CLUSTER.exec(rest)?.[1] ?? null;
  return toRecord(row, envelope, 'envoy-fragment');
}

function isBare(details: string | null, rest: string): boolean {
  return details !== null && rest.trim() === '';
}

/** Termination details, if the format has them, and the quoted reason of the upstream; before 1.9 two quoted columns. */
const COLUMNS = /^(?: -)? "[^"]{0,512}"(?: "| \d|$)/;

/** The details alone, perhaps with their key: no other program has such texts. */
const BARE =
  /^\s{0,64}(?:response_code_details\s?[:=]\s?)?((?:rbac_access_denied_matched_policy\[|jwt_authn_access_denied\{|upstream_reset_(?:before|after)_response_started\{)[^\s"]{1,1024}[\]}])\s{0,8}$/;

function bareDetails(envelope: Envelope, details: string): Parsed {
  const row = emptyRow();
  row[COLUMN.details] = details;
  return toRecord(row, envelope, 'envoy-fragment');
}

function requestRow(request: RegExpExecArray | null): Row {
  const row = emptyRow();
  const [, time = null, method = null, path = null, protocol = null] = request ?? [];
  row[COLUMN.time] = time;
  row[COLUMN.method] = method;
  row[COLUMN.path] = path;
  row[COLUMN.protocol] = protocol;
  return row;
}
