import { dialledTls, tlsName } from '../src/causes/destination-tls.ts';
import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import type { Draft } from '../src/model/remedy.ts';
import { listPods } from '../src/remedy/commands/kubectl.ts';
import { listDestinationRules, serviceOf } from '../src/remedy/commands/proxy.ts';
import { refOf } from '../src/remedy/edits/change.ts';
import { changeDestinationTls } from '../src/remedy/edits/destination-rule.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The client side started TLS towards a server that speaks plaintext. */
export const rule: Rule = {
  meta: {
    id: 'envoy-tls-answered-in-plaintext',
    category: 'mutual-tls',
    level: 'error',
    title: 'The proxy spoke TLS and the destination answered in plaintext',
    page: {
      meaning:
        'The proxy of the caller opened TLS (mutual TLS of the mesh, or TLS by a DestinationRule) and the other end answered something that is no TLS: a pod without sidecar, a port that is excluded from the sidecar, a plaintext port of a gateway, or an application that speaks plaintext.',
      printedBy:
        'The proxy of the caller, or a gateway, as transport failure with WRONG_VERSION_NUMBER. The destination has no line.',
      confirm: [
        'kubectl get destinationrules -A -o yaml',
        'kubectl -n NAMESPACE get pods -o jsonpath="{range .items[*]}{.metadata.name} {.spec.containers[*].name}{\'\\n\'}{end}"',
        'istioctl x describe service SERVICE.NAMESPACE',
      ],
      change:
        'Bring the destination into the mesh, or take the tls block out of the DestinationRule so that the mesh decides by itself (auto mutual TLS). Use tls mode DISABLE only for that one host and port, when the destination can never speak TLS.',
      never:
        'Do not change PeerAuthentication: the server accepts plaintext already, the client is the one that insists on TLS. Do not turn mutual TLS off for *.local.',
    },
    cites: ['envoy 1.37 source/common/tls/ssl_socket.cc', 'istio 86c9f01f pilot/pkg/networking/core/cluster_tls.go'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }, mesh) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'tls-to-plaintext') return null;
    const setting = dialledTls(record, mesh);
    const told = setting === null ? '' : ` ${tlsName(setting)} told the proxy to speak TLS.`;
    return {
      certainty: failure.certainty,
      cause: `The proxy started TLS towards ${calledName(record)}, and that answered in plaintext: it has no sidecar, or the port speaks no TLS.${told}`,
      policies: setting === null ? [] : [refOf(setting.rule)],
      intended: 'no',
    };
  },
  propose(finding, mesh) {
    const { destination, flows } = finding;
    const setting = flows[0] === undefined ? null : dialledTls(flows[0].record, mesh);
    const commands = [listDestinationRules(destination), listPods(serviceOf(destination).namespace)];
    return [
      step('enrol', 'Give the destination a sidecar, if it is meant to be in the mesh.', {
        risk: 'Its pods must be restarted.',
        confirm: commands,
      }),
      setting === null ? removeTlsBlock(commands) : changeDestinationTls(setting, false),
    ];
  },
};

function removeTlsBlock(commands: readonly string[]): Draft {
  return step(
    'configuration',
    'Take the tls block out of the DestinationRule of this host, so that the mesh decides per endpoint whether to use mutual TLS.',
    { risk: 'Traffic to endpoints outside the mesh is then plaintext.', confirm: commands },
  );
}
