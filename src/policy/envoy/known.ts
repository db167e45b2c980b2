/** Stands for a value that nobody told: not the same as an absent one, which is null. */
export const UNKNOWN: unique symbol = Symbol('unknown');

/** A value, or the admission that it is not known. */
export type Known<T> = T | typeof UNKNOWN;

/** Three-valued truth. Null: it depends on something unknown. */
export type Tri = boolean | null;

/** The opposite; the opposite of unknown is unknown. */
export function not(truth: Tri): Tri {
  return truth === null ? null : !truth;
}

/** True if one is true whatever the unknown ones are; null if only unknown ones could make it so. An empty list is false. */
export function some<T>(items: readonly T[], test: (item: T) => Tri): Tri {
  let result: Tri = false;
  for (const item of items) {
    const truth = test(item);
    if (truth === true) return true;
    if (truth === null) result = null;
  }
  return result;
}

/** False if one is false whatever the unknown ones are; null if only unknown ones could make it so. An empty list is true. */
export function every<T>(items: readonly T[], test: (item: T) => Tri): Tri {
  let result: Tri = true;
  for (const item of items) {
    const truth = test(item);
    if (truth === false) return false;
    if (truth === null) result = null;
  }
  return result;
}
