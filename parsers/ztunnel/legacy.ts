import type { Envelope } from '../../src/model/line.ts';
import type { ConnectionRecord, Parsed, Parser } from '../../src/model/record.ts';
import { nextKey, readDebugPairs } from '../../src/text/key-value.ts';
import { parseInstant } from '../../src/text/time.ts';
import { connectionOf, pairValues, reporterOf } from './access.ts';
import {
  continuesConfig,
  diagnosticOf,
  outsideBraces,
  readSpans,
  type Span,
  severityOf,
  withoutCrate,
} from './diagnostic.ts';
import { LEGACY_HEAD, readPasted } from './pasted.ts';

const ID = 'ztunnel-legacy';

/**
 * The default layout of Rust's tracing, which ztunnel had before it got access lines: `<time>  WARN proxy{uid=…}:outbound{id=…}:
 * ztunnel::proxy::outbound: failed dur=8.2ms err=http status: 401 Unauthorized` (istio/ztunnel release-1.18 to release-1.21
 * src/proxy/outbound.rs, src/proxy/inbound.rs), and the README's `INFO access: connection complete` with indented lines below.
 */
export const ztunnelLegacy: Parser = {
  id: ID,
  title: 'ztunnel, before 1.22',
  parse(envelope) {
    const { payload } = envelope;
    const head = HEAD.exec(payload);
    if (head === null || !(payload.includes('ztunnel') || payload.includes('access'))) return null;
    const { stamp, level = '' } = head.groups ?? {};
    const line = readTarget(payload, head[0].length);
    if (line === null) return readPasted(envelope, ID, LEGACY_HEAD);
    return parseLine(envelope, line, stamp ?? null, level.toLowerCase());
  },
  continues: continuesConfig,
};

const HEAD = /^\s{0,64}(?:(?<stamp>[0-9T:.-]{8,30}Z?)\s{1,8})?(?<level>ERROR|WARN|INFO|DEBUG|TRACE)\s{1,8}/;
const TARGET = /^ztunnel(?:::[a-z0-9_]{1,40}){0,6}: ?/;

interface Line {
  /** Without crate. */
  readonly scope: string;
  readonly spans: readonly Span[];
  readonly message: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** Reads `span{…}:span{…}: ztunnel::module: message k=v` from `from` on; null: the target is not ztunnel. */
function readTarget(text: string, from: number): Line | null {
  const spansEnd = text.startsWith('ztunnel', from) ? from : outsideBraces(text, from, ' ') + 1;
  const target = TARGET.exec(text.slice(spansEnd, spansEnd + 280))?.[0];
  if (target === undefined) return null;
  const body = text.slice(spansEnd + target.length);
  const fieldsAt = nextKey(body, 0);
  return {
    scope: withoutCrate(target.slice(0, target.lastIndexOf(':'))),
    spans: spansEnd === from ? [] : readSpans(text.slice(from, spansEnd - 2), 0),
    message: body.slice(0, fieldsAt).trimEnd(),
    fields: readDebugPairs(body.slice(fieldsAt)),
  };
}

function parseLine(envelope: Envelope, line: Line, stamp: string | null, level: string): Parsed {
  const severity = severityOf(level);
  if (severity === null) return null;
  const time = stamp === null ? null : parseInstant(stamp);
  const connection = parseRejection(envelope, line, time) ?? parseEnd(envelope, line, time);
  if (connection !== null) return connection;
  return diagnosticOf(
    envelope,
    { parser: ID, time, severity },
    { name: line.scope, spans: line.spans },
    line.message,
    line.fields,
  );
}

/** `RBAC rejected conn=SOURCE(IDENTITY or None)->DESTINATION`; who pastes it may leave out the identity. */
const REJECTED = /^([^()\s>]+)(?:\(([^()\s]*)\))?->(\S+)$/;

/**
 * A denial, in the words that 1.22 uses for the same (no reason). It is always the destination's decision, also where one
 * ztunnel serves both ends and prints it in the span of the outbound connection.
 */
function parseRejection(envelope: Envelope, line: Line, time: string | null): ConnectionRecord | null {
  const match = line.message === 'RBAC rejected' ? REJECTED.exec(line.fields.get('conn') ?? '') : null;
  if (match === null) return null;
  const [, source = '', identity = '', destination = ''] = match;
  const isMesh = identity.startsWith('spiffe://');
  const values: ReadonlyMap<string, string> = new Map([
    ['src.addr', source],
    ['src.identity', identity],
    ['dst.addr', destination],
    ...(isMesh ? [['dst.hbone_addr', destination] as const] : []),
    ['direction', 'inbound'],
    ['error', 'connection closed due to policy rejection'],
  ]);
  return connectionOf(envelope, { parser: ID, phase: 'complete', time }, pairValues(values));
}

/** `complete dur=…` and `failed dur=… err=…`: the end of a connection, without addresses. */
function parseEnd(envelope: Envelope, line: Line, time: string | null): ConnectionRecord | null {
  const direction = line.scope.slice('proxy::'.length);
  const error = line.fields.get('err');
  const duration = line.fields.get('dur');
  const isEnd = line.message === 'complete' || (line.message === 'failed' && error !== undefined);
  if (!isEnd || reporterOf(direction) === null) return null;
  const values = new Map([['direction', direction]]);
  if (duration !== undefined) values.set('duration', duration);
  if (error !== undefined) values.set('error', error);
  return connectionOf(envelope, { parser: ID, phase: 'complete', time }, pairValues(values));
}
