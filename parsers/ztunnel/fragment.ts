import type { Envelope } from '../../src/model/line.ts';
import type { Parsed, Parser } from '../../src/model/record.ts';
import { type Fields, type Pairs, readPairs } from '../../src/text/key-value.ts';
import { connectionOf, END_KEYS, hasEndKey, OUTCOME_KEYS, pairValues } from './access.ts';
import { unwrap } from './pasted.ts';

const ID = 'ztunnel-fragment';

/**
 * What is left of an access line when only its fields are quoted somewhere: `error="connection closed due to policy
 * rejection: …"`, `src.workload="a" error="…"`, or the bare text of a denial. Tried last; claims nothing that has another
 * word or key in it.
 */
export const ztunnelFragment: Parser = {
  id: ID,
  title: 'ztunnel, some fields of an access line',
  takesParts: true,
  parse(envelope) {
    const payload = envelope.payload.replace(LEFT_OUT, '');
    if (!BEGIN.test(payload)) return null;
    const text = unwrap(payload);
    if (text === null) return null;
    return parseDenial(envelope, text) ?? parseFields(envelope, text);
  },
};

/** What stands for words that were left out, alone or in brackets. */
const LEFT_OUT = /^\s{0,64}(?:\.{3}|…|\[\s?(?:\.{3}|…)\s?\])\s{0,8}/;
const BEGIN = /^\s{0,64}(?:(?:src|dst)\.|(?:direction|error)="|connection closed |policy rejection)/;

/** The texts of ztunnel that need no `error=` to be recognised; the first words may be cut off. */
const DENIAL =
  /^(?:connection closed due to )?(policy (?:change|rejection: (?:explicitly denied by: [^\s/]+\/\S+|allow policies exist, but none allowed)))$/;

function parseDenial(envelope: Envelope, text: string): Parsed {
  const denial = DENIAL.exec(text.trim())?.[1];
  if (denial === undefined) return null;
  return fragment(envelope, new Map([['error', `connection closed due to ${denial}`]]));
}

function parseFields(envelope: Envelope, text: string): Parsed {
  const pairs = readPairs(text, 0);
  if (!isOurs(pairs)) return null;
  const { values, open } = pairs;
  const hasError = values.has('error');
  if (envelope.payload.endsWith('\n')) return hasError || values.has('direction') ? fragment(envelope, values) : null;
  const isWhole = !open && (hasError || (values.has('direction') && values.has('duration')));
  return isWhole ? fragment(envelope, values) : { kind: 'unfinished' };
}

function isOurs({ values, strays }: Pairs): boolean {
  if (strays.some((word) => word !== '...' && word !== '…')) return false;
  for (const key of values.keys()) if (!END_KEYS.has(key) && !OUTCOME_KEYS.has(key)) return false;
  return hasEndKey(values) || isKnownError(values.get('error') ?? '');
}

function fragment(envelope: Envelope, values: Fields): Parsed {
  return connectionOf(envelope, { parser: ID, phase: 'complete', time: null }, pairValues(values));
}

/** How ztunnel's error texts begin (istio/ztunnel 62d82653 src/proxy.rs `Error`, src/rbac.rs, src/identity.rs; older releases too). */
const ERRORS: readonly string[] = [
  'attempted recursive call to ourselves',
  'certificate lookup error: ',
  'connection closed due to ',
  'connection closed: peer certificate revoked',
  'connection failed: ',
  'connection timed out, maybe a NetworkPolicy is blocking HBONE port',
  'connection timed out maybe a NetworkPolicy is blocking HBONE port',
  'connection tracking failed',
  'expected method CONNECT, got ',
  'failed to fetch information about local workload: ',
  'h2 failed: ',
  'http status: ',
  'http2 handshake failed: ',
  'identity error: ',
  'invalid CONNECT address ',
  'io error: ',
  'ip addresses were resolved for workload ',
  'ip mismatch: ',
  'no healthy upstream: ',
  'no ip addresses were resolved for workload: ',
  'no service for target address: ',
  'no service or workload for hostname: ',
  'no valid authority pseudo header: ',
  'no valid routing destination for workload: ',
  'pool draining',
  'receive: ',
  'requested service ',
  'send: ',
  'signing error: ',
  'tls error: ',
  'tls handshake error: ',
  'unknown destination: ',
  'unknown network gateway: ',
  'unknown source: ',
  'unknown waypoint: ',
  'unsupported feature: ',
  'while closing connection: ',
];

function isKnownError(text: string): boolean {
  return ERRORS.some((known) => text.startsWith(known));
}
