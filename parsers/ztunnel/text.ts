import type { Envelope, Instant } from '../../src/model/line.ts';
import type { ConnectionRecord, Parsed, Parser } from '../../src/model/record.ts';
import { FieldReader, readDebugPairs, readPairs } from '../../src/text/key-value.ts';
import { isInstant } from '../../src/text/time.ts';
import { type AccessHead, type AccessValues, connectionOf, pairValues, phaseOf } from './access.ts';
import { continuesConfig, diagnosticOf, isModule, readScope, severityOf } from './diagnostic.ts';
import { PASTED_HEAD, readPasted } from './pasted.ts';
import { skimText } from './skim.ts';

const ID = 'ztunnel-text';
const TAB = 9;
/** Length of ztunnel's time stamp. */
const STAMP = 27;
const ACCESS = 'access\t';
/** How the lines of scope `dns` begin, which have no message (istio/ztunnel 62d82653 src/dns/server.rs). */
const DNS_FIELDS = 'src.workload="';

/**
 * Plain text of ztunnel 1.22 and later: `<time>\t<level>\t<scope>\t<message>\t<k=v k=v …>` (istio/ztunnel 62d82653
 * src/telemetry.rs, `IstioFormat`). Lines whose tabs became blanks, or which lost columns or were wrapped when somebody
 * pasted them, are read too, less strictly.
 */
export const ztunnelText: Parser = {
  id: ID,
  title: 'ztunnel, plain text (1.22 and later)',
  parse(envelope) {
    return parseExact(envelope) ?? readPasted(envelope, ID, PASTED_HEAD);
  },
  continues: continuesConfig,
  skim: skimText,
};

/** A line that is as ztunnel printed it; null: it is not. */
function parseExact(envelope: Envelope): Parsed {
  const text = envelope.payload;
  if (text.charCodeAt(STAMP) !== TAB) return null;
  const time = text.slice(0, STAMP);
  const levelEnd = text.indexOf('\t', STAMP + 1);
  if (levelEnd < 0 || levelEnd > STAMP + 6 || !isInstant(time)) return null;
  const start = levelEnd + 1;
  return text.startsWith(ACCESS, start)
    ? parseAccess(envelope, time, start + ACCESS.length)
    : parseDiagnostic(envelope, time, start);
}

function parseAccess(envelope: Envelope, time: Instant, from: number): Parsed {
  const text = envelope.payload;
  const end = tabOrEnd(text, from);
  const phase = phaseOf(text.slice(from, end));
  if (phase === null) return parseOtherAccess(envelope, time, end);
  const values = readInOrder(text, end + 1);
  if (values !== null && values.srcAddr !== null) return connectionOf(envelope, { parser: ID, phase, time }, values);
  return parseUnordered(envelope, { parser: ID, phase, time }, end);
}

/** The fields in the order in which ztunnel prints them; null: others, in another order, or broken ones. */
function readInOrder(text: string, from: number): AccessValues | null {
  const fields = new FieldReader(text, from);
  const values: AccessValues = {
    srcAddr: fields.bare('src.addr='),
    srcWorkload: fields.quoted('src.workload="'),
    srcNamespace: fields.quoted('src.namespace="'),
    srcIdentity: fields.quoted('src.identity="'),
    srcCluster: fields.quoted('src.cluster="'),
    dstAddr: fields.bare('dst.addr='),
    dstHboneAddr: fields.bare('dst.hbone_addr='),
    dstService: fields.quoted('dst.service="'),
    dstWorkload: fields.quoted('dst.workload="'),
    dstNamespace: fields.quoted('dst.namespace="'),
    dstIdentity: fields.quoted('dst.identity="'),
    dstCluster: fields.quoted('dst.cluster="'),
    direction: fields.quoted('direction="'),
    bytesSent: fields.bare('bytes_sent='),
    bytesReceived: fields.bare('bytes_recv='),
    duration: fields.quoted('duration="'),
    error: fields.quoted('error="'),
  };
  return fields.atEnd ? values : null;
}

/** Fields of other releases and of vendors: without quotes, unknown ones, in another order. */
function parseUnordered(envelope: Envelope, head: AccessHead, from: number): Parsed {
  const { values, open } = readPairs(envelope.payload, from);
  if (open) return { kind: 'malformed', reason: 'a quoted value is not closed' };
  if (!values.has('src.addr')) return { kind: 'malformed', reason: 'no src.addr' };
  return connectionOf(envelope, head, pairValues(values));
}

/** A message that no release prints so far in the scope of access lines: ztunnel's only if it has an access line's fields. */
function parseOtherAccess(envelope: Envelope, time: Instant, from: number): Parsed {
  const { values, open } = readPairs(envelope.payload, from);
  if (open || !values.has('src.addr') || !values.has('direction')) return null;
  const phase: ConnectionRecord['phase'] = values.has('error') && !values.has('duration') ? 'failed' : 'complete';
  return connectionOf(envelope, { parser: ID, phase, time }, pairValues(values));
}

/**
 * Programs written in Go for Istio print the same columns (istio pkg/log), but end no line in a tab and have scopes of one
 * word, so a line is ztunnel's if its scope is, or if it has a message and a tab without fields behind it.
 */
function parseDiagnostic(envelope: Envelope, time: Instant, from: number): Parsed {
  const text = envelope.payload;
  const severity = severityOf(text.slice(STAMP + 1, from - 1));
  if (severity === null) return null;
  const scopeEnd = tabOrEnd(text, from);
  const column = text.slice(from, scopeEnd);
  const messageStart = scopeEnd + 1;
  const hasMessage = !text.startsWith(DNS_FIELDS, messageStart);
  const messageEnd = hasMessage ? tabOrEnd(text, messageStart) : scopeEnd;
  const isOurs = isModule(column) || !hasMessage || (messageEnd === text.length - 1 && !column.includes(' '));
  if (!isOurs) return null;
  const head = { parser: ID, time, severity };
  const message = text.slice(messageStart, messageEnd);
  return diagnosticOf(envelope, head, readScope(column), message, readDebugPairs(text.slice(messageEnd + 1)));
}

function tabOrEnd(text: string, from: number): number {
  const tab = text.indexOf('\t', from);
  return tab < 0 ? text.length : tab;
}
