import type { JsonPatchOperation, ObjectChange } from '../model/remedy.ts';
import { fieldPath, pointerKeys } from '../text/json-pointer.ts';
import { printable } from '../text/sanitize.ts';
import { WIDTH, wrap } from './layout.ts';

/** Lines printed per change in a terminal; `-o json` has it whole. */
const MAX_LINES = 6;

/** Lines of a diff that is printed in their place, with one line of context above and below. */
const MAX_DIFF_LINES = 6;

/**
 * A change in a few lines: the lines of the operator's own file where those are few and short, else what is added where for a
 * patch, the spec in YAML flow style for a new object. Printable, at most 80 columns.
 */
export function changeLines(change: ObjectChange, indent: number): readonly string[] {
  const { object } = change;
  const name = printable(`${object.kind} ${object.namespace}/${object.name}`);
  const blanks = ' '.repeat(indent);
  const hunk = hunkLines(change, WIDTH - indent);
  if (hunk !== null) return hunk.map((line) => blanks + line);
  const lines =
    change.op === 'patch' && change.jsonPatch !== null
      ? [name, ...change.jsonPatch.filter((operation) => operation.op !== 'test').flatMap(operationLines)]
      : [`${change.op} ${name}`, `spec: ${flow(change.after?.['spec'])}`];
  const wrapped = lines.flatMap((line) => wrap(line, WIDTH - indent));
  const kept = wrapped.length <= MAX_LINES ? wrapped : [...wrapped.slice(0, MAX_LINES - 1), '…'];
  return kept.map((line) => blanks + line);
}

/** The one hunk of a diff behind its place; null: there is none, or it does not fit. */
function hunkLines({ diff, file }: ObjectChange, width: number): readonly string[] | null {
  const [first, start, body = '', ...more] = diff?.split(/^@@ -(\d+)[^\n]*\n/m) ?? [];
  if (first === undefined || start === undefined || more.length > 0) return null;
  const lines = body
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => printable(line.replace(/\r$/, '')));
  const above = Math.max(0, lines.findIndex(isEdited) - 1);
  const told = lines.slice(above, lines.findLastIndex(isEdited) + 2);
  if (told.length > MAX_DIFF_LINES || told.some((line) => line.length > width)) return null;
  return [...wrap(printable(`${file}:${Number(start) + above}`), width), ...told];
}

function isEdited(line: string): boolean {
  return line.startsWith('+') || line.startsWith('-');
}

function operationLines(operation: JsonPatchOperation): readonly string[] {
  const path = printable(fieldPath(pointerKeys(operation.path)));
  return operation.op === 'remove' ? [`- ${path}`] : [path, `+ ${flow(operation.value)}`];
}

const PLAIN_SCALAR = /^[A-Za-z/][\w./-]*$/;
const YAML_WORDS = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

/** A value as YAML in flow style on one line. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => `${flow(key)}: ${flow(item)}`);
    return `{${entries.join(', ')}}`;
  }
  if (typeof value !== 'string') return String(value ?? null);
  return PLAIN_SCALAR.test(value) && !YAML_WORDS.test(value) ? value : JSON.stringify(printable(value));
}
