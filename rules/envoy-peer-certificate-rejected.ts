import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { listDestinationRules } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** Our side did not accept the certificate of the other end. */
export const rule: Rule = {
  meta: {
    id: 'envoy-peer-certificate-rejected',
    category: 'identity',
    level: 'error',
    title: 'The certificate of the destination was not accepted',
    page: {
      meaning:
        'The TLS handshake reached the certificate of the destination and the proxy of the caller did not accept it: expired, signed by another root, or for another name than expected. From Envoy 1.38 on the text names which.',
      printedBy: 'The proxy of the caller, or a gateway, as transport failure with CERTIFICATE_VERIFY_FAILED.',
      confirm: [
        'istioctl proxy-config secret POD.NAMESPACE',
        'kubectl -n istio-system get configmap istio-ca-root-cert -o yaml',
        'kubectl get destinationrules -A -o yaml',
      ],
      change:
        'Expired: find out why the destination did not renew. Other root: share one root between the meshes or clusters, or give the DestinationRule the right caCertificates. Other name: correct subjectAltNames, or the Service behind which the wrong pods stand.',
      never:
        'Do not set insecureSkipVerify: anybody could then pose as the destination. No authorization policy needs a change.',
    },
    cites: [
      'envoy 1.37 source/common/tls/cert_validator/default_validator.cc',
      'istio 86c9f01f pilot/pkg/networking/core/cluster_tls.go',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'peer-certificate') return null;
    const reason = REASONS.find(([pattern]) => pattern.test(failure.text))?.[1] ?? null;
    return {
      certainty: 'certain',
      cause: `The proxy of the caller did not accept the certificate of ${calledName(record)}: ${reason ?? 'it is expired, from another root, or for another name'}.`,
      intended: 'no',
      unchecked:
        reason === null
          ? ['Which of the three: this release of Envoy does not print it. Compare the certificates of both ends.']
          : [],
      subject: reason === null ? [] : [reason],
    };
  },
  propose(finding) {
    const { workload, namespace } = finding.destination;
    return [
      step(
        'investigate',
        'Compare root, validity and name of the certificate of the destination with what the caller expects.',
        {
          confirm: [
            `istioctl proxy-config secret ${wordOr(workload, 'POD')}.${wordOr(namespace, 'NAMESPACE')}`,
            listDestinationRules(finding.destination),
            'kubectl get configmap -A --field-selector metadata.name=istio-ca-root-cert',
          ],
        },
      ),
    ];
  },
};

/** Texts of X509_verify_cert and of the name check, in Envoy 1.38 and later. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/has_expired/, 'it has expired'],
  [/not_yet_valid/, 'it is not valid yet, or a clock is wrong'],
  [/revoked/i, 'it was revoked'],
  [/SAN_matcher|verify_SAN/, 'it carries another name than expected'],
  [/self_signed|unable_to_get_(?:local_)?issuer/, 'it was signed by another root'],
];
