import { constants, createHmac, createPublicKey, timingSafeEqual, verify } from 'node:crypto';

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

/**
 * Checks the signature of a token with a JSON Web Key (RFC 7515, RFC 7517, RFC 7518) by the platform's own cryptography.
 * `signed` is `header.payload`, `signature` base64url. False also for a key of another kind than the algorithm needs, or
 * one that cannot be read. All untrusted; never throws.
 */
export function verifyJws(
  key: Readonly<Record<string, unknown>>,
  algorithm: string,
  signed: string,
  signature: string,
): boolean {
  const family = algorithm.slice(0, 2);
  const hash = `sha${algorithm.slice(2)}`;
  const data = Buffer.from(signed);
  const bytes = Buffer.from(signature, 'base64url');
  try {
    if (family === 'HS') return key['kty'] === 'oct' && hmacEquals(key['k'], hash, data, bytes);
    const publicKey = createPublicKey({ key: { ...key }, format: 'jwk' });
    if (key['kty'] === 'OKP') return algorithm === 'EdDSA' && verify(null, data, publicKey, bytes);
    // Envoy takes the key's own kind: an EC key checks any token that names no other algorithm as ECDSA.
    if (key['kty'] === 'EC') return verify(hash, data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, bytes);
    if (key['kty'] !== 'RSA' || (family !== 'RS' && family !== 'PS')) return false;
    return verify(hash, data, family === 'PS' ? { key: publicKey, ...PSS } : publicKey, bytes);
  } catch {
    return false;
  }
}

function hmacEquals(secret: unknown, hash: string, data: Buffer, signature: Buffer): boolean {
  if (typeof secret !== 'string') return false;
  const expected = createHmac(hash, Buffer.from(secret, 'base64url')).update(data).digest();
  return expected.length === signature.length && timingSafeEqual(expected, signature);
}
