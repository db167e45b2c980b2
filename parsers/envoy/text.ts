import type { Envelope } from '../../src/model/line.ts';
import type { Parsed, Parser } from '../../src/model/record.ts';
import { COLUMN, cell, type Row } from './columns.ts';
import { type CompiledFormat, compileFormat, type FormatError } from './format.ts';
import { readTime, toRecord } from './record.ts';
import { type Era, textSkimmer } from './skim.ts';

const HEAD =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS%';
const COUNTS = '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%';
const HEADERS =
  '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"';
const REASON = '"%UPSTREAM_TRANSPORT_FAILURE_REASON%"';
const TAIL =
  '%UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%';
const BODY = `${REASON} ${COUNTS} ${HEADERS} ${TAIL}`;

/**
 * The default formats (istio 86c9f01f pilot/pkg/model/telemetry_logging.go, and the tags 1.3 to 1.8; envoy 1.37
 * source/common/formatter/http_formatter_context.cc). No line fits two of them: what stands between the flags and the
 * first count differs. `UPSTREAM_CLUSTER_RAW` (Istio 1.23) prints the same shape.
 */
const DEFAULTS: readonly {
  readonly id: string;
  readonly title: string;
  readonly formats: readonly string[];
  /** How lines of it are skimmed; null: they are always parsed. */
  readonly era: Era | null;
}[] = [
  {
    id: 'envoy-text',
    title: 'Envoy access log, Istio default text (1.9 and later)',
    formats: [`${HEAD} %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% ${BODY}`],
    era: { blanks: 5, quoted: 1 },
  },
  {
    id: 'envoy-text-1.8',
    title: 'Envoy access log, Istio default text (1.8)',
    formats: [`${HEAD} ${BODY}`],
    era: { blanks: 3, quoted: 1 },
  },
  {
    id: 'envoy-text-1.3',
    title: 'Envoy access log, Istio default text (1.3 to 1.7)',
    formats: [`${HEAD} "%DYNAMIC_METADATA(istio.mixer:status)%" ${BODY}`],
    era: { blanks: 3, quoted: 2 },
  },
  {
    id: 'envoy-text-own',
    title: "Envoy access log, Envoy's own default text",
    formats: [`${HEAD} ${COUNTS} ${HEADERS}`, `${HEAD} %RESPONSE_CODE_DETAILS% ${COUNTS} ${HEADERS}`],
    era: null,
  },
];

/** Parsers of the default formats, the commonest first. */
export const defaultTextParsers: readonly Parser[] = DEFAULTS.map(({ id, title, formats, era }) => {
  const parser = textParser(id, title, formats.map(compileFormat).filter(isCompiled));
  return era === null ? parser : { ...parser, skim: textSkimmer(era) };
});

/** Whether a format string is one of the defaults, which have parsers of their own. */
export function isDefaultFormat(format: string): boolean {
  const plain = format.replace(/(?:\\n|\r?\n)+$/, '').replace('%UPSTREAM_CLUSTER_RAW%', '%UPSTREAM_CLUSTER%');
  return DEFAULTS.some(({ formats }) => formats.includes(plain));
}

/**
 * A parser for a format string of the operator (`meshConfig.accessLogFormat`, a Telemetry provider's `logFormat.text`).
 * A format of several lines is read over several lines. `accepts`: only such rows are taken. Answers why when the format
 * cannot be compiled.
 */
export function envoyTextParser(
  id: string,
  title: string,
  format: string,
  accepts: (row: Row) => boolean = () => true,
): Parser | FormatError {
  const compiled = compileFormat(format);
  if (!isCompiled(compiled)) return compiled;
  const lines = compiled.format.split('\n');
  const heads = lines.slice(1).map((_line, index) => compileFormat(lines.slice(0, index + 1).join('\n')));
  return textParser(id, title, [compiled], heads.filter(isCompiled), accepts);
}

function textParser(
  id: string,
  title: string,
  formats: readonly CompiledFormat[],
  heads: readonly CompiledFormat[] = [],
  accepts: (row: Row) => boolean = () => true,
): Parser {
  return {
    id,
    title,
    parse(envelope: Envelope): Parsed {
      for (const format of formats) {
        const row = format.matchRow(envelope.payload);
        if (row === null || !accepts(row)) continue;
        const text = cell(row, COLUMN.time);
        const time = text === null ? null : (format.time?.read(text) ?? readTime(text));
        return toRecord(row, envelope, id, time);
      }
      return heads.some((head) => head.match(envelope.payload) !== null) ? { kind: 'unfinished' } : null;
    },
  };
}

function isCompiled(value: CompiledFormat | FormatError): value is CompiledFormat {
  return 'match' in value;
}
