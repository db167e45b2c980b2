import type { DocumentReader, Wrapping } from '../../src/model/line.ts';

/** How a line of ours begins that cannot end there: an object that is not closed, an access log line without its end. */
const BEGIN = /^(?:\{"|\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] ")/;
/** How any record begins: what stands before it is over. */
const NEXT = /^\s{0,64}(?:\{"|\[?\d{4}-\d\d-\d\d[T ]\d\d:|\[pod\/)/;
/** Envoy's default formats to their last column: the present one, and those before 1.9 (istio 86c9f01f pkg/envoy). */
const WHOLE_TEXT =
  /^\[[^\]]{24}\] "[^"]*" \d{1,3} (?:\S+ \S+ \S+ ".*"(?: "[^"]*"){4} \S+(?: \S+){5}|\S+ ".*"(?: "[^"]*"){4} \S+(?: \S+){3,5})$/;
const MIN_WIDTH = 40;
/** Fewer blanks at the start of a line are its own. */
const MIN_INDENT = 2;
const MAX_LINES = 40;
const MAX_LENGTH = 16 * 1024;
/** Where terminals, mail and wikis break lines. */
const WIDTHS: ReadonlySet<number> = new Set([72, 76, 78, 79, 80, 100, 120, 132, 140, 150, 160, 180, 200, 240]);

/**
 * A line that was broken over several when somebody pasted it: at the edge of a terminal, in the midst of words, or between
 * words. ztunnel's text has a reader of its own. Nothing is joined but what is whole afterwards.
 */
export const wrappedLine: Wrapping = {
  id: 'wrapped-line',
  title: 'lines broken at the edge of a page',
  unwrap: () => null,
  begin(text): DocumentReader | null {
    const isPart = text.length >= MIN_WIDTH && text.length <= MAX_LENGTH && BEGIN.test(text) && !isWhole(text);
    return isPart ? new WrappedReader() : null;
  },
};

class WrappedReader implements DocumentReader {
  #parts: string[] = [];
  #length = 0;

  next(text: string): readonly string[] | 'open' | 'left' {
    const isFirst = this.#parts.length === 0;
    if (!isFirst && (text.trim() === '' || NEXT.test(text))) return 'left';
    this.#parts.push(text);
    this.#length += text.length;
    if (isFirst) return 'open';
    const whole = joined(this.#parts).find(isWhole);
    if (whole === undefined) return this.#parts.length < MAX_LINES && this.#length < MAX_LENGTH ? 'open' : 'left';
    this.#parts = [];
    return [whole];
  }
}

/**
 * The line that the parts make, in the ways in which it may have been broken, the likeliest one first: as long parts as fit
 * were cut at the edge, shorter ones between words.
 */
function joined(parts: readonly string[]): readonly string[] {
  const [first = '', ...rest] = parts;
  const indents = rest.map((part) => part.length - part.trimStart().length);
  const indent = Math.min(...indents) < MIN_INDENT ? 0 : Math.min(...indents);
  const pieces = [first, ...rest.map((part) => part.slice(indent))];
  const lengths = pieces.slice(0, -1).map((piece) => piece.length);
  const width = Math.max(...lengths);
  const isKnown = WIDTHS.has(width) || lengths.filter((length) => length === width).length > 1;
  const likeliest = pieces.reduce((line, piece, index) => {
    const isCut = isKnown && pieces[index - 1]?.length === width;
    return isCut ? line + piece : `${line.trimEnd()} ${piece.trimStart()}`;
  });
  return [likeliest, pieces.map((piece) => piece.trim()).join(' '), pieces.join('')];
}

function isWhole(text: string): boolean {
  if (!text.startsWith('{')) return WHOLE_TEXT.test(text);
  if (!text.trimEnd().endsWith('}')) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
