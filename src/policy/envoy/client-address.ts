import { type IpAddress, parsePeerIp } from '../match-ip.ts';
import type { HeaderView } from './headers.ts';
import { type Known, UNKNOWN } from './known.ts';
import type { EnvoyProxy } from './settings.ts';

/**
 * What Envoy takes for the client's address. Gateway: the peer, or with trusted proxies the n-th entry of X-Forwarded-For
 * from the right. Elsewhere: the last entry. An unreadable or missing entry leaves the peer (envoy 1.40
 * source/common/http/{conn_manager_utility,utility}.cc).
 */
export function clientAddress(
  proxy: EnvoyProxy,
  numTrustedProxies: number,
  headers: HeaderView,
  peer: Known<IpAddress | null>,
): Known<IpAddress | null> {
  if (proxy.type === 'gateway' && numTrustedProxies === 0) return peer;
  const forwarded = headers.joined('x-forwarded-for');
  if (forwarded === UNKNOWN) return UNKNOWN;
  const entry = forwarded === null ? null : entryOf(forwarded, proxy.type === 'gateway' ? numTrustedProxies - 1 : 0);
  return (entry === null ? null : parsePeerIp(entry)) ?? peer;
}

/** The entry `skip` from the right; null: there are fewer. A comma at the very end leaves the whole text, which is no address. */
function entryOf(forwarded: string, skip: number): string | null {
  let rest = forwarded;
  for (let count = 0; count < skip; count++) {
    const comma = rest.lastIndexOf(',');
    if (comma < 0) return null;
    rest = rest.slice(0, comma);
  }
  const comma = rest.lastIndexOf(',');
  return (comma + 1 < rest.length ? rest.slice(comma + 1) : rest).trim();
}
