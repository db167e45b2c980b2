import { isIP } from 'node:net';
import { plainAddress } from './address.ts';

const SCHEME = /^spiffe:\/\//;
const PRINCIPAL = /^[A-Za-z0-9._-]+\/ns\/[a-z0-9-]+\/sa\/[a-z0-9.-]+$/;
const ACCOUNT = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/;

/**
 * A caller as an operator names one: a SPIFFE identity, the same without scheme (`TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT`),
 * `NAMESPACE/ACCOUNT`, or an IP address. Answers it without scheme; null: it is none of these, or would name several (a star).
 */
export function parseCaller(text: string): string | null {
  const plain = text.trim();
  const principal = plain.replace(SCHEME, '');
  if (PRINCIPAL.test(principal)) return principal;
  if (ACCOUNT.test(plain)) return plain;
  return isIP(plain) === 0 ? null : plainAddress(plain);
}
