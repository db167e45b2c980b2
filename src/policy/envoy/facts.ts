import { type IpAddress, parsePeerIp } from '../match-ip.ts';
import type { HeaderView } from './headers.ts';
import { type Known, type Tri, UNKNOWN } from './known.ts';
import type { Claims } from './request.ts';

/** What the RBAC filters of one listener see of one request or connection. */
export interface Facts {
  /** With `spiffe://`; null: no client certificate. */
  readonly identity: Known<string | null>;
  /** TCP peer; null: no address that a block can hold (a waypoint's inner connection). */
  readonly peer: Known<IpAddress | null>;
  /** The client behind trusted proxies; null: unreadable. */
  readonly remote: Known<IpAddress | null>;
  readonly destination: Known<IpAddress | null>;
  readonly port: number;
  /** '' where none was sent. */
  readonly serverName: Known<string>;
  readonly method: Known<string>;
  readonly host: Known<string>;
  /** Normalised, without query. */
  readonly path: Known<string>;
  readonly headers: HeaderView;
  /** Payload of the token that verified; null: none did. */
  readonly claims: Known<Claims | null>;
  readonly metadata: Known<Readonly<Record<string, Claims>>>;
}

/** Decides one condition. Pure, never throws. */
export type Matcher = (facts: Facts) => Tri;

/** Asks `test` if the value is known; null if it is not. */
export function ask<T>(value: Known<T>, test: (value: T) => Tri): Tri {
  return value === UNKNOWN ? null : test(value);
}

/** A value for people; `shown` is not called for null. */
export function show<T>(value: Known<T | null>, shown: (value: T) => string): string {
  if (value === UNKNOWN) return 'not known';
  return value === null ? 'none' : shown(value);
}

/** An address as text, for comparing with blocks; null: it is none. */
export function addressOf(text: Known<string>): Known<IpAddress | null> {
  return text === UNKNOWN ? UNKNOWN : parsePeerIp(text);
}
