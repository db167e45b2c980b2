import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';
import { streamOf } from '../../src/text/stream.ts';
import { parseInstant } from '../../src/text/time.ts';

const HEAD =
  /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})) (stdout|stderr) ([PF])(?::[^ ]{0,64})?(?: |$)/;

/**
 * `TIME stdout F L`, the files under `/var/log/pods`; tag `P` marks a piece of a line that was longer than 16 kB (kubernetes
 * pkg/kubelet/kuberuntime/logs, CRI log format). Pod and container stand in the file's path only.
 */
export const cri: Wrapping = {
  id: 'cri',
  title: 'container log file (CRI)',
  unwrap(text) {
    if (text.charCodeAt(4) !== 45 || text.charCodeAt(10) !== 84) return null;
    const match = HEAD.exec(text);
    if (match === null) return null;
    const [head, time = '', stream, tag] = match;
    return {
      payload: text.slice(head.length),
      time: parseInstant(time),
      origin: UNKNOWN_ORIGIN,
      more: tag === 'P',
      stream: streamOf(stream),
    };
  },
};
