/**
 * Control characters, deletes, line and paragraph separators, bidirectional marks, zero-width characters and lone
 * surrogates: whatever can move a cursor, hide text or reorder it. Logs are hostile: who is denied writes parts of them.
 */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\p{Surrogate}|\p{Noncharacter_Code_Point}|[\u{e0000}-\u{e007f}]/gu;

/** The text with every unsafe character written out as `\u{hex}`; tabs become one blank. Safe for a terminal. */
export function printable(text: string): string {
  return text.replace(/\t/g, ' ').replace(UNSAFE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

/** At most `width` characters; what was cut shows as `…`. Expects printable text. */
export function clip(text: string, width: number): string {
  if (text.length <= width) return text;
  const head = text.slice(0, Math.max(0, width - 1));
  return `${/[\ud800-\udbff]$/.test(head) ? head.slice(0, -1) : head}…`;
}

/** JSON text whose strings hold unsafe characters, with those written as `\uXXXX`: the same value, safe for a terminal. */
export function printableJson(json: string): string {
  return json.replace(UNSAFE, (char) => {
    if (char === '\n') return char;
    return Array.from(
      { length: char.length },
      (_, unit) => `\\u${char.charCodeAt(unit).toString(16).padStart(4, '0')}`,
    ).join('');
  });
}
