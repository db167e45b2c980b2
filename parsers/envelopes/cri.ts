import { UNKNOWN_ORIGIN, type Unwrapped, type Wrapping } from '../../src/model/line.ts';
import { parseInstant } from '../../src/text/time.ts';
import { timeLength } from '../../src/text/time-head.ts';

const BLANK = 32;
const COLON = 58;
const FULL = 70;
const PIECE = 80;
/** Characters that further tags may have together. */
const MAX_TAGS = 64;

/**
 * `TIME stdout F L`, the files under `/var/log/pods`; tag `P` marks a piece of a line that was longer than 16 kB (kubernetes
 * pkg/kubelet/kuberuntime/logs, CRI log format). Further tags may stand behind a colon. Pod and container stand in the
 * file's path only.
 */
export const cri: Wrapping = {
  id: 'cri',
  title: 'container log file (CRI)',
  unwrap(text) {
    const end = timeLength(text);
    if (end === 0 || text.charCodeAt(end) !== BLANK) return null;
    const stream = streamAt(text, end + 1);
    if (stream === null) return null;
    const tag = text.charCodeAt(end + 8);
    const start = tag === FULL || tag === PIECE ? payloadStart(text, end + 9) : -1;
    if (start < 0) return null;
    return {
      payload: text.slice(start),
      time: parseInstant(text.slice(0, end)),
      origin: UNKNOWN_ORIGIN,
      more: tag === PIECE,
      stream,
    };
  },
};

function streamAt(text: string, at: number): Unwrapped['stream'] {
  if (text.startsWith('stdout ', at)) return 'stdout';
  return text.startsWith('stderr ', at) ? 'stderr' : null;
}

/** Where the payload begins behind the first tag; -1: there is something else. */
function payloadStart(text: string, at: number): number {
  let end = at;
  if (text.charCodeAt(at) === COLON) {
    while (end < text.length && end <= at + MAX_TAGS && text.charCodeAt(end) !== BLANK) end++;
  }
  if (end === text.length) return end;
  return text.charCodeAt(end) === BLANK ? end + 1 : -1;
}
