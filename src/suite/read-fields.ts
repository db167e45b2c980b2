import { isRecord } from '../text/kube-object.ts';

/** A value, or what is wrong with what was written. The reason starts with the path of the field; it may hold untrusted text. */
export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** Reads one field; `value` undefined or null: it is absent. */
export type Reader<T> = (value: unknown, path: string) => Read<T>;

/** A value that was read. */
export function good<T>(value: T): Read<T> {
  return { ok: true, value };
}

/** A value that cannot be read. */
export function bad(path: string, wanted: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason: `${path}: ${wanted}` };
}

/** Readers of the fields of an object, by name. */
export type Readers<T> = { readonly [Name in keyof T]: Reader<T[Name]> };

/** An object with these fields and no others: a misspelt one must not go unnoticed. */
export function readFields<T extends object>(readers: Readers<T>): Reader<T> {
  return (value, path) => {
    if (!isRecord(value)) return bad(path || 'document', 'must be a mapping');
    const stray = Object.keys(value).find((name) => !Object.hasOwn(readers, name));
    if (stray !== undefined) {
      return bad(join(path, stray), `there is no such field, only ${Object.keys(readers).join(', ')}`);
    }
    const result: Partial<T> = {};
    for (const name in readers) {
      const field = readers[name](value[name] ?? null, join(path, name));
      if (!field.ok) return field;
      result[name] = field.value;
    }
    return good(result as T);
  };
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

/** A text; absent is null. A number counts as the text it is written as: `istioVersion: 1.27`. */
export const text: Reader<string | null> = (value, path) => {
  if (value === null || value === undefined) return good(null);
  if (typeof value === 'number') return good(String(value));
  return typeof value === 'string' ? good(value) : bad(path, 'must be a text');
};

/** A text that must be there. */
export const required: Reader<string> = (value, path) => {
  const read = text(value, path);
  if (!read.ok) return read;
  return read.value === null ? bad(path, 'is missing') : good(read.value);
};

/** A number; absent is null. */
export const number: Reader<number | null> = (value, path) => {
  if (value === null || value === undefined) return good(null);
  return typeof value === 'number' ? good(value) : bad(path, 'must be a number');
};

/** True or false; absent is false. */
export const flag: Reader<boolean> = (value, path) => {
  if (value === null || value === undefined) return good(false);
  return typeof value === 'boolean' ? good(value) : bad(path, 'must be true or false');
};

/** A JSON object as it is; absent is null. */
export const mapping: Reader<Readonly<Record<string, unknown>> | null> = (value, path) => {
  if (value === null || value === undefined) return good(null);
  return isRecord(value) ? good(value) : bad(path, 'must be a mapping');
};

/** One of these texts; absent is null. */
export function choice<T extends string>(names: readonly T[]): Reader<T | null> {
  return (value, path) => {
    if (value === null || value === undefined) return good(null);
    const found = names.find((name) => name === value);
    return found === undefined ? bad(path, `must be ${names.join(' or ')}`) : good(found);
  };
}

/** A list, or a single item that stands for a list of it; absent is null. */
export function list<T>(item: Reader<T>): Reader<readonly T[] | null> {
  return (value, path) => {
    if (value === null || value === undefined) return good(null);
    const values: T[] = [];
    for (const [index, entry] of (Array.isArray(value) ? value : [value]).entries()) {
      const read = item(entry, `${path}[${index}]`);
      if (!read.ok) return read;
      values.push(read.value);
    }
    return good(values);
  };
}

/** A mapping with values of one kind; absent is empty. */
export function entries<T>(item: Reader<T>): Reader<ReadonlyMap<string, T>> {
  return (value, path) => {
    if (value === null || value === undefined) return good(new Map());
    if (!isRecord(value)) return bad(path, 'must be a mapping');
    const values = new Map<string, T>();
    for (const [name, entry] of Object.entries(value)) {
      const read = item(entry, join(path, name));
      if (!read.ok) return read;
      values.set(name, read.value);
    }
    return good(values);
  };
}
