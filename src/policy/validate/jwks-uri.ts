import { parseIp } from '../match-ip.ts';

/**
 * What is wrong with a `jwksUri`, null if nothing or it is absent (''): Go's net/url must read it (1.26, where a host
 * without brackets has at most one colon), and its scheme must be http or https. Far more lenient than the URL class.
 */
export function jwksUriError(uri: string): string | null {
  if (uri === '') return null;
  const [main, fragment] = cut(uri, '#');
  if (/[\u0000-\u001f\u007f]/.test(main)) return 'has a control character';
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(main)?.[1] ?? '';
  if (!['http', 'https'].includes(scheme.toLowerCase())) return 'must start with http:// or https://';
  const [rest] = cut(main.slice(scheme.length + 1), '?');
  if (!escapesAreWhole(fragment)) return 'has an invalid escape';
  // A path without a leading slash (`https:a`) is opaque: not looked at.
  if (!rest.startsWith('/')) return null;
  if (!rest.startsWith('//')) return escapesAreWhole(rest) ? null : 'has an invalid escape';
  const slash = rest.indexOf('/', 2);
  const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
  if (slash >= 0 && !escapesAreWhole(rest.slice(slash))) return 'has an invalid escape';
  return authorityError(authority);
}

function cut(text: string, separator: string): readonly [string, string] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)];
}

function escapesAreWhole(text: string): boolean {
  return !/%(?![0-9A-Fa-f]{2})/.test(text);
}

const USER_INFO = /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/;

function authorityError(authority: string): string | null {
  const at = authority.lastIndexOf('@');
  if (at >= 0) {
    const user = authority.slice(0, at);
    if (!USER_INFO.test(user) || !escapesAreWhole(user)) return 'has an invalid user name or password';
  }
  const host = authority.slice(at + 1);
  const bracket = host.lastIndexOf('[');
  if (bracket > 0) return 'has a bracket in its host';
  return bracket === 0 ? literalError(host) : nameError(host);
}

/** `[address]` with an optional port. */
function literalError(host: string): string | null {
  const close = host.lastIndexOf(']');
  if (close < 0) return 'has an unclosed bracket in its host';
  if (!isOptionalPort(host.slice(close + 1))) return 'has an invalid port';
  const inner = host.slice(1, close);
  const zone = inner.indexOf('%25');
  const address = zone < 0 ? inner : inner.slice(0, zone);
  if (address.includes('%') || (zone >= 0 && !isZone(inner.slice(zone)))) return 'has an invalid address';
  const parsed = parseIp(zone < 0 ? address : `${address}%${inner.slice(zone + 3)}`);
  return parsed?.family === 6 ? null : 'has an invalid address';
}

function nameError(host: string): string | null {
  const colon = host.indexOf(':');
  if (colon >= 0 && !isOptionalPort(host.slice(colon))) return 'has an invalid port';
  return isHost(host) ? null : 'has an invalid host name';
}

/** The port must also fit Go's int. */
function isOptionalPort(port: string): boolean {
  return port === '' || (/^:[0-9]*$/.test(port) && BigInt(port.slice(1) || 0) < 2n ** 63n);
}

/** Unreserved and delimiter characters, anything beyond ASCII, and escapes of the latter. */
function isHost(host: string): boolean {
  return /^(?:[A-Za-z0-9!"$&'()*+,\-.:;<=>[\]_~]|[^\u0000-\u007f]|%[89A-Fa-f][0-9A-Fa-f]|%25)*$/.test(host);
}

/** As a host, where every ASCII character of one and the blank may be escaped too. */
function isZone(zone: string): boolean {
  if (!escapesAreWhole(zone)) return false;
  const plain = zone.replace(/%([0-9A-Fa-f]{2})/g, (whole, hex: string) => {
    if (whole === '%25' || whole === '%20') return '';
    const code = Number.parseInt(hex, 16);
    return code < 0x80 ? String.fromCharCode(code) : '%';
  });
  return !plain.includes('%') && isHost(plain);
}
