import type { Envelope } from '../../src/model/line.ts';
import type { DiagnosticRecord, Parsed, Parser } from '../../src/model/record.ts';
import { redactSecrets } from '../../src/text/redact.ts';
import { parseInstant } from '../../src/text/time.ts';

const ID = 'kserve-text';

/**
 * What KServe's controller says of its settings for the mesh, known by its own words: a line of its log (JSON), an event, or
 * the condition of an InferenceService.
 */
export const kserveText: Parser = {
  id: ID,
  title: 'KServe controller, words about ingress and VirtualServices',
  takesParts: true,
  parse({ at, origin, payload, time }: Envelope): Parsed {
    const config = payload.includes('invalid ingress config') ? CONFIG.exec(payload) : null;
    const event = payload.includes('VirtualServiceCRDNotFound') ? EVENT.exec(payload) : null;
    const [message] = config ?? event ?? [];
    if (message === undefined) return null;
    const stamp = STAMP.exec(payload)?.[1];
    return {
      kind: 'diagnostic',
      at,
      parser: ID,
      proxy: 'kserve',
      reporter: null,
      origin,
      time: (stamp === undefined ? null : parseInstant(stamp)) ?? time,
      raw: redactSecrets(payload),
      severity: config === null ? 'warning' : 'error',
      scope: config === null ? 'virtual-service' : 'ingress-config',
      message: redactSecrets(message),
      fields: { missing: config?.[1] ?? '' },
    } satisfies DiagnosticRecord;
  },
};

/** kserve/kserve pkg/apis/serving/v1beta1/configmap.go */
const CONFIG = /invalid ingress config - (\w{1,64}) (?:is|are) required\b/;
/** kserve/kserve pkg/controller/v1beta1/inferenceservice/controller.go */
const EVENT = /VirtualServiceCRDNotFound\b[\s\S]{0,400}/;
const STAMP = /"(?:ts|timestamp|time)":"([^"]{10,40})"/;
