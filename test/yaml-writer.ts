import { stringify } from 'yaml';
import { isRecord } from '../src/text/kube-object.ts';

/** Says yes or no, or which of `count` ways, whenever a way of writing is to be chosen. */
export type Choose = (count: number) => number;

const COMMENTS = ['', '', '', ' # why', "   # it's {here}: [a, b]", ' #'];

/** A value as YAML in a style that is chosen anew at every place: block and flow, quotes, indentation, comments, blank lines. */
export function writeYaml(value: unknown, choose: Choose): string {
  return blockLines(value, choose)
    .flatMap((line) => [...(choose(12) === 0 ? [['', '# alone', '     # further in'][choose(3)] ?? ''] : []), line])
    .map((line) => `${line}\n`)
    .join('');
}

function blockLines(value: unknown, choose: Choose): string[] {
  if (Array.isArray(value) && value.length > 0 && choose(4) > 0) {
    const gap = ' '.repeat(choose(5) === 0 ? 3 : 1);
    return value.flatMap((item) => hung(`-${gap}`, blockLines(item, choose)));
  }
  if (isRecord(value) && Object.keys(value).length > 0 && choose(6) > 0) {
    return Object.entries(value).flatMap(([key, field]) => fieldLines(key, field, choose));
  }
  return [flow(value, choose) + comment(choose)];
}

function fieldLines(key: string, field: unknown, choose: Choose): string[] {
  const lines = blockLines(field, choose);
  const isCollection = Array.isArray(field) || isRecord(field);
  const isFlow = !isCollection || /^[[{]/.test(lines[0] ?? '');
  if (isFlow) return [`${scalar(key, choose)}: ${lines[0]}`, ...lines.slice(1)];
  const step = ' '.repeat(Array.isArray(field) ? choose(2) * 2 : 2 + choose(2) * 2);
  return [`${scalar(key, choose)}:${comment(choose)}`, ...lines.map((line) => step + line)];
}

function hung(mark: string, [first = '', ...rest]: string[]): string[] {
  return [mark + first, ...rest.map((line) => ' '.repeat(mark.length) + line)];
}

function comment(choose: Choose): string {
  return COMMENTS[choose(COMMENTS.length)] ?? '';
}

function flow(value: unknown, choose: Choose): string {
  const pad = choose(3) === 0 ? ' ' : '';
  if (Array.isArray(value)) return `[${pad}${value.map((item) => flow(item, choose)).join(', ')}${pad}]`;
  if (!isRecord(value)) return scalar(value, choose);
  const fields = Object.entries(value).map(([key, field]) => `${scalar(key, choose)}: ${flow(field, choose)}`);
  return `{${pad}${fields.join(', ')}${pad}}`;
}

function scalar(value: unknown, choose: Choose): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const plain = stringify(value, { lineWidth: 0, blockQuote: false }).trimEnd();
  const ways = [/[[\]{},]|:$/.test(value) ? JSON.stringify(value) : plain, JSON.stringify(value)];
  if (/^[ -~]*$/.test(value)) ways.push(`'${value.replaceAll("'", "''")}'`);
  return ways[choose(ways.length)] ?? plain;
}
