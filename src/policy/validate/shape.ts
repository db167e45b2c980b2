import { isRecord } from '../../text/kube-object.ts';

/** What is wrong with a value, one line each that starts with its path; empty: nothing. The value is untrusted. */
export type Shape = (value: unknown, path: string) => readonly string[];

/** A rule on a value whose form is right: null, or what is wrong. */
type Rule<T> = (value: T) => string | null;

/** Limits of a text; lengths are in characters. */
interface TextLimits {
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: RegExp;
  readonly oneOf?: readonly string[];
  readonly rule?: Rule<string>;
}

/** A text within limits. */
export function textShape(limits: TextLimits = {}): Shape {
  return (value, path) => {
    if (typeof value !== 'string') return [`${path}: must be a string`];
    const problem = textProblem(value, limits) ?? limits.rule?.(value) ?? null;
    return problem === null ? [] : [`${path}: ${problem}`];
  };
}

function textProblem(value: string, { min = 0, max, pattern, oneOf }: TextLimits): string | null {
  if (oneOf !== undefined && !oneOf.includes(value)) return `must be one of ${oneOf.join(', ')}`;
  if (value.length < min) return 'must not be empty';
  // Characters are never more than UTF-16 units: count them only where it matters.
  if (max !== undefined && value.length > max && [...value].length > max) return `must not be longer than ${max}`;
  return pattern === undefined || pattern.test(value) ? null : `${JSON.stringify(value)} has not the right form`;
}

/** Also null, which fields of built-in types read as absent; those of a CRD do not. */
export function nullable(shape: Shape): Shape {
  return (value, path) => (value === null ? [] : shape(value, path));
}

/** True or false. */
export const flagShape: Shape = (value, path) => (typeof value === 'boolean' ? [] : [`${path}: must be true or false`]);

/** A list of one shape. */
export function listShape(item: Shape, max: number = Number.POSITIVE_INFINITY): Shape {
  return (value, path) => {
    if (!Array.isArray(value)) return [`${path}: must be a list`];
    if (value.length > max) return [`${path}: must not have more than ${max} items`];
    return value.flatMap((entry, index) => item(entry, `${path}[${index}]`));
  };
}

/** An object with any keys, within a number of entries. */
export function mapShape(item: Shape, min: number, max: number, keyRule: Rule<string> = () => null): Shape {
  return (value, path) => {
    if (!isRecord(value)) return [`${path}: must be an object`];
    const entries = Object.entries(value);
    if (entries.length < min || entries.length > max) return [`${path}: must have ${min} to ${max} entries`];
    return entries.flatMap(([key, entry]) => {
      const problem = keyRule(key);
      return [...(problem === null ? [] : [`${path}[${key}]: the key ${problem}`]), ...item(entry, `${path}[${key}]`)];
    });
  };
}

/** An object with these fields and no others; its rules are asked only if the rest is right, as an API server does. */
export function objectShape(
  fields: Readonly<Record<string, Shape>>,
  required: readonly string[] = [],
  ...rules: readonly Rule<Readonly<Record<string, unknown>>>[]
): Shape {
  return (value, path) => {
    if (!isRecord(value)) return [`${path}: must be an object`];
    const missing = required.filter((name) => !Object.hasOwn(value, name));
    const problems = [
      ...missing.map((name) => `${path}.${name}: must be set`),
      ...Object.entries(value).flatMap(([name, entry]) => {
        const shape = Object.hasOwn(fields, name) ? fields[name] : undefined;
        return shape === undefined ? [`${path}.${name}: is no known field`] : shape(entry, `${path}.${name}`);
      }),
    ];
    if (problems.length > 0) return problems;
    return rules.flatMap((rule) => {
      const problem = rule(value);
      return problem === null ? [] : [`${path}: ${problem}`];
    });
  };
}

/** A rule: at most one of these fields. */
export function atMostOneOf(...names: readonly string[]): Rule<Readonly<Record<string, unknown>>> {
  return (value) =>
    names.filter((name) => Object.hasOwn(value, name)).length > 1 ? `only one of ${names.join(', ')} may be set` : null;
}
