/** RFC 1918, RFC 6598, loopback, link-local. */
const PRIVATE_V4 = /^(?:10|127|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./;

/**
 * True for an address that is not routed on the internet. IPv6 counts as private as a whole: clusters give their pods
 * global addresses. Anything that is no address (a name, a socket path) is private too, as nothing outside can have it.
 */
export function isPrivateAddress(address: string): boolean {
  return !/^\d{1,3}(?:\.\d{1,3}){3}$/.test(address) || PRIVATE_V4.test(address);
}
