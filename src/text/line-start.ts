/** How lines of proxies begin in all formats but the oldest: with a date and time, a bracket before one, or a brace. */
const START = /^[ \t]{0,8}(?:\{"|\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)/;
/** A shorter text is a time stamp or an empty object. */
const MIN_LENGTH = 40;

/** Whether a text begins as lines of proxies do, and is long enough for one. */
export function beginsLikeLine(text: string): boolean {
  return text.length >= MIN_LENGTH && START.test(text);
}

/** Whether several lines stand in one text, of which at least two begin as those of proxies do. Linear. */
export function holdsLines(text: string): boolean {
  if (!text.includes('\n')) return false;
  let found = 0;
  for (let at = 0; at < text.length; at = endOf(text, at) + 1) {
    if (START.test(text.slice(at, at + HEAD)) && ++found === 2) return true;
  }
  return false;
}

/** More than `START` looks at. */
const HEAD = 48;

function endOf(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}
