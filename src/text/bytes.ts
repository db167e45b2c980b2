/** The bytes of a text, to be looked for in bytes. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Whether `wanted` stands in `bytes` at `at`. */
export function standsAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  if (at < 0) return false;
  for (let index = 0; index < wanted.length; index++) if (bytes[at + index] !== wanted[index]) return false;
  return true;
}

/** More digits than this are no count of anything, and beyond exact numbers. */
const MAX_DIGITS = 15;

/** Where the decimal integer that ends before `end` starts, not before `from`; -1: there is none, or an absurd one. */
export function startOfInteger(bytes: Uint8Array, from: number, end: number): number {
  let start = end;
  while (start > from && isDigit(bytes[start - 1])) start--;
  return start >= end || end - start > MAX_DIGITS ? -1 : start;
}

/** The value of the digits from `start` to `end`, as `startOfInteger` found them. */
export function integerAt(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let index = start; index < end; index++) value = value * 10 + ((bytes[index] as number) - 48);
  return value;
}

/** The first place from `start` that holds no digit, `end` at most. */
export function endOfDigits(bytes: Uint8Array, start: number, end: number): number {
  let index = start;
  while (index < end && isDigit(bytes[index])) index++;
  return index;
}

/** Whether the byte is an ASCII digit. */
export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}
