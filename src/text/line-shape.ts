/** Characters of a line that are looked at, and that a shape has at most. */
const MAX_LOOKED_AT = 400;
const MAX_SHAPE = 200;

/** What differs between lines that say the same: quoted texts, long names with digits, numbers; and runs of blanks. */
const VOLATILE =
  /"(?:[^"\\]|\\.)*"|[\w.-]*\d[\w.-]*(?:[:/+][\w.+-]*\d[\w.-]*)*|[0-9a-fA-F]{8,}|\s+|[\u0000-\u001f\u007f-\u009f]+/g;

/**
 * What lines of one kind have in common: quoted texts become `"…"`, words with a digit `#` (times, addresses, ids), long
 * runs of hex digits `#`, blanks one blank. Only the head of a long line is looked at. Untrusted in, untrusted out. Linear.
 */
export function lineShape(text: string): string {
  const head = text.length > MAX_LOOKED_AT ? text.slice(0, MAX_LOOKED_AT) : text;
  const shape = head.replace(VOLATILE, mask).trim();
  return shape.length > MAX_SHAPE ? shape.slice(0, MAX_SHAPE) : shape;
}

function mask(found: string): string {
  const code = found.charCodeAt(0);
  if (code <= 32 || (code >= 127 && code <= 160) || code > 0x1680) return ' ';
  return code === 34 ? '"…"' : '#';
}
