import { NOTHING_TOLD, UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

/**
 * How our lines begin, in forms that words before them do not have: ztunnel's and istiod's time with its level, Envoy's time with a
 * request, Envoy's own columns, an object of JSON.
 */
const START =
  /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z[\t ]{1,16}(?:trace|debug|info|warn|error|fatal)|\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] |\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,9}\]\[\d|\{"/gi;
const MAX_PREFIX = 200;

/** Names, times and marks: nothing that quotes or assigns a value, in which a client's words may stand. */
const MARKED = /^[^"'`={}\\]{1,200}$/;
/** What ends them: a bracket or a mark, a time, a tab. Words alone are the sentence of a program about the line. */
const CLOSED =
  /(?:[\])}>|:→›»·│,;/-]\s{0,8}|\t|\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z| ?[AP]M| ?[ap]m| ?[+-]\d\d:?\d\d| [A-Z]{3,4}(?: \d{4})?)?\s{1,8})$/;
const HAS_TIME = /(?<!\d)\d\d?:\d\d(?!\d)|\d\.\d{3,9}(?!\d)/;
/** What stands in brackets is one word, and more words without a time are a sentence about the line that follows. */
const BRACKETED = /\[[^\]]*\]|\([^)]*\)|<[^>]*>/g;
const MAX_WORDS = 2;
const MAX_TIMED_WORDS = 12;

/** A pod's name ends in what its owner's controller put there: a hash, with another before it, or a number. */
const POD = /^[a-z0-9][a-z0-9.-]{0,252}-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|\d{1,5})$/;
const NAME = /[A-Za-z0-9][\w.-]*/g;

/**
 * `NAMESPACE/POD/CONTAINER: L`, `POD | L`, `(NODE) [POD] L`, `[12:05:48] [Step 2/3] L`, `HOST: L`, …: what a template of stern, a
 * CI system, a console, a chat or any other tool prints before a line. The name behind a pod's is taken for the container's.
 */
export const namePrefix: Wrapping = {
  id: 'name-prefix',
  title: 'names, times or marks before the line',
  unwrap(text) {
    const head = text.slice(0, MAX_PREFIX + 48);
    for (const { index } of head.matchAll(START)) {
      if (index > MAX_PREFIX) return null;
      const prefix = text.slice(0, index);
      if (index > 0 && isPrefix(prefix)) return { ...NOTHING_TOLD, payload: text.slice(index), origin: podIn(prefix) };
    }
    return behindNames(head, text);
  },
};

/** A line in a format of its own that begins with a date, behind names only, of which one is that of a pod. */
function behindNames(head: string, text: string): ReturnType<Wrapping['unwrap']> {
  const index = head.slice(1).search(DATE) + 1;
  const prefix = text.slice(0, index);
  const origin = podIn(prefix);
  return index > 0 && NAMES.test(prefix) && origin.pod !== null
    ? { ...NOTHING_TOLD, payload: text.slice(index), origin }
    : null;
}

const DATE = /\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d/;
/** Names, and what templates put between and around them. */
const NAMES =
  /^[\s[(<{]{0,4}[A-Za-z0-9][\w.-]{0,252}(?:[\s[\](){}<>|:/,;@=#→›»·│]{1,6}[A-Za-z0-9][\w.-]{0,252}){0,5}[\s[\](){}<>|:/,;=#→›»·│-]{1,6}$/u;

function isPrefix(prefix: string): boolean {
  if (!MARKED.test(prefix)) return false;
  const words = prefix
    .replace(BRACKETED, 'x')
    .split(/\s+/)
    .filter((word) => /\w/.test(word)).length;
  const isTimed = HAS_TIME.test(prefix);
  return words <= (isTimed ? MAX_TIMED_WORDS : MAX_WORDS) && (CLOSED.test(prefix) || (isTimed && /\s$/.test(prefix)));
}

function podIn(prefix: string): typeof UNKNOWN_ORIGIN {
  const names = prefix.match(NAME) ?? [];
  const index = names.findIndex((name) => POD.test(name));
  return index < 0
    ? UNKNOWN_ORIGIN
    : { ...UNKNOWN_ORIGIN, pod: names[index] ?? null, container: names[index + 1] ?? null };
}
