import { compileFormat, envoyJsonParser, envoyTextParser } from '../../parsers/envoy/index.ts';
import { UNKNOWN_ORIGIN } from '../../src/model/line.ts';
import type { Parser } from '../../src/model/record.ts';
import { isRecord } from '../../src/text/kube-object.ts';
import { PLACES, SEPARATOR } from './envoy-formats.ts';

type Format = string | Readonly<Record<string, unknown>>;

/** Compares what parsers read with what was printed, and counts. */
export class Check {
  readonly failures: string[] = [];
  #lines = 0;
  #texts = 0;
  #objects = 0;
  #values = 0;
  #doubtful = 0;
  #records = 0;

  get summary(): string {
    const { failures } = this;
    return (
      `${this.#texts} text and ${this.#objects} JSON formats, ${this.#lines} lines; ${this.#values} values given back, ` +
      `${this.#doubtful} told as doubtful, ${this.#records} records equal, ${failures.length} wrong`
    );
  }

  /** `lines`: what was printed with each format, the first of them the reference. */
  compare(formats: readonly Format[], lines: readonly (readonly string[])[]): void {
    const reference = (lines[0] ?? []).map((line) => line.split(SEPARATOR));
    if (reference.length < 2) this.failures.push('the reference has no lines');
    for (const [index, format] of formats.entries()) {
      const printed = lines[index] ?? [];
      if (index === 0) continue;
      if (printed.length !== reference.length) {
        this.failures.push(`${printed.length} lines, not ${reference.length}, with ${JSON.stringify(format)}`);
      } else if (typeof format === 'string') this.#compareText(format, printed, reference);
      else this.#compareJson(format, printed, reference);
    }
  }

  #compareText(text: string, lines: readonly string[], reference: readonly (readonly string[])[]): void {
    const format = compileFormat(text);
    if ('error' in format) {
      this.failures.push(`${text}: ${format.error}`);
      return;
    }
    this.#texts++;
    const doubtful = new Set(format.warnings.flatMap(({ operators }) => operators));
    const places = operatorsOf(text).map((operator) => PLACES.get(operator) ?? -1);
    for (const [number, line] of lines.entries()) {
      this.#lines++;
      const values = format.match(line);
      if (values === null) this.failures.push(`no match: ${text}\n  ${line}`);
      for (const [index, value] of (values ?? []).entries()) {
        const wanted = reference[number]?.[places[index] ?? -1];
        if (doubtful.has(index)) this.#doubtful++;
        else if (value === wanted) this.#values++;
        else this.failures.push(`operator ${index}: ${value}, printed ${wanted}: ${text}\n  ${line}`);
      }
    }
  }

  /** The record of a JSON line is that of a text line with the same operators. */
  #compareJson(
    format: Readonly<Record<string, unknown>>,
    lines: readonly string[],
    reference: readonly (readonly string[])[],
  ): void {
    const operators = textsIn(format).flatMap(operatorsOf);
    const text = parser(envoyTextParser('same', 'same', operators.join(SEPARATOR)));
    const json = parser(envoyJsonParser('same', 'same', format));
    this.#objects++;
    for (const [number, line] of lines.entries()) {
      this.#lines++;
      const same = operators.map((operator) => reference[number]?.[PLACES.get(operator) ?? -1] ?? '').join(SEPARATOR);
      const [wanted, got] = [essence(text, same), essence(json, line)];
      if (wanted === got) this.#records++;
      else this.failures.push(`${JSON.stringify(format)}\n  ${line}\n  ${got}\n  ${wanted}`);
    }
  }
}

/** The operators of a format, as they are written. */
function operatorsOf(format: string): readonly string[] {
  return (format.match(/%%|%[A-Z0-9_]+(?:\(.*?\))?(?::[0-9]+)?%/g) ?? []).filter((text) => text !== '%%');
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return isRecord(value) ? Object.values(value).flatMap(textsIn) : [];
}

function parser(made: Parser | { readonly error: string }): Parser {
  if ('error' in made) throw new Error(made.error);
  return made;
}

/** A record without what differs between notations. */
function essence(by: Parser, payload: string): string {
  const at = { input: 'envoy', line: 1 };
  const parsed = by.parse({ at, wrappings: [], time: null, origin: UNKNOWN_ORIGIN, payload });
  if (parsed?.kind !== 'request' && parsed?.kind !== 'connection') return String(parsed?.kind);
  const { raw: _raw, ...rest } = parsed;
  return JSON.stringify(rest);
}
