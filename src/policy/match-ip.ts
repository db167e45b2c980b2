/** An IP address. IPv4 stands in `a` alone; IPv6 in four words of 32 bits, highest first. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** A block of addresses: all that equal `network` in its first `bits` bits. Host bits of `network` are kept and ignored. */
export interface IpBlock {
  readonly network: IpAddress;
  readonly bits: number;
}

const DOT = 46;
const COLON = 58;
const V4_WIDTH = 32;
const V6_WIDTH = 128;
const V6_GROUPS = 8;

/**
 * Reads an address by the rules of Go's net/netip (which istiod uses): no leading zeros in IPv4, `::` for at least one
 * group, a zone (`%eth0`) is accepted and dropped. A v4-mapped IPv6 address stays IPv6. Null: no address.
 */
export function parseIp(text: string): IpAddress | null {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === DOT) return parseV4(text);
    if (code === COLON) return parseV6(withoutZone(text));
  }
  return null;
}

/**
 * The address of a peer: as `parseIp`, and a v4-mapped one is IPv4, because ztunnel and Envoy unmap the addresses of
 * sockets before they compare (istio/ztunnel 62d82653 src/socket.rs). Null: no address.
 */
export function parsePeerIp(text: string): IpAddress | null {
  const address = parseIp(text);
  if (address === null || address.family === 4) return address;
  const mapped = address.a === 0 && address.b === 0 && address.c === 0xffff;
  return mapped ? v4(address.d) : address;
}

/** Reads `10.0.0.0/8`, or a bare address as the block of itself, by the rules of Go's net/netip. Null: neither. */
export function parseIpBlock(text: string): IpBlock | null {
  const slash = text.lastIndexOf('/');
  if (slash < 0) {
    const address = parseIp(text);
    return address === null ? null : { network: address, bits: widthOf(address) };
  }
  const host = text.slice(0, slash);
  const digits = text.slice(slash + 1);
  const network = host.includes('%') ? null : parseIp(host);
  if (network === null || !/^(0|[1-9]\d{0,2})$/.test(digits)) return null;
  const bits = Number(digits);
  return bits <= widthOf(network) ? { network, bits } : null;
}

/** Whether the block holds the address. Blocks of one family never hold addresses of the other. */
export function blockHolds(block: IpBlock, address: IpAddress): boolean {
  const { network, bits } = block;
  return (
    network.family === address.family &&
    ((network.a ^ address.a) & maskOf(bits)) === 0 &&
    (bits <= 32 ||
      (((network.b ^ address.b) & maskOf(bits - 32)) === 0 &&
        ((network.c ^ address.c) & maskOf(bits - 64)) === 0 &&
        ((network.d ^ address.d) & maskOf(bits - 96)) === 0))
  );
}

/** A word whose first `bits` bits are set; all of them from 32 on, none below 1. Shifts count modulo 32. */
function maskOf(bits: number): number {
  if (bits >= 32) return -1;
  return bits <= 0 ? 0 : -1 << (32 - bits);
}

function widthOf(address: IpAddress): number {
  return address.family === 4 ? V4_WIDTH : V6_WIDTH;
}

function v4(word: number): IpAddress {
  return { family: 4, a: word, b: 0, c: 0, d: 0 };
}

function parseV4(text: string): IpAddress | null {
  const word = v4Word(text);
  return word === null ? null : v4(word);
}

/** Four decimal bytes without leading zeros as one unsigned word. */
function v4Word(text: string): number | null {
  let word = 0;
  let value = 0;
  let digits = 0;
  let dots = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === DOT) {
      if (digits === 0 || ++dots > 3) return null;
      word = word * 256 + value;
      value = 0;
      digits = 0;
      continue;
    }
    if (code < 48 || code > 57 || (digits > 0 && value === 0)) return null;
    value = value * 10 + code - 48;
    digits++;
    if (value > 255) return null;
  }
  return dots === 3 && digits > 0 ? word * 256 + value : null;
}

/** The text before a zone; empty (no address) where the zone is. */
function withoutZone(text: string): string {
  const percent = text.indexOf('%');
  if (percent < 0) return text;
  return percent === text.length - 1 ? '' : text.slice(0, percent);
}

function parseV6(text: string): IpAddress | null {
  const gap = text.indexOf('::');
  const groups = gap < 0 ? groupsOf(text) : groupsAround(text.slice(0, gap), text.slice(gap + 2));
  if (groups === null || groups.length !== V6_GROUPS) return null;
  const word = (index: number): number => (groups[index] ?? 0) * 0x10000 + (groups[index + 1] ?? 0);
  return { family: 6, a: word(0), b: word(2), c: word(4), d: word(6) };
}

/** Groups before and after `::`, filled up with zeros in between, at least one. */
function groupsAround(before: string, after: string): readonly number[] | null {
  // An embedded IPv4 address can only be the end of the whole text.
  if (before.includes('.')) return null;
  const head = before === '' ? [] : groupsOf(before);
  const tail = after === '' ? [] : groupsOf(after);
  if (head === null || tail === null) return null;
  const missing = V6_GROUPS - head.length - tail.length;
  return missing < 1 ? null : [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** Groups of one to four hexadecimal digits; an IPv4 address at the end counts as two. */
function groupsOf(text: string): readonly number[] | null {
  const groups: number[] = [];
  const parts = text.split(':', V6_GROUPS + 1);
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const word = index === parts.length - 1 ? v4Word(part) : null;
      if (word === null) return null;
      groups.push(word >>> 16, word & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return null;
    }
  }
  return groups;
}
