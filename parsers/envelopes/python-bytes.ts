import { type DocumentReader, NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';

const BYTES = /^b(['"])(.*)\1\s{0,8}$/s;
const ESCAPE = /(?:\\x[0-9a-f]{2})+|\\(?:[0-7]{1,3}|.)/gs;
const SIGNS: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

/** `b'L\\nL\\n'`: the log that a program in Python printed as it got it, in one line (kubernetes client, read_namespaced_pod_log). */
export const pythonBytes: Wrapping = {
  id: 'python-bytes',
  title: 'bytes printed by Python',
  unwrap(text) {
    const lines = linesIn(text);
    return lines.length === 1 ? { ...NOTHING_TOLD, payload: lines[0] ?? '' } : null;
  },
  begin(text): DocumentReader | null {
    const lines = linesIn(text);
    if (lines.length < 2) return null;
    let isFirst = true;
    return {
      next() {
        const answer = isFirst ? lines : 'left';
        isFirst = false;
        return answer;
      },
    };
  },
};

function linesIn(text: string): readonly string[] {
  const inner = text.charCodeAt(0) === LETTER_B ? BYTES.exec(text)?.[2] : undefined;
  return inner === undefined
    ? []
    : inner
        .replace(ESCAPE, unescaped)
        .split('\n')
        .filter((line) => line !== '');
}

const LETTER_B = 98;

function unescaped(sequence: string): string {
  if (sequence.startsWith('\\x')) return Buffer.from(sequence.replaceAll('\\x', ''), 'hex').toString('utf8');
  const sign = sequence.slice(1);
  return SIGNS[sign] ?? sign;
}
