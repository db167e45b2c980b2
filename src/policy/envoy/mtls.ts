import type { ObjectRef } from '../../model/mesh.ts';
import type { MtlsMode, PeerAuthentication } from '../../model/policy.ts';
import type { PeerLevels } from './bind.ts';
import type { Transport } from './request.ts';
import type { PortProtocol } from './services.ts';

/** A mode that decides: nothing is left to inherit. */
export type EffectiveMode = Exclude<MtlsMode, 'UNSET'>;

/** The mode of a port and the policies it came from. */
export interface PortMode {
  readonly mode: EffectiveMode;
  readonly policies: readonly ObjectRef[];
}

/**
 * The mode of a container's port: that of the workload's policy for the port, of the workload, of the namespace, of the
 * mesh, else PERMISSIVE. Only a workload's policy has ports (istio 86c9f01f pilot/pkg/security/authn/policy_applier.go).
 */
export function modeOf(levels: PeerLevels, port: number): PortMode {
  const { workload, namespace, mesh } = levels;
  const ported = workload?.portModes.get(port);
  if (workload !== null && ported !== undefined && ported !== 'UNSET')
    return { mode: ported, policies: [workload.ref] };
  for (const policy of [workload, namespace, mesh]) {
    const mode = setMode(policy);
    if (policy !== null && mode !== null) return { mode, policies: [policy.ref] };
  }
  return { mode: 'PERMISSIVE', policies: [] };
}

function setMode(policy: PeerAuthentication | null): EffectiveMode | null {
  return policy === null || policy.mode === 'UNSET' ? null : policy.mode;
}

/**
 * What a sidecar's inbound listener does with a connection. `terminated`: Envoy ends the TLS, or there is none.
 * `no-chain`: no filter chain matches. `no-certificate`: the handshake fails for want of one.
 */
type Accepted =
  | { readonly kind: 'chain'; readonly http: boolean; readonly terminated: boolean }
  | { readonly kind: 'no-chain' }
  | { readonly kind: 'no-certificate' };

/** Chooses the filter chain (istio 86c9f01f pilot/pkg/networking/core/filterchain_options.go). */
export function acceptInbound(
  mode: EffectiveMode,
  protocol: PortProtocol,
  transport: Transport,
  client: 'http' | 'tcp',
): Accepted {
  const http = protocol === 'http' || (protocol === 'auto' && client === 'http');
  if (mode === 'DISABLE') return acceptRaw(protocol, http, transport);
  if (transport === 'mtls') return { kind: 'chain', http, terminated: true };
  if (mode === 'STRICT') return transport === 'tls' ? { kind: 'no-certificate' } : { kind: 'no-chain' };
  if (transport === 'plaintext') return { kind: 'chain', http, terminated: true };
  // Permissive, and TLS that does not offer Istio's ALPN: only a TCP chain takes it, as bytes.
  return protocol === 'http' ? { kind: 'no-chain' } : { kind: 'chain', http: false, terminated: false };
}

/** Without TLS of the proxy's own: encrypted bytes are no HTTP, so an undeclared port takes them for TCP. */
function acceptRaw(protocol: PortProtocol, http: boolean, transport: Transport): Accepted {
  if (transport === 'plaintext') return { kind: 'chain', http, terminated: true };
  return { kind: 'chain', http: protocol === 'http', terminated: false };
}
