import type { Envelope } from '../../src/model/line.ts';
import { type Parsed, type Parser, UNKNOWN_PEER } from '../../src/model/record.ts';
import { jsonText, parseJsonObject } from '../../src/text/json-line.ts';
import { readWebhookCall } from '../../src/text/webhook-call.ts';
import { outsideCall } from './outside-call.ts';

const ID = 'platform-webhook';

/**
 * A webhook that the kube-apiserver could not call, as kubectl and kn show it to whoever asked, as the kube-apiserver logs
 * it, and in the words of a controller: a connection of the kube-apiserver, which stands outside of the mesh.
 */
export const platformWebhook: Parser = {
  id: ID,
  title: 'kube-apiserver, webhooks that could not be called (also as kubectl and kn print them)',
  takesParts: true,
  parse(envelope: Envelope): Parsed {
    const { payload } = envelope;
    if (!payload.includes('webhook')) return null;
    const isText = HEAD.test(payload) || EVENT.test(payload);
    const call = readWebhookCall(isText ? payload : errorOf(payload));
    if (call === null) return null;
    return outsideCall(envelope, {
      parser: ID,
      caller: 'kube-apiserver',
      from: null,
      destination: { ...UNKNOWN_PEER, port: call.port },
      service: call.host,
      error: `failed calling webhook "${call.webhook}": ${call.error}`,
    });
  },
};

/** How kubectl, kn and the kube-apiserver begin; whatever a collector puts before that is not the line's. */
const HEAD =
  /^(?:[IWEF]\d{4} [^\]\n]{1,80}\] )?(?:Error|error|Internal error|Failed calling|failed calling|conversion webhook)\b/;

/** Columns of an event of a controller that may not create pods (`kubectl get events`, `kubectl describe replicaset`). */
const EVENT = /^(?:[^"\n]{1,300}\s)?FailedCreate\s{1,20}[^"\n]{0,300}Error creating: /;

/** Controllers have the error in a field of its own; whatever else is JSON is a collector's record around the line. */
function errorOf(payload: string): string {
  return jsonText(parseJsonObject(payload)?.['error']) ?? '';
}
