const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['ms', 1],
  ['µs', 1e-3],
  ['us', 1e-3],
  ['ns', 1e-6],
  ['s', 1000],
];

/** A duration as Rust prints one (`13ms`, `146.917µs`, `1.5s`) in milliseconds; null for anything else. */
export function parseDurationMs(text: string | null): number | null {
  if (text === null) return null;
  for (const [unit, ms] of UNITS) {
    if (!text.endsWith(unit)) continue;
    const first = text.charCodeAt(0);
    const amount = first >= 48 && first <= 57 ? Number(text.slice(0, -unit.length)) : Number.NaN;
    return Number.isFinite(amount) ? amount * ms : null;
  }
  return null;
}
