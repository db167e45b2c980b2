import type { LogRecord } from '../model/record.ts';
import { readWebhookCall, type WebhookCall } from '../text/webhook-call.ts';

/**
 * Why the kube-apiserver could not call a webhook. `mesh-certificate`: the certificate it was shown names no host at all, as
 * those of the mesh do (SPIFFE ids only). `other-host`: the certificate is for other hosts. `untrusted`: it is of another
 * authority than the caBundle of the webhook configuration. `expired`: its time is over or has not come. `closed`: the
 * connection was ended without an answer. `refused`: nothing listens, or no pod is ready. `unreached`: no answer in time.
 */
export type WebhookFailureKind =
  | 'mesh-certificate'
  | 'other-host'
  | 'untrusted'
  | 'expired'
  | 'closed'
  | 'refused'
  | 'unreached'
  | 'failed';

/** A webhook that could not be called, and why. */
export interface WebhookFailure extends WebhookCall {
  readonly kind: WebhookFailureKind;
}

/** Texts of Go's crypto/x509 (verify.go: the host name is checked before the authority), net and net/http. */
const KINDS: readonly (readonly [RegExp, WebhookFailureKind])[] = [
  [/x509: certificate is not valid for any names/, 'mesh-certificate'],
  [/x509: certificate (?:is valid for|relies on legacy Common Name)|doesn't contain any IP SANs/, 'other-host'],
  [/x509: certificate signed by unknown authority|x509: .*authority/, 'untrusted'],
  [/x509: certificate has expired or is not yet valid/, 'expired'],
  [/\bEOF\b|connection reset by peer|first record does not look like a TLS handshake|remote error: tls/, 'closed'],
  [/connection refused|no endpoints available/, 'refused'],
  [/context deadline exceeded|i\/o timeout|Client\.Timeout|no route to host|TLS handshake timeout/, 'unreached'],
];

/** Reads a call of a webhook that failed, also where a controller tells of it; null: the record is about something else. */
export function webhookFailure(record: LogRecord): WebhookFailure | null {
  const call = callOf(record);
  if (call === null) return null;
  return { ...call, kind: KINDS.find(([pattern]) => pattern.test(call.error))?.[1] ?? 'failed' };
}

const TOLD = /^failed calling webhook "([^"]{1,253})": ([\s\S]*)$/;

function callOf(record: LogRecord): WebhookCall | null {
  if (record.kind === 'diagnostic')
    return readWebhookCall(record.fields['error'] ?? '') ?? readWebhookCall(record.message);
  if (record.kind !== 'connection' || record.proxy !== 'kubernetes' || record.service === null) return null;
  const [, webhook, error = ''] = TOLD.exec(record.error ?? '') ?? [];
  return webhook === undefined ? null : { webhook, host: record.service, port: record.destination.port ?? 443, error };
}
