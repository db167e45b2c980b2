import { isRecord } from '../text/kube-object.ts';
import { remembered } from '../text/remembered.ts';

/** A decoded value, or why there is none. The reason is one line that starts with the path of the field; untrusted text may stand in it. */
export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/**
 * How one field of a protobuf message is read from JSON. These follow the reader that Istio's API types use, which is
 * golang/protobuf 1.5 jsonpb with unknown fields allowed (istio.io/api security/v1beta1 *_json.gen.go).
 */
export interface Field<T> {
  /** The value of an absent or null field. */
  readonly absent: T;
  /** Reads what is written; `path` only serves the reason. Null stands here as an item of a list or map, never as a field. */
  readonly read: (json: unknown, path: string) => Decoded<T>;
}

/** A message: like a field, but absent is null only where a field holds it; as an item of a list null is an empty message. */
export interface Message<T> {
  readonly read: (json: unknown, path: string) => Decoded<T>;
}

function good<T>(value: T): Decoded<T> {
  return { ok: true, value };
}

function bad(path: string, wanted: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason: `${path}: ${wanted}` };
}

/** A string; null in a list is ''. */
export const text: Field<string> = {
  absent: '',
  read: (json, path) => {
    if (json === null) return good('');
    return typeof json === 'string' ? good(json) : bad(path, 'must be a string');
  },
};

/** A bool; strings like `"true"` are refused. */
export const flag: Field<boolean> = {
  absent: false,
  read: (json, path) => {
    if (json === null) return good(false);
    return typeof json === 'boolean' ? good(json) : bad(path, 'must be true or false');
  },
};

/** A value of an enum by its name (case matters) or its number; the first one is the default. */
export function choice<T extends string>(names: readonly [T, ...T[]]): Field<T> {
  return {
    absent: names[0],
    read: (json, path) => {
      if (json === null) return good(names[0]);
      const found = typeof json === 'number' ? names[json] : names.find((name) => name === json);
      return found === undefined ? bad(path, `must be one of ${names.join(', ')}`) : good(found);
    },
  };
}

/** A message inside a message; null: absent. */
export function nested<T>(message: Message<T>): Field<T | null> {
  return { absent: null, read: message.read };
}

/** A repeated field. An empty list and an absent one are the same in protobuf. */
export function list<T>(item: Message<T>): Field<readonly T[]> {
  return {
    absent: [],
    read: (json, path) => {
      if (json === null) return good([]);
      if (!Array.isArray(json)) return bad(path, 'must be a list');
      const values: T[] = [];
      for (const [index, entry] of json.entries()) {
        const decoded = item.read(entry, `${path}[${index}]`);
        if (!decoded.ok) return decoded;
        values.push(decoded.value);
      }
      return good(values);
    },
  };
}

/** A map with text keys; null: absent, which differs from an empty one. */
export function textMap<T>(item: Message<T>): Field<Readonly<Record<string, T>> | null> {
  return {
    absent: null,
    read: (json, path) => {
      const entries = readEntries(json, path, item, (key) => good(key));
      return entries.ok ? good(Object.fromEntries(entries.value)) : entries;
    },
  };
}

/** A map whose keys are unsigned 32 bit numbers; null: absent, which differs from an empty one. */
export function numberMap<T>(item: Message<T>): Field<ReadonlyMap<number, T> | null> {
  return {
    absent: null,
    read: (json, path) => {
      const entries = readEntries(json, path, item, readNumberKey);
      return entries.ok ? good(new Map(entries.value)) : entries;
    },
  };
}

function readEntries<K, T>(
  json: unknown,
  path: string,
  item: Message<T>,
  readKey: (key: string, path: string) => Decoded<K>,
): Decoded<[K, T][]> {
  if (!isRecord(json)) return bad(path, 'must be an object');
  const entries: [K, T][] = [];
  for (const [name, value] of Object.entries(json)) {
    const key = readKey(name, path);
    if (!key.ok) return key;
    const decoded = item.read(value, `${path}[${name}]`);
    if (!decoded.ok) return decoded;
    entries.push([key.value, decoded.value]);
  }
  return good(entries);
}

/** jsonpb reads such a key as a JSON text of its own: `080` is none, ` 80` and `"80"` are, `null` leaves the zero. */
function readNumberKey(key: string, path: string): Decoded<number> {
  const unquoted = /^".*"$/s.test(key) ? key.slice(1, -1) : key;
  const json = unquoted.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '');
  if (json === 'null') return good(0);
  const number = /^(?:0|[1-9]\d{0,9})$/.test(json) ? Number(json) : Number.NaN;
  return number <= 0xffff_ffff ? good(number) : bad(`${path}[${key}]`, 'the key must be a number');
}

/** The fields of a message by their JSON (camelCase) names. */
export type Fields<T> = { readonly [Name in keyof T]: Field<T[Name]> };

/**
 * A message. Fields may be written in camelCase or in the snake_case of the .proto file; the former wins. Unknown fields
 * are ignored: the API server drops them before (pruning).
 */
export function message<T extends object>(fields: Fields<T>): Message<T> {
  const snakes = new Map(Object.keys(fields).map((name) => [name, snakeOf(name)]));
  return {
    read: (json, path) => {
      if (json !== null && !isRecord(json)) return bad(path, 'must be an object');
      const result: Partial<T> = {};
      for (const name in fields) {
        const decoded = readField(json ?? {}, [name, snakes.get(name) ?? name], fields[name], path);
        if (!decoded.ok) return decoded;
        result[name] = decoded.value;
      }
      return isComplete(result, fields) ? good(result) : bad(path, 'is incomplete');
    },
  };
}

/** The same message, of which an object is read once: many ask about one `spec`, which nobody changes. */
export function readOnce<T>({ read }: Message<T>): Message<T> {
  const known = remembered((json: object) => read(json, 'spec'));
  return { read: (json, path) => (isRecord(json) && path === 'spec' ? known(json) : read(json, path)) };
}

function snakeOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function readField<T>(
  json: Readonly<Record<string, unknown>>,
  [name, snake]: readonly [string, string],
  field: Field<T>,
  path: string,
): Decoded<T> {
  const key = Object.hasOwn(json, name) ? name : snake;
  const written = Object.hasOwn(json, key) ? (json[key] ?? null) : null;
  return written === null ? good(field.absent) : field.read(written, `${path}.${key}`);
}

function isComplete<T extends object>(result: Partial<T>, fields: Fields<T>): result is T {
  return Object.keys(result).length === Object.keys(fields).length;
}

/** Nanoseconds of each unit. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

const DURATION_PART = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;

/** One beyond the greatest int64: only a negative duration may be that long. */
const DURATION_LIMIT = 2n ** 63n;

/** A google.protobuf.Duration as Go's time.ParseDuration reads it (`1h2m3.5s`, a unit is required), in nanoseconds. Null: absent. */
export const duration: Field<bigint | null> = {
  absent: null,
  read: (json, path) => {
    const nanoseconds = typeof json === 'string' ? parseGoDuration(json) : null;
    return nanoseconds === null ? bad(path, 'must be a duration such as 5s') : good(nanoseconds);
  },
};

function parseGoDuration(written: string): bigint | null {
  const unsigned = written.replace(/^[+-]/, '');
  if (unsigned === '0') return 0n;
  let total = 0n;
  let end = 0;
  while (end < unsigned.length || end === 0) {
    DURATION_PART.lastIndex = end;
    const [part, whole = '', fraction = '', name = ''] = DURATION_PART.exec(unsigned) ?? [];
    const unit = UNITS[name];
    if (part === undefined || unit === undefined || whole + fraction === '') return null;
    const digits = fraction.slice(0, 18);
    total += BigInt(whole || 0) * BigInt(unit) + BigInt(Math.trunc(Number(digits) * (unit / 10 ** digits.length)));
    end += part.length;
    if (total > DURATION_LIMIT) return null;
  }
  if (written.startsWith('-')) return -total;
  return total < DURATION_LIMIT ? total : null;
}
