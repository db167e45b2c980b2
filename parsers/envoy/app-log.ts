import type { Envelope, Instant } from '../../src/model/line.ts';
import type { DiagnosticRecord, LogRecord, Parsed, Parser } from '../../src/model/record.ts';
import { redactSecrets } from '../../src/text/redact.ts';
import { parseInstant } from '../../src/text/time.ts';
import { readAppJson } from './app-json.ts';
import { type AppLine, envoyFields, splitAppLine, splitEnvoyLine } from './app-line.ts';
import { proxyOfScope } from './components.ts';
import { isDumpLine, readMessageFields } from './rbac-dump.ts';

/**
 * Everything but access logs that the Envoy and Go parts of Istio print, and Knative's components: application logs of
 * Envoy in Istio's layout (istio 86c9f01f pkg/envoy, pkg/log), of Envoy itself, of agent, istiod and CNI, as text and
 * JSON. Credentials are masked. Dumps of the RBAC filter run over several lines.
 */
export const envoyAppLog: Parser = {
  id: 'envoy-app-log',
  title: 'Envoy, istio-agent, istiod, CNI and Knative application logs',
  parse(envelope: Envelope): Parsed {
    const first = envelope.payload.charCodeAt(0);
    if (first === BRACE) return readAppJson(envelope);
    if (first === BRACKET) return fromLine(splitEnvoyLine(envelope.payload), envelope);
    return fromLine(splitAppLine(envelope.payload), envelope);
  },
  continues(record: LogRecord, payload: string): boolean {
    if (record.kind !== 'diagnostic') return false;
    if (record.proxy === 'envoy') return isDumpLine(payload);
    return CONFIG_DUMP.test(record.message) && YAML_LINE.test(payload);
  },
};

/** The agent prints its configuration as YAML (istio 86c9f01f pkg/config/mesh, pilot/cmd/pilot-agent). */
const CONFIG_DUMP = /^(?:Apply (?:mesh|proxy) config|Effective config:|Proxy role:?|Mesh config(?:uration)?:)/;
const YAML_LINE = /^ {0,32}(?:- )?[\w.\-/]{1,100}:(?: |$)|^ {0,32}- \S/;

const BRACE = 123;
const BRACKET = 91;

function fromLine(line: AppLine | null, envelope: Envelope): Parsed {
  if (line === null) return null;
  if (line.isOpen) return { kind: 'unfinished' };
  const time: Instant | null = line.time === null ? null : parseInstant(line.time);
  const fields = { ...readMessageFields(line.scope, line.message), ...envoyFields(line) };
  return {
    kind: 'diagnostic',
    at: envelope.at,
    parser: 'envoy-app-log',
    proxy: proxyOfScope(line.scope, line.message, envelope.origin),
    reporter: null,
    origin: envelope.origin,
    time: time ?? envelope.time,
    raw: redactSecrets(envelope.payload),
    severity: line.severity,
    scope: line.scope,
    message: redactSecrets(line.message),
    fields: redactFields(fields),
  } satisfies DiagnosticRecord;
}

function redactFields(fields: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, redactSecrets(value)]));
}
