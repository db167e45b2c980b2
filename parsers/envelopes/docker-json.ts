import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';
import { parseJsonObject } from '../../src/text/json-line.ts';
import { streamOf } from '../../src/text/stream.ts';
import { parseInstant } from '../../src/text/time.ts';

const KEYS: ReadonlySet<string> = new Set(['log', 'stream', 'time', 'attrs']);

/**
 * `{"log":"L\n","stream":"stdout","time":"…"}`, Docker's json-file driver; a `log` without line end is a piece of a line
 * longer than 16 kB (moby daemon/logger/jsonfilelog).
 */
export const dockerJson: Wrapping = {
  id: 'docker-json',
  title: 'container log file (Docker json-file)',
  unwrap(text) {
    if (!text.startsWith('{"log":')) return null;
    const line = parseJsonObject(text);
    if (line === null || !Object.keys(line).every((key) => KEYS.has(key))) return null;
    const { log, stream, time } = line;
    if (typeof log !== 'string' || typeof stream !== 'string' || typeof time !== 'string') return null;
    const more = !log.endsWith('\n');
    return {
      payload: more ? log : log.slice(0, -1),
      time: parseInstant(time),
      origin: UNKNOWN_ORIGIN,
      more,
      stream: streamOf(stream),
    };
  },
};
