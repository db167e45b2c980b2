import { createHash } from 'node:crypto';

/** A short stable name for a list of texts: 16 hexadecimal digits of their SHA-256, equal on every machine and run. */
export function fingerprint(parts: readonly (string | null)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
