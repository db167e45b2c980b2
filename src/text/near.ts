import { distance } from 'fastest-levenshtein';

/** Names told of, at most. */
const MAX_NEAR = 3;
/** More letters than this are not compared one by one. */
const MAX_LETTERS = 80;

/**
 * The names that somebody may have meant who typed `typed`: at most two letters wrong, missing or too many, or one
 * contains the other. Nearest first, at most three; of equal ones in their order.
 */
export function nearNames(typed: string, names: Iterable<string>): readonly string[] {
  const found: { name: string; away: number }[] = [];
  for (const name of names) {
    const away = distanceOf(typed.toLowerCase(), name.toLowerCase());
    if (away <= 2) found.push({ name, away });
  }
  return found
    .sort((one, other) => one.away - other.away)
    .slice(0, MAX_NEAR)
    .map(({ name }) => name);
}

/** Edits from one to the other; containing it counts as two. */
function distanceOf(typed: string, name: string): number {
  const contained = typed.length > 2 && (name.includes(typed) || typed.includes(name)) ? 2 : Number.POSITIVE_INFINITY;
  if (Math.abs(typed.length - name.length) > 2 || typed.length > MAX_LETTERS) return contained;
  return Math.min(contained, distance(typed, name));
}
