import type { Envelope } from '../../src/model/line.ts';
import type { DiagnosticRecord, Parsed, Parser } from '../../src/model/record.ts';
import { redactSecrets } from '../../src/text/redact.ts';

const ID = 'platform-sandbox';

/**
 * Pods that did not start because istio-cni refused them: as an event (`kubectl get events`, `kubectl describe pod`), in the
 * kubelet's own log, or the message alone. Sandboxes that failed for other reasons are nobody's here.
 */
export const platformSandbox: Parser = {
  id: ID,
  title: 'kubelet, pods that istio-cni did not let start (events, kubectl describe, kubelet log)',
  takesParts: true,
  parse(envelope: Envelope): Parsed {
    const { payload } = envelope;
    if (!payload.includes('istio-cni')) return null;
    const match = MESSAGE.exec(payload);
    if (match === null || match.index > MAX_COLUMNS) return null;
    const columns = payload.slice(0, match.index);
    if (columns.trim() !== '' && !COLUMNS.test(columns)) return null;
    const pod = POD.exec(payload)
      ?.slice(1)
      .find((name) => name !== undefined);
    return {
      kind: 'diagnostic',
      at: envelope.at,
      parser: ID,
      proxy: 'kubernetes',
      reporter: null,
      origin: envelope.origin,
      time: envelope.time,
      raw: redactSecrets(payload),
      severity: 'error',
      scope: 'kubelet',
      message: redactSecrets(payload.slice(match.index).trim().replaceAll('\\"', '"')),
      fields: pod === undefined ? {} : { pod },
    } satisfies DiagnosticRecord;
  },
};

/** The words of the event and of the kubelet's log (k8s.io/kubernetes pkg/kubelet/kuberuntime/kuberuntime_sandbox.go). */
const MESSAGE =
  /Failed to create pod sandbox: |failed to \\?"CreatePodSandbox\\?" for |"CreatePodSandbox for pod failed"/;
/** What stands before it: columns with the reason of the event, or the head of a line of klog. */
const COLUMNS = /\bFailedCreatePodSandBox\s|^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{1,9} {1,8}\d{1,10} [\w.-]{1,60}:\d{1,6}\] /;
const MAX_COLUMNS = 600;
const POD = /\spod\/([a-z0-9.-]{1,253})(?=\s)|\bpod="([a-z0-9-]{1,63}\/[a-z0-9.-]{1,253})"/;
