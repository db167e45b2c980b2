import type { Envelope, Line, Origin, Unwrapped, Wrapping } from '../model/line.ts';
import { UNKNOWN_ORIGIN } from '../model/line.ts';

/** A line with some of its wrappings off, or none yet, and which stream of its container it is of. */
export interface Peeled extends Envelope, Pick<Unwrapped, 'stream'> {}

/** Where a line came from, as finely as pieces of cut lines have to be told apart. */
export type Source = Pick<Peeled, 'origin' | 'stream'>;

const NO_WRAPPINGS: readonly string[] = [];

const BYTE_ORDER_MARK = 0xfeff;
const CARRIAGE_RETURN = 13;

/**
 * A line of an input as it was read, without the mark that Windows tools write first and that stands in the middle of files put
 * together, and without the returns that a terminal was sent at its end.
 */
export function bare({ at, text }: Line): Peeled {
  const start = text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0;
  let end = text.length;
  while (text.charCodeAt(end - 1) === CARRIAGE_RETURN) end--;
  const payload = text.slice(start, end);
  return { at, wrappings: NO_WRAPPINGS, time: null, origin: UNKNOWN_ORIGIN, payload, stream: null };
}

/** A line with one wrapping off. */
export function inside(outer: Peeled, wrapping: Wrapping, unwrapped: Unwrapped): Peeled {
  return {
    at: outer.at,
    wrappings: [...outer.wrappings, wrapping.id],
    time: outer.time ?? unwrapped.time,
    origin: refine(outer.origin, unwrapped.origin),
    payload: unwrapped.payload,
    stream: outer.stream ?? unwrapped.stream,
  };
}

/** A line without these wrappings, of which `ids` are the ids, outermost first; null: it does not have them, or is a piece of a line. */
export function takeOff(line: Peeled, wrappings: readonly Wrapping[], ids: readonly string[]): Peeled | null {
  let { payload, time, origin, stream } = line;
  for (const wrapping of wrappings) {
    const unwrapped = wrapping.unwrap(payload);
    if (unwrapped === null || unwrapped.more) return null;
    payload = unwrapped.payload;
    time ??= unwrapped.time;
    origin = refine(origin, unwrapped.origin);
    stream ??= unwrapped.stream;
  }
  return {
    at: line.at,
    wrappings: line.wrappings.length === 0 ? ids : [...line.wrappings, ...ids],
    time,
    origin,
    payload,
    stream,
  };
}

/** A line that stands in a part of a document, of which `first` is the first line. */
export function inDocument(first: Peeled, wrapping: Wrapping, text: string): Peeled {
  return { ...first, wrappings: [...first.wrappings, wrapping.id], payload: text };
}

/** What two wrappings tell together; the outer one goes before. */
export function refine(outer: Origin, inner: Origin): Origin {
  if (outer === UNKNOWN_ORIGIN) return inner;
  if (inner === UNKNOWN_ORIGIN) return outer;
  return {
    cluster: outer.cluster ?? inner.cluster,
    namespace: outer.namespace ?? inner.namespace,
    pod: outer.pod ?? inner.pod,
    container: outer.container ?? inner.container,
    node: outer.node ?? inner.node,
  };
}

/** Whether two origins tell the same. */
export function isSame(a: Origin, b: Origin): boolean {
  if (a === b) return true;
  return (
    a.pod === b.pod &&
    a.container === b.container &&
    a.namespace === b.namespace &&
    a.node === b.node &&
    a.cluster === b.cluster
  );
}

/**
 * Who wrote a line that says `own` of it, in an input that is of `home` by its name. What the line says goes before; where both
 * name a namespace, pod or container and they differ, the line came from elsewhere.
 */
export function located(own: Origin, home: Origin): Origin {
  if (own === UNKNOWN_ORIGIN) return home;
  const differs = ORIGIN_KEYS.some((key) => own[key] !== null && home[key] !== null && own[key] !== home[key]);
  return differs ? own : refine(own, home);
}

const ORIGIN_KEYS = ['cluster', 'namespace', 'pod', 'container', 'node'] as const;

/** Names the stream of lines that an origin stands for; '' where nothing is known. */
export function originKey(origin: Origin): string {
  return isSame(origin, UNKNOWN_ORIGIN)
    ? ''
    : `${origin.cluster}/${origin.node}/${origin.namespace}/${origin.pod}/${origin.container}`;
}

/** Names what pieces of one line have in common: the origin and, where it is told, the stream of the container. */
export function pieceKey({ origin, stream }: Source): string {
  return stream === null ? originKey(origin) : `${originKey(origin)}/${stream}`;
}
