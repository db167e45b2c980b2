import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';
import { parseInstant } from '../../src/text/time.ts';
import { timeLength } from '../../src/text/time-head.ts';

const BLANK = 32;
const CRI = /^std(?:out|err) [FP]/;

/**
 * `TIME L`: RFC 3339 with up to nine digits of fraction and exactly one blank; a second one is the line's (kubelet
 * pkg/kubelet/kuberuntime/logs). Not CRI, whose lines begin alike.
 */
export const kubectlTimestamps: Wrapping = {
  id: 'kubectl-timestamps',
  title: 'kubectl logs --timestamps',
  unwrap(text) {
    const end = timeLength(text);
    if (end === 0 || text.charCodeAt(end) !== BLANK) return null;
    if (text.startsWith('std', end + 1) && CRI.test(text.slice(end + 1, end + 10))) return null;
    const time = parseInstant(text.slice(0, end));
    if (time === null) return null;
    return { payload: text.slice(end + 1), time, origin: UNKNOWN_ORIGIN, more: false, stream: null };
  },
};
