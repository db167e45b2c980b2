const ESCAPE = /\\(?:u\{([0-9a-fA-F]{1,6})\}|([\s\S]))/g;

const NAMED: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
};

/**
 * Index of the `"` that closes a string literal whose first character stands at `from`, or -1 if it is not closed.
 * A quote behind an odd number of backslashes is part of the text. Linear.
 */
export function closingQuote(text: string, from: number): number {
  let quote = text.indexOf('"', from);
  while (quote >= 0) {
    let backslashes = 0;
    while (quote - backslashes > from && text.charCodeAt(quote - backslashes - 1) === 92) backslashes++;
    if (backslashes % 2 === 0) return quote;
    quote = text.indexOf('"', quote + 1);
  }
  return -1;
}

/**
 * What stands between the quotes of Rust's `{:?}` of a string, as the text it means (core::fmt, `str::escape_debug`:
 * `\"`, `\\`, `\n`, `\r`, `\t`, `\0`, `\u{hex}`; a single quote is not escaped). Escapes that Rust does not print stay as
 * they are. The result is untrusted and may hold control characters.
 */
export function unescapeDebug(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(ESCAPE, (whole: string, hex: string | undefined, letter: string | undefined) => {
    if (hex === undefined) return NAMED[letter ?? ''] ?? whole;
    const code = Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
