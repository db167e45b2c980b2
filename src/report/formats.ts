import type { EnvoyFacts, LogRecord } from '../model/record.ts';
import type { Problem } from '../model/report.ts';
import type { Flow } from '../model/traffic.ts';

/** An access log line of Envoy's. */
type AccessRecord = Exclude<LogRecord, { readonly kind: 'diagnostic' }> & { readonly envoy: EnvoyFacts };

/** A column whose absence hides something. */
interface Field {
  readonly operator: string;
  /** How JSON formats call it. */
  readonly key: string;
  /** Whether the line has the column, or a value in it. */
  has(record: AccessRecord): boolean;
  /** Whether a line without the column can be told from one without a value. */
  readonly isCertain: boolean;
  /** What it would tell apart, for people; null: nothing in this line. */
  hides(record: AccessRecord): string | null;
  /** What is not known without it. */
  readonly unknown: string;
}

const FIELDS: readonly Field[] = [
  {
    operator: '%RESPONSE_CODE_DETAILS%',
    key: 'response_code_details',
    has: ({ envoy }) => envoy.detailsKnown,
    isCertain: true,
    hides: (record) => failedStatus(record),
    unknown: 'whether the proxy or the application answered, and why',
  },
  {
    operator: '%RESPONSE_FLAGS%',
    key: 'response_flags',
    has: ({ envoy }) => envoy.flags !== null,
    isCertain: true,
    hides: (record) => (record.envoy.details === null ? failedStatus(record) : null),
    unknown: 'what went wrong between the proxies',
  },
  {
    operator: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
    key: 'upstream_transport_failure_reason',
    has: ({ envoy }) => envoy.transportFailure !== null || CONNECT_ERROR.test(envoy.details ?? ''),
    isCertain: false,
    hides: ({ envoy }) => (envoy.flags?.includes('UF') === true ? 'UF' : null),
    unknown: 'why no connection came about (TLS, refused, timeout)',
  },
  {
    operator: '%DOWNSTREAM_PEER_URI_SAN%',
    key: 'downstream_peer_uri_san',
    has: ({ source }) => source.identity !== null,
    isCertain: false,
    hides: ({ envoy }) => (DENIED.test(envoy.details ?? envoy.termination ?? '') ? 'denials by policy' : null),
    unknown: 'which identity was denied',
  },
];

const CONNECT_ERROR = /TLS_error|connect_error/;
const DENIED = /^rbac_access_denied/;
/** Parsers of parts of lines, which lack columns because the line was cut. */
const PARTS = /-fragment$/;
/** Istio's defaults: what they have is known, and each report would say the same of what they lack. */
const DEFAULTS = /^envoy-(?:text(?:-1\.\d)?|json)$/;

/**
 * What columns that an access log format lacks have hidden, and what to add to `meshConfig.accessLogFormat`. One problem for
 * each format and column; a column that is absent only because nothing was to be said is not told.
 */
export function formatProblems(flows: Iterable<Flow>): readonly Problem[] {
  const formats = new Map<string, { readonly record: AccessRecord; readonly count: number }[]>();
  const all: { readonly record: AccessRecord; readonly count: number }[] = [];
  for (const { record, count } of flows) {
    if (!isAccess(record) || PARTS.test(record.parser)) continue;
    const lines = formats.get(record.parser) ?? [];
    formats.set(record.parser, lines);
    lines.push({ record, count });
    all.push({ record, count });
  }
  return [...formats].sort().flatMap(([parser, lines]) =>
    FIELDS.flatMap((field) => {
      const isTold = lines.some(({ record }) => field.has(record));
      const isDefault = DEFAULTS.test(parser) && !field.isCertain;
      const message =
        isTold || isDefault ? null : messageOf(field, parser, countHidden(field, lines), countHidden(field, all));
      return message === null ? [] : [{ about: `format ${parser}`, message }];
    }),
  );
}

function isAccess(record: LogRecord): record is AccessRecord {
  return record.kind !== 'diagnostic' && record.envoy !== null;
}

function failedStatus(record: AccessRecord): string | null {
  const status = record.kind === 'request' ? record.status : null;
  return status !== null && status >= 400 ? String(status) : null;
}

/** Lines by what the field would tell apart in them. */
function countHidden(
  field: Field,
  lines: readonly { readonly record: AccessRecord; readonly count: number }[],
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { record, count } of lines) {
    const what = field.hides(record);
    if (what !== null) counts.set(what, (counts.get(what) ?? 0) + count);
  }
  return counts;
}

/** So many kinds of lines are named. */
const MAX_NAMED = 3;

function messageOf(
  field: Field,
  parser: string,
  hidden: ReadonlyMap<string, number>,
  all: ReadonlyMap<string, number>,
): string | null {
  if (hidden.size === 0) return null;
  const named = [...hidden].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, MAX_NAMED);
  const shares = named.map(([what, count]) => {
    const total = all.get(what) ?? count;
    return `${Math.round((100 * count) / total)} % of your ${what} (${count} of ${total})`;
  });
  const added = parser.includes('json') ? `"${field.key}":"${field.operator}"` : field.operator;
  return `${shares.join(', ')} cannot be told apart: the log does not say ${field.unknown}; add ${added} to meshConfig.accessLogFormat`;
}
