import { UNKNOWN_ORIGIN, type Wrapping } from '../../src/model/line.ts';
import { closingQuote } from '../../src/text/rust-debug.ts';
import { parseInstant } from '../../src/text/time.ts';

const STAMP = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2}))[ \t]?\{/;
const LABEL = /([A-Za-z_][A-Za-z0-9_]{0,63})="([^"\\]{0,253})"/g;

/** `TIME {app="ztunnel", pod="…"}  L`: the labels are padded, the line is trimmed (grafana/loki pkg/logcli/output); Promtail's dry run. */
export const logcli: Wrapping = {
  id: 'logcli',
  title: 'logcli (Loki)',
  unwrap(text) {
    if (text.charCodeAt(4) !== 45 || text.charCodeAt(10) !== 84) return null;
    const stamp = STAMP.exec(text);
    if (stamp === null) return null;
    const close = closingBrace(text, stamp[0].length);
    if (close < 0) return null;
    const labels = new Map<string, string>();
    for (const [, name = '', value = ''] of text.slice(stamp[0].length, close).matchAll(LABEL)) labels.set(name, value);
    const label = (name: string): string | null => labels.get(name) ?? null;
    return {
      payload: text.slice(close + 1).trimStart(),
      time: parseInstant(stamp[1] ?? ''),
      origin: {
        ...UNKNOWN_ORIGIN,
        cluster: label('cluster'),
        namespace: label('namespace'),
        pod: label('pod'),
        container: label('container'),
        node: label('node_name'),
      },
      more: false,
      stream: null,
    };
  },
};

/** Index of the first `}` outside of quotes, or -1. */
function closingBrace(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '}') return at;
    if (char !== '"') continue;
    const quote = closingQuote(text, at + 1);
    if (quote < 0) return -1;
    at = quote;
  }
  return -1;
}
