import type { Category, Certainty } from '../model/finding.ts';
import type { MeshView } from '../model/mesh.ts';
import type { LogRecord } from '../model/record.ts';
import { parseHostPort } from '../text/address.ts';
import { sourceName } from '../text/ends.ts';
import { envoyFacts } from './envoy-record.ts';
import { serverName, serversAt, wantMeshCertificates } from './gateway-server.ts';

/** Whose listener it was; null: not known. */
export type Place = 'sidecar' | 'gateway' | 'waypoint' | null;

/** What a listener's refusal means. `cause`: a sentence; untrusted text. */
export interface Judgement {
  readonly category: Category;
  readonly certainty: Certainty;
  readonly cause: string;
}

/** East-west gateways route by the SNI of mesh clients on this port (istio manifests/charts/gateway). */
const EAST_WEST_PORT = 15443;

/** Port of gateway pods behind port 443 of their Service (istio manifests/charts/gateways, istio-ingress); applications on it speak TLS themselves. */
const GATEWAY_TLS_PORT = 8443;

/** Why no filter chain of a listener fits a connection, by whose listener it was and the host name (SNI) that the client sent. */
export function judgeFilterChain(record: LogRecord, place: Place, sni: string | null, mesh: MeshView): Judgement {
  const local = envoyFacts(record)?.downstreamLocal ?? 'the listener';
  const caller = sourceName(record);
  if (place === 'waypoint') {
    return routing(
      'likely',
      `${caller} reached this waypoint for ${local}, and it has no Service with that address and port.`,
    );
  }
  if (place === 'gateway') return judgeGateway(record, sni, mesh);
  if (sni === null && place === null && parseHostPort(local)?.port === GATEWAY_TLS_PORT) {
    return routing(
      'possible',
      `${caller} sent no host name (SNI) to ${local}, where gateways take TLS, and every server there wants one. Where it is the port of an application: plaintext, and the workload accepts mutual TLS only (STRICT).`,
    );
  }
  if (sni === null) {
    return mutualTls(
      'likely',
      `${caller} spoke plaintext to ${local}, and the workload accepts mutual TLS only (STRICT).`,
    );
  }
  if (isMeshName(sni)) {
    return parseHostPort(local)?.port === EAST_WEST_PORT
      ? routing('likely', `No Service of this network answers to the name ${sni} at the east-west gateway ${local}.`)
      : mutualTls(
          'likely',
          `${caller} spoke mutual TLS to ${local}, and the workload takes none on this port (PeerAuthentication DISABLE).`,
        );
  }
  const spoken = `${caller} spoke TLS of its own (host name ${sni}) to ${local}`;
  return place === 'sidecar'
    ? mutualTls(
        'likely',
        `${spoken}, a port that is declared as HTTP: only mutual TLS of the mesh or plaintext fit there.`,
      )
    : routing(
        'possible',
        `${spoken}, and no filter chain serves that name: a gateway without such a host, or a port that is declared as HTTP.`,
      );
}

/** Servers are named where the mesh shows them. */
function judgeGateway(record: LogRecord, sni: string | null, mesh: MeshView): Judgement {
  const local = envoyFacts(record)?.downstreamLocal ?? 'the listener';
  const caller = sourceName(record);
  const servers = serversAt(parseHostPort(envoyFacts(record)?.downstreamLocal ?? null), mesh);
  const named = servers.length === 0 ? '' : ` (${servers.map(serverName).join(', ')})`;
  if (sni !== null) {
    return routing('likely', `No TLS server of the gateway at ${local} serves the host name ${sni}${named}.`);
  }
  return wantMeshCertificates(servers)
    ? mutualTls(
        'likely',
        `${caller} came to ${local} of the gateway in plaintext, and ${servers.map(serverName).join(' and ')} takes mutual TLS of the mesh only.`,
      )
    : routing(
        'likely',
        `${caller} came to ${local} of the gateway in plaintext or without a host name (SNI), and every server there wants one${named}.`,
      );
}

function routing(certainty: Certainty, cause: string): Judgement {
  return { category: 'routing', certainty, cause };
}

function mutualTls(certainty: Certainty, cause: string): Judgement {
  return { category: 'mutual-tls', certainty, cause };
}

/** Names that Istio's clients put into the SNI: `outbound_.80_.v1_.web.shop.svc.cluster.local`. */
function isMeshName(sni: string): boolean {
  return /^(?:outbound|inbound)_?\./.test(sni);
}
