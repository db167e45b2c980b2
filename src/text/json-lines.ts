const QUOTE = 34;
const BACKSLASH = 92;
const HASH = 35;
const OPEN = new Set([123, 91]);
const CLOSE = new Set([125, 93]);
/** `{` alone, or `{` and the first key of a pretty-printed object on the next line. */
const START = /^\{\s*(?:$|\n\s*"(?:[^"\\\n]|\\.)*"\s*:)/;

/**
 * True when the text is the beginning of a JSON object that is printed over several lines: it starts like one, and is not
 * closed. A line that was cut off within (`{"a":1,"b`) is none. Linear.
 */
export function isUnfinishedJson(text: string): boolean {
  const laidOut = START.test(text) || /^\{[^\n]*,\s*$/.test(text);
  return laidOut && isOpen(text);
}

function isOpen(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = closingQuote(text, at + 1);
      if (at < 0) return false;
    } else if (OPEN.has(code)) depth++;
    else if (CLOSE.has(code) && --depth === 0) return false;
  }
  return depth > 0;
}

/** The text without `# …` to the end of a line outside of strings: notes that people write into JSON. Linear. */
export function withoutComments(text: string): string {
  if (!text.includes('#')) return text;
  let kept = '';
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = closingQuote(text, at + 1);
      if (at < 0) break;
    } else if (code === HASH) {
      kept += text.slice(from, at);
      const end = text.indexOf('\n', at);
      from = end < 0 ? text.length : end;
      at = from;
    }
  }
  return kept + text.slice(from);
}

function closingQuote(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at;
  }
  return -1;
}
