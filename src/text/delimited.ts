const QUOTE = '"';

/**
 * The values of one row of a table (RFC 4180): a value in quotes may hold the delimiter, line ends, and quotes, doubled. Null: a
 * quote is not closed, so the row goes on in the next line. What stands between a closing quote and the delimiter is part of
 * the value. Linear.
 */
export function readDelimited(row: string, delimiter: string): readonly string[] | null {
  const values: string[] = [];
  let at = 0;
  for (;;) {
    let value = '';
    if (row.charAt(at) === QUOTE) {
      const end = closingQuote(row, at + 1);
      if (end < 0) return null;
      value = row.slice(at + 1, end).replaceAll('""', QUOTE);
      at = end + 1;
    }
    const next = row.indexOf(delimiter, at);
    values.push(value + row.slice(at, next < 0 ? row.length : next));
    if (next < 0) return values;
    at = next + 1;
  }
}

/** Index of the quote that closes the value, past doubled ones; -1: none does. */
function closingQuote(row: string, from: number): number {
  let quote = row.indexOf(QUOTE, from);
  while (quote >= 0 && row.charAt(quote + 1) === QUOTE) quote = row.indexOf(QUOTE, quote + 2);
  return quote;
}
