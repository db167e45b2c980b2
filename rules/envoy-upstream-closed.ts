import { dialledTls, tlsName } from '../src/causes/destination-tls.ts';
import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName, dialledAddress, envoyFacts, isInbound } from '../src/causes/envoy-record.ts';
import type { Category, Certainty, Rule } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { LogRecord } from '../src/model/record.ts';
import { autoMtlsIsOff } from '../src/policy/way/client-tls.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { applicationLogs, listDestinationRules, proxyLogs } from '../src/remedy/commands/proxy.ts';
import { refOf } from '../src/remedy/edits/change.ts';
import { changeDestinationTls } from '../src/remedy/edits/destination-rule.ts';
import { step } from '../src/remedy/edits/index.ts';
import { ownSideOf } from '../src/remedy/edits/own-side.ts';

/** UC before a response. Who closed it, and why, follows from what is known about the destination. */
export const rule: Rule = {
  meta: {
    id: 'envoy-upstream-closed',
    category: 'upstream',
    level: 'warning',
    title: 'The destination closed the connection before it answered',
    page: {
      meaning:
        "The connection was open and the other end closed it before it answered. If the other end is the application: it crashed, or closed an idle connection just then. If it is a sidecar: it takes no plaintext (a DestinationRule turned mutual TLS off, or the call went around the mesh's registry), it refused the certificate of the caller, or it was being stopped. An application that fails behind a sidecar looks different for the caller: 503 via_upstream.",
      printedBy:
        'The proxy of the caller, a gateway or a waypoint (cluster outbound), or the sidecar of the destination about its own application (cluster inbound). A STRICT sidecar that took plaintext for an offence prints NR filter_chain_not_found itself; one that refused a certificate prints nothing.',
      confirm: [
        'kubectl get destinationrules -A -o custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,HOST:.spec.host,TLS:.spec.trafficPolicy.tls.mode # confirmed if TLS of that host is DISABLE or SIMPLE',
        'kubectl get peerauthentications -A',
        'istioctl proxy-config secret POD.NAMESPACE',
        'kubectl -n NAMESPACE logs deploy/WORKLOAD --previous',
      ],
      change:
        'Towards a sidecar: take tls mode DISABLE or SIMPLE out of the DestinationRule; renew the certificate of the caller if it is expired. Towards an application: look at its log; make its keep-alive longer than the idle timeout of the connection pool.',
      never: 'Do not set PeerAuthentication to PERMISSIVE for a namespace. Do not raise retries to hide it.',
    },
    cites: [
      'envoy 1.37 source/common/router/router.cc',
      'istio 86c9f01f pilot/pkg/networking/core/cluster_tls.go',
      'istio/istio#58281',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }, mesh) {
    if (envoyFailure(record)?.kind !== 'closed') return null;
    const { category, certainty, cause } = SITUATIONS[situationOf(record, mesh)];
    const setting = category === 'mutual-tls' ? dialledTls(record, mesh) : null;
    const own = category === 'mutual-tls' && setting === null ? ownSideOf(record, mesh) : null;
    const named = setting === null ? (own === null ? '' : ` ${own.because}`) : ` It is ${tlsName(setting)}.`;
    return {
      category,
      certainty,
      cause: `${calledName(record)} closed the connection before it answered. ${cause}${named}`,
      policies: setting === null ? (own?.policies ?? []) : [refOf(setting.rule)],
      intended: 'no',
      unchecked:
        mesh.known || isInbound(record) === true
          ? []
          : [
              'Whether the destination has a sidecar and wants mutual TLS: give pods, DestinationRules and PeerAuthentications with --mesh, and the log of the destination.',
            ],
    };
  },
  propose({ category, source, destination, flows }, mesh) {
    if (category === 'mutual-tls') {
      const setting = flows[0] === undefined ? null : dialledTls(flows[0].record, mesh);
      if (setting !== null) return [changeDestinationTls(setting, true)];
      const own = flows[0] === undefined ? null : ownSideOf(flows[0].record, mesh);
      if (own !== null) return [own.repair];
      return [
        step(
          'configuration',
          'Take the tls block out of the DestinationRule of this host (or set ISTIO_MUTUAL), and let the caller know the Service, so that its proxy speaks mutual TLS.',
          {
            confirm: [
              listDestinationRules(destination),
              'kubectl get peerauthentications -A',
              'kubectl get sidecars -A -o yaml',
            ],
          },
        ),
      ];
    }
    if (category === 'identity') {
      return [
        step(
          'investigate',
          "Check whether the certificate of the caller's proxy is valid and from the root that the destination trusts; then whether the destination's proxy was restarted.",
          {
            confirm: [
              `istioctl proxy-config secret ${wordOr(source.workload, 'POD')}.${wordOr(source.namespace, 'NAMESPACE')}`,
              proxyLogs(source),
              proxyLogs(destination),
            ],
          },
        ),
      ];
    }
    return [
      step(
        'investigate',
        'Look at the log of the destination for a crash or an idle timeout; if it has a sidecar, at mutual TLS as well.',
        {
          confirm: [applicationLogs(destination), proxyLogs(destination), listDestinationRules(destination)],
        },
      ),
    ];
  },
};

interface Judgement {
  readonly category: Category;
  readonly certainty: Certainty;
  readonly cause: string;
}

/** What is known about the end that closed. */
const SITUATIONS = {
  own: {
    category: 'upstream',
    certainty: 'certain',
    cause: 'It is the own application of this pod: it crashed, or closed an idle connection.',
  },
  'unknown-service': {
    category: 'mutual-tls',
    certainty: 'likely',
    cause:
      "The caller's proxy does not know this Service and passed the call on in plaintext, which a STRICT destination closes.",
  },
  outside: { category: 'upstream', certainty: 'possible', cause: 'It is outside the registry of the mesh.' },
  plaintext: {
    category: 'mutual-tls',
    certainty: 'likely',
    cause:
      'A DestinationRule makes the caller speak plaintext, and a sidecar that takes mutual TLS only (STRICT) closes that.',
  },
  unasked: {
    category: 'mutual-tls',
    certainty: 'likely',
    cause: 'A sidecar that takes mutual TLS only (STRICT) closes plaintext.',
  },
  'foreign-tls': {
    category: 'mutual-tls',
    certainty: 'likely',
    cause:
      'A DestinationRule makes the caller speak TLS without the certificate of the mesh, which the sidecar there demands.',
  },
  sidecar: {
    category: 'identity',
    certainty: 'possible',
    cause:
      'The sidecar there closed it, not the application: it refused the certificate of the caller, or it was being stopped.',
  },
  unknown: {
    category: 'upstream',
    certainty: 'possible',
    cause:
      'It crashed or closed an idle connection; a sidecar there also closes on plaintext and on a certificate it refuses.',
  },
} as const satisfies Record<string, Judgement>;

/** An application behind a sidecar never shows as a closed connection to the caller: the sidecar answers 503 for it. */
function situationOf(record: LogRecord, mesh: MeshView): keyof typeof SITUATIONS {
  if (isInbound(record) === true) return 'own';
  const sidecar = hasSidecar(record, mesh);
  const cluster = envoyFacts(record)?.cluster ?? null;
  if (cluster === 'PassthroughCluster') {
    return sidecar === true || isServiceHost(record) ? 'unknown-service' : 'outside';
  }
  const mode = dialledTls(record, mesh)?.mode ?? null;
  if (mode === 'DISABLE' && sidecar !== false) return 'plaintext';
  if (mode === null && sidecar === true && autoMtlsIsOff(mesh)) return 'unasked';
  if (sidecar !== true) return 'unknown';
  return mode === 'SIMPLE' || mode === 'MUTUAL' ? 'foreign-tls' : 'sidecar';
}

/** Null: the pod is not known. The label is what istiod itself goes by (istio 86c9f01f pilot/pkg/model/service.go). */
function hasSidecar(record: LogRecord, mesh: MeshView): boolean | null {
  const address = dialledAddress(record);
  const pod = address === null ? null : mesh.podByIp(address);
  if (pod === null || pod.dataplane === 'unknown') return pod?.labels['security.istio.io/tlsMode'] === 'istio' || null;
  return pod.dataplane === 'sidecar' || pod.labels['security.istio.io/tlsMode'] === 'istio';
}

/** The caller asked for a Service of the cluster by its full name. */
function isServiceHost(record: LogRecord): boolean {
  return record.kind === 'request' && /\.svc(?:\.[a-z.]+)?(?::\d+)?$/.test(record.authority ?? '');
}
