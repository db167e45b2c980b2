import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

const PREFIX = /^\[pod\/([a-z0-9.-]{1,253})\/([a-z0-9-]{1,63})\](?: |$)/;

/** `[pod/NAME/CONTAINER] L` (kubectl pkg/cmd/logs, `addPrefixIfNeeded`). The namespace is not told. */
export const kubectlPrefix: Wrapping = {
  id: 'kubectl-prefix',
  title: 'kubectl logs --prefix',
  unwrap(text) {
    if (!text.startsWith('[pod/')) return null;
    const match = PREFIX.exec(text);
    if (match === null) return null;
    const [prefix, pod = null, container = null] = match;
    return {
      payload: text.slice(prefix.length),
      time: null,
      origin: { ...UNKNOWN_ORIGIN, pod, container },
      more: false,
      stream: null,
    };
  },
};
