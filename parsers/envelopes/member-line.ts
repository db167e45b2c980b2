import { NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';
import { holdsLines } from '../../src/text/line-start.ts';

/** `"key": "text",` or `"text",` of a JSON document that is laid out; only the last may lack its comma. Logstash writes `=>`. */
const JSON_MEMBER = /^\s{0,256}(?:"[^"\\]{1,128}"\s{0,8}(?::|=>)\s{0,8})?("(?:[^"\\]|\\.)*")\s{0,8},?\s*$/;
/** `key: text` of YAML with the keys under which lines stand, in the three styles of a scalar on one line. */
const YAML_MEMBER =
  /^\s{0,64}(?:- )?(?:textPayload|message|MESSAGE|log|line|LogMessage|LogEntry|@message|_raw): (?:'((?:[^']|'')*)'|("(?:[^"\\]|\\.)*")|([^'"|>&*!{[#%@`\s].*))\s*$/;

/** `MESSAGE=text` of journalctl -o verbose and export, `Body: Str(text)` of the OpenTelemetry Collector's debug exporter. */
const PLAIN_MEMBER = /^\s{0,64}(?:MESSAGE=(.+)|Body: Str\((.*)\))$/;

/**
 * One line of a document that is laid out over many, on its own: `"message": "L",` in the answer of an API that was pasted in
 * part, `"L"` as `jq .log` prints it, `textPayload: 'L'` as gcloud does.
 */
export const memberLine: Wrapping = {
  id: 'member-line',
  title: 'line of a JSON or YAML document',
  unwrap(text) {
    const json = JSON_MEMBER.exec(text)?.[1];
    if (json !== undefined) return told(fromJson(json));
    const [member, message, body] = PLAIN_MEMBER.exec(text) ?? [];
    if (member !== undefined) return told(message ?? body ?? null);
    if (!text.includes(': ')) return null;
    const yaml = YAML_MEMBER.exec(text);
    if (yaml === null) return null;
    const [, single, double, plain = null] = yaml;
    if (double !== undefined) return told(fromJson(double));
    return told(single === undefined ? plain : single.replaceAll("''", "'"));
  },
};

function told(payload: string | null): ReturnType<Wrapping['unwrap']> {
  return payload === null || holdsLines(payload) ? null : { ...NOTHING_TOLD, payload: payload.replace(/\r?\n$/, '') };
}

function fromJson(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : null;
  } catch {
    return null;
  }
}
