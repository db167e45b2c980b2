import type { Envelope } from '../../src/model/line.ts';
import type { DiagnosticRecord, Parsed, Parser } from '../../src/model/record.ts';
import { redactSecrets } from '../../src/text/redact.ts';

const ID = 'kubeflow-script';

/**
 * The last line of the Python script with which KServe's pages log in to Kubeflow, when that fails. The address is told without
 * its query, in which there may be a state or a code.
 */
export const kubeflowScript: Parser = {
  id: ID,
  title: 'Kubeflow, errors of the log-in script of KServe',
  takesParts: true,
  parse({ at, origin, payload, time }: Envelope): Parsed {
    const status = payload.includes('for GET against: ') ? STATUS.exec(payload) : null;
    const login = payload.includes('No redirect after POST to: ') ? LOGIN.exec(payload) : null;
    const url = status?.[2] ?? login?.[1];
    if (url === undefined) return null;
    return {
      kind: 'diagnostic',
      at,
      parser: ID,
      proxy: 'client',
      reporter: null,
      origin,
      time,
      raw: redactSecrets(payload.replace(/\?\S+/, '?[redacted]')),
      severity: 'error',
      scope: 'login-script',
      message: login === null ? `HTTP status ${status?.[1]} for GET` : 'no redirect after POST of the credentials',
      fields: { url: redactSecrets(url), status: status?.[1] ?? '' },
    } satisfies DiagnosticRecord;
  },
};

/** kserve/kserve docs/samples/istio-dex/README.md */
const START = String.raw`^(?:[\w.]{1,40}Error: )?`;
const STATUS = new RegExp(`${START}HTTP status code '(\\d{3})' for GET against: ([^\\s?#]{1,500})`);
const LOGIN = new RegExp(
  `${START}Login credentials were probably invalid - No redirect after POST to: ([^\\s?#]{1,500})`,
);
