/** Whence a node asks after the health of ambient pods over IPv4 (istio 86c9f01f cni/pkg/config). */
const PROBE_IPV4 = '169.254.7.127';
/** The same over IPv6. */
const PROBE_IPV6 = 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff';

/** The address from which a node's kubelet reaches an ambient pod that has this address, of the same family. */
export function probeAddressFor(address: string): string {
  return address.includes(':') ? PROBE_IPV6 : PROBE_IPV4;
}
