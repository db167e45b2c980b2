import { decodeBase64Url } from '../../text/base64url.ts';
import { isRecord } from '../../text/kube-object.ts';
import type { Claims } from './request.ts';

/** A token that could be read. Nothing of it is verified. */
export interface JwtToken {
  readonly algorithm: string;
  /** '' if the token names no key. */
  readonly keyId: string;
  readonly claims: Claims;
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** Seconds since 1970; 0: absent. */
  readonly notBefore: number;
  readonly expires: number;
  /** `header.payload`, and the payload alone, as they came. */
  readonly signed: string;
  readonly payload: string;
  readonly signature: string;
}

/** Status texts of the library (google/jwt_verify_lib src/status.cc). The access log prints them with `_` for blanks. */
export const JWT_STATUS = {
  missing: 'Jwt is missing',
  badFormat: 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
  headerBase64: 'Jwt header is an invalid Base64url encoded',
  headerJson: 'Jwt header is an invalid JSON',
  algorithm: 'Jwt header [alg] field is required and must be a string',
  unsupported: 'Jwt header [alg] is not supported',
  keyId: 'Jwt header [kid] field is not a string',
  payloadBase64: 'Jwt payload is an invalid Base64url encoded',
  payloadJson: 'Jwt payload is an invalid JSON',
  audienceType: 'Jwt payload [aud] field is not a string or string list',
  signatureBase64: 'Jwt signature is an invalid Base64url encoded',
  unknownIssuer: 'Jwt issuer is not configured',
  notYetValid: 'Jwt not yet valid',
  expired: 'Jwt is expired',
  audience: 'Audiences in Jwt are not allowed',
  verification: 'Jwt verification fails',
  noKey: "Jwks doesn't have key to match kid or alg from Jwt",
  edLength: 'Jwt ED25519 signature is wrong length',
} as const;

const ALGORITHMS = new Set([
  ...['ES256', 'ES384', 'ES512', 'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  'EdDSA',
]);

/** Reads a token, or says with the library's text why it cannot; the first fault in the library's order counts. */
export function parseToken(text: string): JwtToken | string {
  const sections = text.split('.').filter((section) => section !== '');
  if (text.split('.', 4).length !== 3 || sections.length !== 3) return JWT_STATUS.badFormat;
  const [headerText = '', payload = '', signature = ''] = sections;
  const header = decodeSection(headerText, JWT_STATUS.headerBase64, JWT_STATUS.headerJson);
  if (typeof header === 'string') return header;
  const { alg, kid } = header;
  if (typeof alg !== 'string') return JWT_STATUS.algorithm;
  if (!ALGORITHMS.has(alg)) return JWT_STATUS.unsupported;
  if (kid !== undefined && typeof kid !== 'string') return JWT_STATUS.keyId;
  const claims = decodeSection(payload, JWT_STATUS.payloadBase64, JWT_STATUS.payloadJson);
  if (typeof claims === 'string') return claims;
  const fault = claimFault(claims);
  if (fault !== null) return fault;
  if (decodeBase64Url(signature) === null) return JWT_STATUS.signatureBase64;
  return {
    ...registeredClaims(claims),
    algorithm: alg,
    keyId: kid ?? '',
    signed: `${headerText}.${payload}`,
    payload,
    signature,
  };
}

function decodeSection(section: string, badBase64: string, badJson: string): Claims | string {
  const text = decodeBase64Url(section);
  if (text === null) return badBase64;
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : badJson;
  } catch {
    return badJson;
  }
}

/** The order is the library's. */
function claimFault(claims: Claims): string | null {
  const textFault = (name: string): string | null =>
    claims[name] === undefined || typeof claims[name] === 'string'
      ? null
      : `Jwt payload [${name}] field is not a string`;
  return (
    textFault('iss') ??
    textFault('sub') ??
    timeFault(claims, 'iat') ??
    timeFault(claims, 'nbf') ??
    timeFault(claims, 'exp') ??
    textFault('jti') ??
    (audiencesOf(claims['aud']) === null ? JWT_STATUS.audienceType : null)
  );
}

function timeFault(claims: Claims, name: string): string | null {
  const value = claims[name];
  if (value === undefined) return null;
  if (typeof value !== 'number') return `Jwt payload [${name}] field is not an integer`;
  return value < 0 || value >= 2 ** 64 ? `Jwt payload [${name}] field is not a positive 64 bit integer` : null;
}

function audiencesOf(value: unknown): readonly string[] | null {
  if (value === undefined) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const texts = list.filter((item) => typeof item === 'string');
  return texts.length === list.length ? texts : null;
}

/** The claims that Envoy itself looks at. What is of a wrong type counts as absent. */
export function registeredClaims(
  claims: Claims,
): Pick<JwtToken, 'claims' | 'issuer' | 'audiences' | 'notBefore' | 'expires'> {
  const { iss, nbf, exp, aud } = claims;
  return {
    claims,
    issuer: typeof iss === 'string' ? iss : '',
    audiences: audiencesOf(aud) ?? [],
    notBefore: typeof nbf === 'number' ? Math.trunc(nbf) : 0,
    expires: typeof exp === 'number' ? Math.trunc(exp) : 0,
  };
}
