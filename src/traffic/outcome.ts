import type { EnvoyFacts, LogRecord } from '../model/record.ts';

/**
 * Whether a record may be worth a finding: evidence is kept for these only, and only these are judged. Generous on
 * purpose; rules decide. Successful connections and requests, and start-up chatter, are not notable.
 */
export function isNotable(record: LogRecord): boolean {
  switch (record.kind) {
    case 'connection':
      if (record.envoy !== null) return isEnvoyFailure(record.envoy);
      return record.error !== null || record.phase === 'failed';
    case 'request':
      return record.status === null || record.status >= 400 || record.status === 0 || isEnvoyFailure(record.envoy);
    case 'diagnostic':
      return record.severity === 'error' || record.severity === 'warning' || NOTABLE_MESSAGE.test(record.message);
  }
}

function isEnvoyFailure(envoy: EnvoyFacts): boolean {
  if (envoy.flags !== null && envoy.flags.length > 0) return true;
  if (envoy.termination !== null || envoy.transportFailure !== null) return true;
  if (envoy.grpcStatus !== null && envoy.grpcStatus > 0) return true;
  return envoy.details !== null && envoy.details !== 'via_upstream';
}

/** Decisions that proxies print below warning: policy attribution at debug, connections closed after a policy update. */
const NOTABLE_MESSAGE =
  /denied|deny policy match|no allow policies match(?:ed)?|no longer allowed|Jwt |rejected the request|failed|error/i;
