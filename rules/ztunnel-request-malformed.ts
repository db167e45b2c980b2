import { ztunnelErrorOf } from '../src/causes/ztunnel-error.ts';
import type { Match, Rule } from '../src/model/finding.ts';
import { ztunnelLogs } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { destinationName, sourceName } from '../src/text/ends.ts';

/** A client with a mesh certificate sent something on 15008 that no ztunnel sends. */
export const rule: Rule = {
  meta: {
    id: 'ztunnel-request-malformed',
    category: 'client',
    level: 'warning',
    title: 'A client sent a malformed tunnel request',
    page: {
      meaning:
        'A client with a valid mesh certificate sent a request on port 15008 that is no proper HBONE CONNECT: another method, or no usable host and port. ztunnel and Envoy do not send such requests.',
      printedBy: 'The ztunnel on the node of the destination. The client is told 400 (404 up to 1.23).',
      confirm: ['kubectl get pods -A -o wide | grep SOURCE_IP', 'istioctl ztunnel-config workloads'],
      change:
        'Repair or remove the client that talks to port 15008 by itself; a newer client with an older ztunnel (up to 1.25) may ask by host name, then upgrade ztunnel.',
      never:
        'Do not open or exempt port 15008 for it: that port is for the mesh, and what sends such requests is not of it.',
    },
    cites: ['istio/ztunnel 62d82653 src/proxy/inbound.rs'],
  },
  on: ['ztunnel/connection'],
  match(flow) {
    const error = ztunnelErrorOf(flow.record);
    if (error?.kind !== 'request-malformed') return null;
    return {
      certainty: 'certain',
      cause: `${sourceName(flow.record)} sent a tunnel request to ${destinationName(flow.record)} that is not valid: ${error.text}.`,
      anyCaller: true,
    } satisfies Match;
  },
  propose(finding, mesh) {
    return [
      step(
        'investigate',
        'Find the client behind the source address and repair it; only proxies should talk to port 15008.',
        {
          confirm: [
            ...finding.source.addresses.map((address) => ztunnelLogs(mesh, address)),
            'kubectl get pods -A -o wide',
          ],
        },
      ),
    ];
  },
};
