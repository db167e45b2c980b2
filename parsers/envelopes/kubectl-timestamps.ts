import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';
import { parseInstant } from '../../src/text/time.ts';

const STAMP = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})) (?!std(?:out|err) [FP])/;

/**
 * `TIME L`: RFC 3339 with up to nine digits of fraction and exactly one blank; a second one is the line's (kubelet
 * pkg/kubelet/kuberuntime/logs). Not CRI, whose lines begin alike.
 */
export const kubectlTimestamps: Wrapping = {
  id: 'kubectl-timestamps',
  title: 'kubectl logs --timestamps',
  unwrap(text) {
    if (text.charCodeAt(4) !== 45 || text.charCodeAt(10) !== 84) return null;
    const match = STAMP.exec(text);
    const time = match?.[1] === undefined ? null : parseInstant(match[1]);
    if (match === null || time === null) return null;
    return { payload: text.slice(match[0].length), time, origin: UNKNOWN_ORIGIN, more: false, stream: null };
  },
};
