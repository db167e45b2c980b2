import type { Envelope, Instant } from '../../src/model/line.ts';
import type { DiagnosticRecord, Parsed } from '../../src/model/record.ts';
import { jsonText, parseJsonObject } from '../../src/text/json-line.ts';
import { redactSecrets } from '../../src/text/redact.ts';
import { parseInstant } from '../../src/text/time.ts';
import { envoyFields, readEnvoyMessage, severityOf } from './app-line.ts';
import { proxyOfScope } from './components.ts';
import { readMessageFields } from './rbac-dump.ts';
import { readTime } from './record.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Application logs as JSON: Istio's (`{"level","time","scope","msg"}`, istio 86c9f01f pkg/log; Envoy's lines come through
 * the same logger) and Knative's (`{"level","ts","logger","caller","msg"}`, later `severity`, `timestamp`, `message`).
 * Null for those of other programs, ztunnel's (`message` with `scope`) included.
 */
export function readAppJson(envelope: Envelope): Parsed {
  const { payload } = envelope;
  if (!payload.includes('"msg"') && !payload.includes('"logger"')) return null;
  const line = parseJsonObject(payload);
  if (line === null) return null;
  return istioLine(line, envelope) ?? knativeLine(line, envelope);
}

/** Istio prints six digits of a second, always; loggers with the same keys print none or nine. */
const MICROSECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

function istioLine(line: Json, envelope: Envelope): Parsed {
  const { level, time, scope, msg } = line;
  if (typeof level !== 'string' || typeof time !== 'string' || typeof msg !== 'string') return null;
  const severity = severityOf(level);
  const isScoped = typeof scope === 'string' && !scope.includes('::');
  if (severity === null || !MICROSECONDS.test(time) || !(isScoped || scope === undefined)) return null;
  const name = isScoped ? scope : 'default';
  const proxy = proxyOfScope(name, msg, envelope.origin);
  const spoken = { proxy, severity, scope: name, message: msg, time: parseInstant(time) };
  if (!name.startsWith('envoy ')) return diagnostic(line, envelope, spoken);
  const said = readEnvoyMessage(msg);
  return diagnostic({ ...line, ...envoyFields(said) }, envelope, { ...spoken, message: said.message });
}

/** Components of Knative, as the first part of their logger's name (knative/serving cmd). */
const KNATIVE_LOGGER =
  /^(?:activator|autoscaler|autoscaler-hpa|controller|webhook|queueproxy|net-istio-controller|net-istio-webhook|domain-mapping|eventing|kafka)[\w-]*(?:\.|$)/;

function knativeLine(line: Json, envelope: Envelope): Parsed {
  const level = line['level'] ?? line['severity'];
  const message = line['msg'] ?? line['message'];
  const logger = line['logger'];
  if (typeof level !== 'string' || typeof message !== 'string' || typeof logger !== 'string') return null;
  const severity = severityOf(level);
  if (severity === null || !isKnative(line, logger, message)) return null;
  const stamp = jsonText(line['ts'] ?? line['timestamp']);
  return diagnostic(line, envelope, { proxy: 'knative', severity, scope: logger, message, time: readTime(stamp) });
}

/** What Knative's activator and autoscaler say of pods they cannot reach (knative/serving pkg/activator/net, pkg/autoscaler/metrics). */
const KNATIVE_WORDS = /^(?:Failed to probe clusterIP|Failed to scrape metrics|Failed scraping pod) ?/;

/**
 * Other controllers log with the same library: only Knative has keys under its name, or its commit or its own words beside
 * its loggers.
 */
function isKnative(line: Json, logger: string, message: string): boolean {
  return (
    Object.keys(line).some((key) => key.startsWith('knative.dev/')) ||
    (KNATIVE_LOGGER.test(logger) && (typeof line['commit'] === 'string' || KNATIVE_WORDS.test(message)))
  );
}

interface Spoken {
  readonly proxy: DiagnosticRecord['proxy'];
  readonly severity: DiagnosticRecord['severity'];
  readonly scope: string;
  readonly message: string;
  readonly time: Instant | null;
}

const OWN_KEYS: ReadonlySet<string> = new Set([
  'level',
  'severity',
  'time',
  'ts',
  'timestamp',
  'scope',
  'logger',
  'msg',
  'message',
]);

function diagnostic(line: Json, envelope: Envelope, spoken: Spoken): DiagnosticRecord {
  const fields = readMessageFields(spoken.scope, spoken.message);
  for (const [key, value] of Object.entries(line)) {
    const text = OWN_KEYS.has(key) ? null : jsonText(value);
    if (text !== null) fields[key] = text;
  }
  return {
    kind: 'diagnostic',
    at: envelope.at,
    parser: 'envoy-app-log',
    reporter: null,
    origin: envelope.origin,
    raw: redactSecrets(envelope.payload),
    ...spoken,
    message: redactSecrets(spoken.message),
    time: spoken.time ?? envelope.time,
    fields: Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, redactField(key, value)])),
  };
}

/** A field named after a secret is one whatever stands in it. */
function redactField(key: string, value: string): string {
  return redactSecrets(`${key}: ${value}`).slice(key.length + 2);
}
