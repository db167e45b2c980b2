import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { inRoot } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** The two ends have different root certificates. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-certificate-untrusted',
    category: 'identity',
    level: 'error',
    title: 'A workload certificate came from an unknown CA',
    page: {
      meaning:
        'One end refused the certificate of the other because it was not issued under a root that it trusts: a root rotation in progress, clusters with different CAs, or a CA whose key was changed.',
      printedBy:
        'Both ends: the refusing one says UnknownIssuer or BadSignature, the refused one gets the alert UnknownCA or DecryptError.',
      confirm: [
        'istioctl ztunnel-config certificates -o json',
        'kubectl -n istio-system get configmap istio-ca-root-cert -o jsonpath={.data.root-cert\\.pem} | openssl x509 -noout -subject -dates',
        'kubectl get configmap istio-ca-root-cert -n NAMESPACE -o yaml',
      ],
      change:
        'Give all clusters intermediate CAs of one root; after a change of root, let istiod and all ztunnels pick up the combined trust bundle before the old root goes.',
      never: 'Do not switch mutual TLS off, and do not delete the secret cacerts to have a new CA made.',
    },
    cites: ['istio/ztunnel 62d82653 src/tls/workload.rs', 'rustls 0.23.40 src/error.rs', 'istio/ztunnel#1613'],
  },
  on: ['ztunnel/connection', 'ztunnel/diagnostic'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'certificate-untrusted') return null;
    const whose = error.refused === 'source' ? 'of the source' : 'of the destination';
    const told = {
      cause: `The certificate ${whose} was not issued by a CA that the other end trusts (${sourceName(flow.record)} to ${destinationName(flow.record)}).`,
      subject: [error.refused ?? ''],
    };
    // rustls answers an expired or incomplete revocation list with the same alert as an unknown issuer.
    if (!/alert: UnknownCA|AlertReceived\(UnknownCA/.test(error.text))
      return { certainty: 'certain', ...told } satisfies Match;
    const unchecked = [
      'the reason: the line of the refusing ztunnel has it; an expired or incomplete revocation list gives the same alert',
    ];
    return { certainty: 'likely', ...told, unchecked } satisfies Match;
  },
  propose(_finding, mesh) {
    return [
      step(
        'investigate',
        'Compare the roots that the two ztunnels trust, then finish or undo the rotation so that both trust both.',
        {
          confirm: [
            'istioctl ztunnel-config certificates -o json',
            inRoot(mesh, 'get secret cacerts istio-ca-secret --ignore-not-found'),
            inRoot(mesh, "get pods -l 'app in (istiod,ztunnel)' -o wide"),
          ],
        },
      ),
    ];
  },
};
