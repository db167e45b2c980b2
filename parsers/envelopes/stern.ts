import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';

/**
 * Two names, or three with the namespace first; then the short time of `--timestamps=short`, if asked for. A container's name
 * that began with a digit could not be told from a time.
 */
const PREFIX =
  /^(?:([a-z0-9-]{1,63}) )?([a-z0-9][a-z0-9.-]{0,252}) ([a-z][a-z0-9-]{0,62})(?: |$)(?:\d\d-\d\d \d\d:\d\d:\d\d )?/;

/**
 * `POD CONTAINER L`, with several namespaces `NAMESPACE POD CONTAINER L` (stern/stern README, template `default`). With
 * `--timestamps` a time stands before the line: the wrapping of kubectl. Any line that begins with two lower-case words
 * looks like it, so this counts only if one of our lines is inside.
 */
export const stern: Wrapping = {
  id: 'stern',
  title: 'stern',
  unwrap(text) {
    if (!isNameStart(text.charCodeAt(0))) return null;
    const match = PREFIX.exec(text);
    if (match === null) return null;
    const [prefix, namespace = null, pod = null, container = null] = match;
    return {
      payload: text.slice(prefix.length),
      time: null,
      origin: { ...UNKNOWN_ORIGIN, namespace, pod, container },
      more: false,
      stream: null,
    };
  },
};

function isNameStart(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
}
