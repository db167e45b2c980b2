import type { JsonPatchOperation, ObjectChange } from '../model/remedy.ts';
import { printable } from '../text/sanitize.ts';
import { WIDTH, wrap } from './layout.ts';

/** Lines printed per change in a terminal; `-o json` has it whole. */
const MAX_LINES = 6;

/**
 * A change in a few lines: what is added where for a patch, the spec in YAML flow style for a new object. Printable, at
 * most 80 columns.
 */
export function changeLines(change: ObjectChange, indent: number): readonly string[] {
  const { object } = change;
  const name = printable(`${object.kind} ${object.namespace}/${object.name}`);
  const lines =
    change.op === 'patch' && change.jsonPatch !== null
      ? [name, ...change.jsonPatch.filter((operation) => operation.op !== 'test').flatMap(operationLines)]
      : [`${change.op} ${name}`, `spec: ${flow(change.after?.['spec'])}`];
  const wrapped = lines.flatMap((line) => wrap(line, WIDTH - indent));
  const kept = wrapped.length <= MAX_LINES ? wrapped : [...wrapped.slice(0, MAX_LINES - 1), '…'];
  return kept.map((line) => ' '.repeat(indent) + line);
}

function operationLines(operation: JsonPatchOperation): readonly string[] {
  const path = printable(fieldPath(operation.path));
  return operation.op === 'remove' ? [`- ${path}`] : [path, `+ ${flow(operation.value)}`];
}

/** `/spec/rules/0/from` as `spec.rules[0].from`. */
function fieldPath(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, part) => {
      if (part === '-') return path;
      if (/^\d+$/.test(part)) return `${path}[${part}]`;
      return path === '' ? part : `${path}.${part}`;
    }, '');
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
