import { NOTHING_TOLD, UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

/** Names, and what templates put between and around them. */
const NAMES =
  /^[\s[(<{]{0,4}[A-Za-z0-9][\w.-]{0,252}(?:[\s[\](){}<>|:/,;@=#→›»·│]{1,6}[A-Za-z0-9][\w.-]{0,252}){0,5}[\s[\](){}<>|:/,;=#→›»·│-]{1,6}$/u;
/** A pod's name ends in what its owner's controller put there: a hash, with another before it, or a number. */
const POD = /^[a-z0-9][a-z0-9.-]{0,252}-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|\d{1,5})$/;
const NAME = /[A-Za-z0-9][\w.-]*/g;
/** How our lines begin: with a date, a bracket before one, or a brace. */
const START = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|\{"/g;
const MAX_PREFIX = 600;

/**
 * `NAMESPACE/POD/CONTAINER: L`, `POD | L`, `(NODE) [POD] L`, …: what a template of stern or another tool prints before a line, if
 * it is names only and one of them is that of a pod. The name behind the pod's is taken for the container's.
 */
export const namePrefix: Wrapping = {
  id: 'name-prefix',
  title: 'names before the line (stern --template, kail)',
  unwrap(text) {
    START.lastIndex = 1;
    const start = START.exec(text.length > MAX_PREFIX ? text.slice(0, MAX_PREFIX) : text);
    if (start === null) return null;
    const at = text.charAt(start.index - 1) === '[' ? start.index - 1 : start.index;
    const prefix = text.slice(0, at);
    if (!NAMES.test(prefix)) return null;
    const names = prefix.match(NAME) ?? [];
    const index = names.findIndex((name) => POD.test(name));
    if (index < 0) return null;
    const container = names[index + 1] ?? null;
    const origin = { ...UNKNOWN_ORIGIN, pod: names[index] ?? null, container };
    return { ...NOTHING_TOLD, payload: text.slice(at), origin };
  },
};
