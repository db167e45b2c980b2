import type { Unwrapped, Wrapping } from '../../src/model/line.ts';

const OPENING = '[pod/';
const BLANK = 32;
const CLOSING = 93;
const SLASH = 47;
const HYPHEN = 45;
const DOT = 46;
const MAX_POD = 253;
const MAX_CONTAINER = 63;

/**
 * `[pod/NAME/CONTAINER] L` (kubectl pkg/cmd/logs, `addPrefixIfNeeded`). The namespace is not told. Where the log of another
 * container ended without a line end, its last words stand before the prefix.
 */
export const kubectlPrefix: Wrapping = {
  id: 'kubectl-prefix',
  title: 'kubectl logs --prefix',
  unwrap(text) {
    if (text.startsWith(OPENING)) return withoutPrefix(text, 0);
    const start = text.lastIndexOf(OPENING);
    return start < 0 ? null : withoutPrefix(text, start);
  },
};

function withoutPrefix(text: string, start: number): Unwrapped | null {
  const podStart = start + OPENING.length;
  const podEnd = nameEnd(text, podStart, MAX_POD, true);
  if (podEnd === podStart || text.charCodeAt(podEnd) !== SLASH) return null;
  const end = nameEnd(text, podEnd + 1, MAX_CONTAINER, false);
  if (end === podEnd + 1 || text.charCodeAt(end) !== CLOSING) return null;
  if (end + 1 < text.length && text.charCodeAt(end + 1) !== BLANK) return null;
  return {
    payload: text.slice(end + 2),
    time: null,
    origin: {
      cluster: null,
      namespace: null,
      pod: text.slice(podStart, podEnd),
      container: text.slice(podEnd + 1, end),
      node: null,
    },
    more: false,
    stream: null,
  };
}

/** Where the name ends that begins at a place; there where it has none. */
function nameEnd(text: string, start: number, most: number, hasDots: boolean): number {
  let end = start;
  while (end < start + most && isOfName(text.charCodeAt(end), hasDots)) end++;
  return end;
}

function isOfName(code: number, hasDots: boolean): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === HYPHEN || (hasDots && code === DOT);
}
