import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** A certificate was out of its time, seen by either end. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-certificate-expired',
    category: 'identity',
    level: 'error',
    title: 'A workload certificate was expired or not yet valid',
    page: {
      meaning:
        'One end refused the certificate of the other because the time now is outside its validity. Either the clock of one node is wrong, or the ztunnel of the refused end could not renew the certificate at the CA.',
      printedBy:
        'Both ends: the refusing one says "invalid peer certificate" or "InvalidCertificate", the refused one "AlertReceived" or "received fatal alert".',
      confirm: [
        'istioctl ztunnel-config certificates # confirmed if NOT AFTER has passed, or NOT BEFORE has not',
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep "certificate"',
        'kubectl get nodes -o wide',
      ],
      change:
        "Set the clocks right (NTP) on both nodes. If they are right, repair the connection of the refused end's ztunnel to the CA (istiod, port 15012).",
      never:
        'Do not switch mutual TLS off: it would hide the failed renewal from this pair only, and all others of that node follow within the hours of their certificates.',
    },
    cites: ['istio/ztunnel 62d82653 src/tls/workload.rs', 'rustls 0.23.40 src/error.rs'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'certificate-expired') return null;
    const early = /^(?:NotValidYet|certificate not valid yet)/.test(error.values[0] ?? '');
    const whose = error.refused === 'source' ? 'of the source' : 'of the destination';
    return {
      certainty: 'certain',
      cause: `The certificate ${whose} was ${early ? 'not yet valid' : 'out of its validity'} when ${sourceName(flow.record)} connected to ${destinationName(flow.record)}: a clock is wrong, or the certificate was not renewed.`,
      subject: [error.refused ?? ''],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step(
        'investigate',
        'Compare the clocks of both nodes, then see whether the ztunnel of the refused end can renew certificates.',
        {
          confirm: [
            'istioctl ztunnel-config certificates',
            ztunnelLogs(mesh, 'certificate'),
            'kubectl debug node/NODE -it --image=busybox -- date -u',
          ],
        },
      ),
    ];
  },
};
