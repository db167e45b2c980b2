/** An address with its port; `port` null where none is printed. */
export interface HostPort {
  readonly host: string;
  readonly port: number | null;
}

const PORT = /^\d{1,5}$/;

/**
 * Splits `1.2.3.4:80`, `[2001:db8::1]:80`, `name:80`, a bare address or name; null for empty text, `-` and anything that
 * is no address with a valid port (`envoy://…`, a path). v4-mapped IPv6 addresses become IPv4.
 */
export function parseHostPort(text: string | null): HostPort | null {
  if (text === null || text === '' || text === '-' || text.includes('/')) return null;
  if (text.startsWith('[')) {
    const close = text.indexOf(']');
    if (close < 0) return null;
    const host = plainAddress(text.slice(1, close));
    const rest = text.slice(close + 1);
    if (rest === '') return { host, port: null };
    return rest.startsWith(':') ? withPort(host, rest.slice(1)) : null;
  }
  const colon = text.lastIndexOf(':');
  if (colon < 0) return { host: text, port: null };
  if (text.indexOf(':') !== colon) return { host: plainAddress(text), port: null };
  return withPort(text.slice(0, colon), text.slice(colon + 1));
}

function withPort(host: string, port: string): HostPort | null {
  if (!PORT.test(port)) return null;
  const number = Number(port);
  return number <= 65535 ? { host, port: number } : null;
}

/** An IPv6 address that only wraps an IPv4 one, as that; anything else unchanged. */
export function plainAddress(address: string): string {
  const lower = address.toLowerCase();
  return lower.startsWith('::ffff:') && lower.includes('.') ? lower.slice('::ffff:'.length) : address;
}
