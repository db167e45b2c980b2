import type { KubeObject } from '../../model/mesh.ts';
import { recordOf, textsOf } from '../../text/untyped.ts';
import { selects } from './bind.ts';
import { type Known, UNKNOWN } from './known.ts';
import type { Transport } from './request.ts';
import {
  type ContainerPorts,
  containerPort,
  isIstio,
  listOf,
  type MeshService,
  servicesOf,
  textOf,
} from './services.ts';
import type { EnvoyProxy } from './settings.ts';

/** One `servers` entry of a Gateway (networking.istio.io) that the proxy serves. */
export interface GatewayServer {
  /** `namespace/name` of the Gateway. */
  readonly gateway: string;
  /** Ports of the container it listens on. */
  readonly ports: readonly number[];
  readonly http: boolean;
  readonly tls: TlsMode;
  /** In lower case, without namespace. */
  readonly hosts: readonly string[];
  /** It shows a certificate of the mesh (ISTIO_MUTUAL). */
  readonly meshCertificate: boolean;
  /** `credentialName` of a certificate that is known not to be there; null: there is one, or nobody knows. */
  readonly missingCertificate: string | null;
  /** Plaintext requests are redirected to https. */
  readonly redirects: boolean;
}

/** What the server does with TLS. `none`: it speaks plaintext. */
export type TlsMode = 'none' | 'simple' | 'mutual' | 'optional' | 'passthrough';

const TLS_MODES: Readonly<Record<string, TlsMode>> = {
  SIMPLE: 'simple',
  MUTUAL: 'mutual',
  ISTIO_MUTUAL: 'mutual',
  OPTIONAL_MUTUAL: 'optional',
  PASSTHROUGH: 'passthrough',
  AUTO_PASSTHROUGH: 'passthrough',
};

/**
 * The servers of all Gateways that select the proxy (istio 86c9f01f pilot/pkg/model/gateway.go). Gateways of
 * gateway.networking.k8s.io are not read.
 */
export function readServers(
  objects: readonly KubeObject[],
  proxy: EnvoyProxy,
  services: readonly MeshService[],
  names: ContainerPorts,
): readonly GatewayServer[] {
  const own = servicesOf(services, proxy);
  return objects.flatMap((object) => {
    const spec = recordOf(object.raw['spec']);
    if (object.kind !== 'Gateway' || !isIstio(object, 'networking') || !picks(spec['selector'], proxy)) return [];
    const gateway = `${object.metadata.namespace}/${object.metadata.name}`;
    return listOf(spec['servers']).flatMap((server) => {
      const { number, protocol } = recordOf(server['port']);
      if (typeof number !== 'number') return [];
      const ports = own
        .flatMap((service) => service.ports)
        .flatMap((port) => (port.port === number ? (containerPort(port, names) ?? []) : []));
      const kind = textOf(protocol).toUpperCase();
      const tls = recordOf(server['tls']);
      return [
        {
          gateway,
          ports: ports.length === 0 ? [number] : ports,
          http: ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB'].includes(kind) || (kind === 'HTTPS' && !isPassthrough(tls)),
          tls: kind === 'HTTPS' || kind === 'TLS' ? (TLS_MODES[textOf(tls['mode'])] ?? 'simple') : 'none',
          hosts: textsOf(server['hosts']).map((host) => (host.split('/').at(-1) ?? host).toLowerCase()),
          meshCertificate: textOf(tls['mode']) === 'ISTIO_MUTUAL',
          missingCertificate: missingCertificate(textOf(tls['credentialName']), objects, proxy),
          redirects: tls['httpsRedirect'] === true,
        },
      ];
    });
  });
}

/**
 * A certificate is looked for in the gateway's own namespace only (istio 86c9f01f pilot/pkg/xds/sds.go). Where no Secret at
 * all is among the objects, nothing is known of them.
 */
function missingCertificate(name: string, objects: readonly KubeObject[], proxy: EnvoyProxy): string | null {
  const secrets = objects.filter(({ kind }) => kind === 'Secret');
  if (name === '' || secrets.length === 0) return null;
  const found = secrets.some(({ metadata }) => metadata.name === name && metadata.namespace === proxy.namespace);
  return found ? null : name;
}

function isPassthrough(tls: Readonly<Record<string, unknown>>): boolean {
  return TLS_MODES[textOf(tls['mode'])] === 'passthrough';
}

function picks(selector: unknown, proxy: EnvoyProxy): boolean {
  const labels = Object.entries(recordOf(selector)).map(([name, value]) => [name, textOf(value)] as const);
  return selects({ matchLabels: Object.fromEntries(labels) }, proxy.labels);
}

/** What a gateway's listener does with a connection. `closed`: nothing listens there. */
type AcceptedAtGateway =
  | { readonly kind: 'chain'; readonly server: GatewayServer; readonly certificate: boolean }
  | { readonly kind: 'no-chain' }
  | { readonly kind: 'no-certificate' }
  | { readonly kind: 'no-own-certificate'; readonly name: string }
  | { readonly kind: 'closed' }
  | { readonly kind: 'unknown' };

/** Chooses the filter chain by port, TLS and SNI. `certificate`: the server looks at the client's. */
export function acceptAtGateway(
  servers: readonly GatewayServer[],
  port: number,
  transport: Transport,
  serverName: Known<string | null>,
): AcceptedAtGateway {
  const here = servers.filter(({ ports }) => ports.includes(port));
  if (here.length === 0) return { kind: 'closed' };
  if (transport === 'plaintext') {
    const plain = here.find(({ tls }) => tls === 'none');
    return plain === undefined ? { kind: 'no-chain' } : { kind: 'chain', server: plain, certificate: false };
  }
  const secure = here.filter(({ tls }) => tls !== 'none');
  if (serverName === UNKNOWN && secure.some(({ hosts }) => !hosts.includes('*'))) return { kind: 'unknown' };
  const name = serverName === UNKNOWN || serverName === null ? '' : serverName.toLowerCase();
  const server = mostSpecific(secure, ({ hosts }) => hosts, name);
  if (server === null) return { kind: 'no-chain' };
  if (server.missingCertificate !== null) return { kind: 'no-own-certificate', name: server.missingCertificate };
  if (server.tls === 'mutual' && transport === 'tls') return { kind: 'no-certificate' };
  return { kind: 'chain', server, certificate: server.tls === 'mutual' || server.tls === 'optional' };
}

/** The item with the longest host pattern that fits: the name itself, then the longest `*.suffix`, then `*`. */
export function mostSpecific<T>(items: readonly T[], hostsOf: (item: T) => readonly string[], name: string): T | null {
  let best: T | null = null;
  let length = -1;
  for (const item of items) {
    for (const host of hostsOf(item)) {
      const rank = host === name ? Number.POSITIVE_INFINITY : host.length;
      if (hostFits(host, name) && rank > length) {
        best = item;
        length = rank;
      }
    }
  }
  return best;
}

/** Whether a host or a pattern with a star in front fits a name; both in lower case. */
export function hostFits(pattern: string, name: string): boolean {
  if (!pattern.startsWith('*')) return pattern === name;
  return name.endsWith(pattern.slice(1)) && (pattern === '*' || name.length >= pattern.length);
}
