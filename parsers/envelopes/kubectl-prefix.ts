import type { Unwrapped, Wrapping } from '../../src/model/line.ts';

const PREFIX = /^\[pod\/([a-z0-9.-]{1,253})\/([a-z0-9-]{1,63})\](?: |$)/;
const OPENING = '[pod/';

/**
 * `[pod/NAME/CONTAINER] L` (kubectl pkg/cmd/logs, `addPrefixIfNeeded`). The namespace is not told. Where the log of another
 * container ended without a line end, its last words stand before the prefix.
 */
export const kubectlPrefix: Wrapping = {
  id: 'kubectl-prefix',
  title: 'kubectl logs --prefix',
  unwrap(text) {
    if (text.startsWith(OPENING)) return withoutPrefix(text);
    const start = text.lastIndexOf(OPENING);
    return start < 0 ? null : withoutPrefix(text.slice(start));
  },
};

function withoutPrefix(text: string): Unwrapped | null {
  const match = PREFIX.exec(text);
  if (match === null) return null;
  const [prefix, pod = null, container = null] = match;
  return {
    payload: text.slice(prefix.length),
    time: null,
    origin: { cluster: null, namespace: null, pod, container, node: null },
    more: false,
    stream: null,
  };
}
