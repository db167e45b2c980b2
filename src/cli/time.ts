import { Failure } from '../model/failure.ts';
import type { Instant } from '../model/line.ts';
import { parseInstant } from '../text/time.ts';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^(?:\d+[smhd])+$/;

/** The moment of now. The only clock of the program. */
export function now(): Instant {
  return toInstant(Date.now());
}

/** Reads `--since` and `--until`: an RFC 3339 time, or how long ago (`90s`, `5m`, `1h30m`, `2d`). Throws on anything else. */
export function readMoment(option: string, text: string): Instant {
  const instant = parseInstant(text);
  if (instant !== null) return instant;
  if (!DURATION.test(text)) {
    throw new Failure(
      'usage',
      `${option} is neither a time nor a duration: ${text}`,
      'write 2026-01-02T03:04:05Z, or 1h30m',
    );
  }
  const agoMs = [...text.matchAll(/(\d+)([smhd])/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * (UNIT_MS[unit ?? ''] ?? 0),
    0,
  );
  if (agoMs > Date.now()) throw new Failure('usage', `${option} is longer ago than there is time: ${text}`);
  return toInstant(Date.now() - agoMs);
}

function toInstant(ms: number): Instant {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}
