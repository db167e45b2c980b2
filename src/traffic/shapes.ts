import type { UnrecognisedShape } from '../model/traffic.ts';
import { lineShape } from '../text/line-shape.ts';
import { redactSecrets } from '../text/redact.ts';

/** Shapes kept per input. */
const MAX_SHAPES = 50;
/** Characters of a sample. */
const MAX_SAMPLE = 200;

/**
 * Counts what unrecognised lines look like, in a list of at most `MAX_SHAPES`. A new shape that finds it full takes one off
 * every count, and shapes without any are dropped (Misra and Gries): each of n lines is missing from a count at most
 * n / MAX_SHAPES times, so no frequent shape is ever lost. Constant time a line, on average.
 */
export class ShapeCounter {
  readonly #shapes: UnrecognisedShape[];
  readonly #byShape = new Map<string, UnrecognisedShape>();

  /** `shapes` is the list to keep, perhaps with shapes of lines that came earlier; nothing else may change it. */
  constructor(shapes: UnrecognisedShape[]) {
    this.#shapes = shapes;
    for (const one of shapes) this.#byShape.set(one.shape, one);
  }

  /** Counts some lines of this text. */
  add(text: string, count: number): void {
    const shape = lineShape(text);
    const known = this.#byShape.get(shape);
    if (known !== undefined) known.count += count;
    else if (this.#shapes.length < MAX_SHAPES) this.#keep(shape, text, count);
    else this.#makeRoom();
  }

  #keep(shape: string, text: string, count: number): void {
    const fresh = { shape: redactSecrets(shape), count, sample: redactSecrets(text.slice(0, MAX_SAMPLE)) };
    this.#shapes.push(fresh);
    this.#byShape.set(shape, fresh);
  }

  #makeRoom(): void {
    for (const [shape, kept] of this.#byShape) if (--kept.count <= 0) this.#byShape.delete(shape);
    this.#shapes.splice(0, this.#shapes.length, ...this.#byShape.values());
  }
}

/** The shapes of two lists, most frequent first. The arguments are left as they are. */
export function mergeShapes(a: readonly UnrecognisedShape[], b: readonly UnrecognisedShape[]): UnrecognisedShape[] {
  const merged = new Map<string, UnrecognisedShape>();
  for (const one of [...a, ...b]) {
    const known = merged.get(one.shape);
    const sample = known === undefined || one.sample < known.sample ? one.sample : known.sample;
    merged.set(one.shape, { shape: one.shape, count: (known?.count ?? 0) + one.count, sample });
  }
  const sorted = [...merged.values()].sort((x, y) => y.count - x.count || (x.shape < y.shape ? -1 : 1));
  return sorted.slice(0, MAX_SHAPES);
}
