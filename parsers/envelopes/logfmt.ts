import { NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';
import { beginsLikeLine } from '../../src/text/line-start.ts';

/** A value in quotes, with the escapes of Go and JSON. */
const QUOTED = /(?:^|[\s,])[A-Za-z_][\w.-]{0,63}=("(?:[^"\\]|\\.)*")/g;
const HEAD = /^[A-Za-z_][\w.-]{0,63}=\S/;

/** `ts=… level=info entry="L"`: a program that passes lines on in key=value (Grafana Agent and Alloy, promtail, Docker's daemon). */
export const logfmt: Wrapping = {
  id: 'logfmt',
  title: 'a value of key="value"',
  unwrap(text) {
    if (!HEAD.test(text)) return null;
    for (const [, quoted = ''] of text.matchAll(QUOTED)) {
      const payload = beginsLikeLine(quoted.slice(1).replaceAll('\\"', '"')) ? unquoted(quoted) : null;
      if (payload !== null) return { ...NOTHING_TOLD, payload };
    }
    return null;
  },
};

function unquoted(quoted: string): string | null {
  try {
    const value: unknown = JSON.parse(quoted);
    return typeof value === 'string' ? value.replace(/\r?\n$/, '') : null;
  } catch {
    return null;
  }
}
