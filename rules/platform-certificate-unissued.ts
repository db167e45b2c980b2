import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';

const FETCH = /^certificate (?:fetch|renewal) failed \((.*?)\)[;, ]/;
const PREFETCH = /^unable to prefetch cert for "?([^",]+)/;
const CHAIN = /^(?:no chain certs for: |expected identity )/;

/** The CA did not issue a certificate; connections fail now or when the old one expires. */
export const rule: Rule = {
  meta: {
    id: 'platform-certificate-unissued',
    category: 'identity',
    level: 'warning',
    title: 'The CA did not issue a certificate to ztunnel',
    page: {
      meaning:
        'ztunnel asked the CA for a certificate of a workload and got none. While an older one is valid nothing happens yet; without one all connections of the workload fail.',
      printedBy: 'ztunnel, in the background (identity::manager, cert_fetcher). istiod logs the other side of it.',
      confirm: [
        'istioctl ztunnel-config certificates',
        'kubectl -n istio-system logs deploy/istiod --tail=500 | grep -i -e csr -e authenticat',
        'kubectl -n istio-system get serviceaccount ztunnel',
      ],
      change:
        'Refused: let istiod trust this ztunnel (trustedZtunnelName, CA_TRUSTED_NODE_ACCOUNTS; for istio-csr its node attestation). Not reachable: open TCP 15012 to istiod.',
      never:
        'Do not switch mutual TLS off: the CA would still not answer, and the pods would lose their identity, on which policies rest.',
    },
    cites: ['istio/ztunnel 62d82653 src/identity/manager.rs', 'istio/ztunnel 62d82653 src/cert_fetcher.rs'],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    if (flow.record.kind !== 'diagnostic') return null;
    const { message } = flow.record;
    const identity = PREFETCH.exec(message)?.[1];
    const reason = message.startsWith('certificate ') ? (FETCH.exec(message)?.[1] ?? null) : null;
    if (identity === undefined && reason === null && !CHAIN.test(message)) return null;
    return {
      certainty: 'certain',
      cause: `The CA gave ztunnel no certificate${identity === undefined ? '' : ` for ${identity}`}: ${reason ?? message}.`,
      subject: [identity ?? reason ?? ''],
    } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step(
        'investigate',
        'Read at istiod why it refuses, or see whether ztunnel reaches it on TCP 15012; repair that before the certificates expire.',
        {
          confirm: [
            'istioctl ztunnel-config certificates',
            inRoot(mesh, 'logs deploy/istiod --tail=500'),
            inRoot(mesh, 'get pods -l app=istiod -o wide'),
          ],
        },
      ),
    ];
  },
};
