import { printable } from '../text/sanitize.ts';

/** Columns that fit every terminal. */
export const WIDTH = 80;

/**
 * Breaks a text into lines of at most `width` characters, at blanks where there are any. Expects printable text without
 * line ends.
 */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/ +/)) {
    let rest = word;
    if (line !== '' && line.length + 1 + rest.length > width) {
      lines.push(line);
      line = '';
    }
    while (rest.length > width) {
      lines.push(rest.slice(0, width));
      rest = rest.slice(width);
    }
    line = line === '' ? rest : `${line} ${rest}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}

/** Any text, made printable and wrapped, each line behind `indent` blanks; none for an empty one. */
export function indented(text: string, indent: number): readonly string[] {
  return wrap(printable(text), WIDTH - indent).map((line) => ' '.repeat(indent) + line);
}

/** A label and a text, the text wrapped beside the label: `Cause   text`. `indent` blanks before everything. */
export function labelled(label: string, text: string, indent: number, maxLines: number): readonly string[] {
  const head = `${' '.repeat(indent)}${label.padEnd(8)}`;
  const lines = wrap(text, WIDTH - head.length);
  const kept =
    lines.length <= maxLines
      ? lines
      : [...lines.slice(0, maxLines - 1), `${lines[maxLines - 1]?.slice(0, WIDTH - head.length - 1)}…`];
  return kept.map((line, index) => (index === 0 ? head : ' '.repeat(head.length)) + line);
}
