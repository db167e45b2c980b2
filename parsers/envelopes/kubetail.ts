import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

const PREFIX = /^\[([a-z0-9][a-z0-9.-]{0,252})(?: ([a-z0-9-]{1,63}))?\](?: |$)/;

/** `[POD] L` or `[POD CONTAINER] L` (johanhaleby/kubetail). Envoy's own lines begin with a time in brackets, which has colons. */
export const kubetail: Wrapping = {
  id: 'kubetail',
  title: 'kubetail',
  unwrap(text) {
    if (text.charCodeAt(0) !== 91) return null;
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
