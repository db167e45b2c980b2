import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot, ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

/** ztunnel could not get a certificate for the pod. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-certificate-unavailable',
    category: 'identity',
    level: 'error',
    title: 'ztunnel got no certificate for the workload',
    page: {
      meaning:
        "ztunnel asked the CA for a certificate in the name of the pod's service account and did not get a usable one: the CA refused or was not reachable, or what it sent does not fit.",
      printedBy:
        'The ztunnel of the pod: "identity error" for its outgoing, "signing error" for its incoming connections. The other end sees a reset.',
      confirm: [
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix | grep -e "certificate fetch failed" -e "unable to prefetch"',
        'kubectl -n istio-system logs deploy/istiod --tail=500 | grep -i -e CSR -e authenticat',
        'kubectl -n istio-system get serviceaccount ztunnel',
      ],
      change:
        'Refused: let istiod trust this ztunnel (trustedZtunnelName, CA_TRUSTED_NODE_ACCOUNTS; for istio-csr its node attestation). Not reachable: open TCP 15012 to istiod.',
      never: 'Do not switch mutual TLS off, and do not give ztunnel more RBAC than its chart does.',
    },
    cites: ['istio/ztunnel 62d82653 src/identity/caclient.rs', 'istio/ztunnel 62d82653 src/identity/manager.rs'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'certificate-unavailable') return null;
    const [reason = ''] = error.values;
    const isMaterial = MATERIAL.test(error.text);
    return {
      certainty: 'certain',
      cause: isMaterial
        ? `ztunnel cannot use the certificates or roots it was given for the workload it serves: ${reason}.`
        : `ztunnel has no certificate for the workload it serves: ${reason}.`,
      subject: [reason],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step('investigate', 'Read why the CA refuses or cannot be reached, at ztunnel and at istiod, and repair that.', {
        confirm: [
          ztunnelLogs(mesh, 'certificate fetch failed'),
          inRoot(mesh, 'logs deploy/istiod --tail=500'),
          'istioctl ztunnel-config certificates',
        ],
      }),
    ];
  },
};

/** Material that arrived and is of no use (istio/ztunnel 62d82653 src/tls/lib.rs). */
const MATERIAL = /^(?:tls|ssl) error: /;
