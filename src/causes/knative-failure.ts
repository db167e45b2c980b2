import type { DiagnosticRecord } from '../model/record.ts';

/**
 * Why Knative's activator could not probe a revision, or its autoscaler could not scrape one. `denied`: a policy answered
 * 403. `plaintext`: the proxy of the pod ended the connection or answered as proxies do when mutual TLS is missing on one
 * side. `unreached`: no answer in time. `failed`: anything else.
 */
export type KnativeFailure = 'denied' | 'plaintext' | 'unreached' | 'failed';

const WHAT = /Failed to probe|Failed to scrape|Failed scraping pod|unsuccessful scrape/i;
const ERRORS: readonly (readonly [RegExp, KnativeFailure])[] = [
  [/RBAC: access denied|(?:HTTP status|got) 403\b/, 'denied'],
  [/disconnect\/reset before headers|(?:HTTP status|got) 50[23]\b|connection reset by peer|\bEOF\b/, 'plaintext'],
  [/context deadline exceeded|i\/o timeout|no route to host/, 'unreached'],
];

/**
 * Reads a line of Knative (knative/serving pkg/activator/net/revision_backends.go, pkg/autoscaler/metrics); null: it is
 * about something else. The error stands in a field of its own.
 */
export function knativeFailure(record: DiagnosticRecord): KnativeFailure | null {
  const error = record.fields['error'] ?? '';
  if (!WHAT.test(record.message) && !WHAT.test(error)) return null;
  const text = `${record.message} ${error}`;
  return ERRORS.find(([pattern]) => pattern.test(text))?.[1] ?? 'failed';
}

const CALLED = /https?:\/\/([\w.-]+)(?::(\d{1,5}))?\/|clusterIP ([\d.]+):(\d{1,5})/;

/** Host and port that Knative called: of a URL, or the address of a Service; null: the line names none. Untrusted text. */
export function knativeTarget(record: DiagnosticRecord): { readonly host: string; readonly port: number } | null {
  const match = CALLED.exec(`${record.fields['error'] ?? ''} ${record.message}`);
  if (match === null) return null;
  const [, host, port, address, addressPort] = match;
  return { host: host ?? address ?? '', port: Number(port ?? addressPort ?? 80) };
}
