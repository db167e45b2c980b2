import type { At, Envelope, Origin, Unwrapped, Wrapping } from '../model/line.ts';
import { UNKNOWN_ORIGIN } from '../model/line.ts';
import type { Parsed, Parser } from '../model/record.ts';

/** Wrappings peeled off one line at most. */
const MAX_LAYERS = 4;
/** Ways of reading that are remembered, most recent first: mixed streams have a few. */
const MAX_RECIPES = 4;

/** Id of the parser that is made from `--access-log-format`. */
export const OWN_FORMAT = 'envoy-own-format';

/** A line as it is held while it is read. */
export interface RawLine {
  readonly at: At;
  readonly text: string;
}

/** A line that a parser took. */
export interface Taken {
  readonly kind: 'taken';
  readonly envelope: Peeled;
  readonly parsed: Exclude<Parsed, null>;
  readonly parser: Parser;
}

/** An envelope, and which stream of its container the line is of. */
export interface Peeled extends Envelope, Pick<Unwrapped, 'stream'> {}

/** A piece of a line that the collector cut; more pieces follow. */
export interface Piece {
  readonly kind: 'piece';
  readonly envelope: Peeled;
}

/** How a line was read: these wrappings off, then this parser. */
interface Recipe {
  readonly wrappings: readonly Wrapping[];
  readonly parser: Parser;
}

/**
 * Finds out which wrappings a line has and which parser reads the inside. Per line, because streams are mixed; the ways
 * that worked last are tried first. A wrapping is peeled only if a parser takes what is inside.
 */
export class Detector {
  readonly #parsers: readonly Parser[];
  readonly #wrappings: readonly Wrapping[];
  /** Gives back what was held of a cut line when its last piece has come. */
  readonly #join: (envelope: Peeled) => Peeled;
  /** The operator's own format: its lines are never left to a parser that was right before. */
  readonly #preferred: Parser | null;
  readonly #recipes: Recipe[] = [];

  constructor(parsers: readonly Parser[], wrappings: readonly Wrapping[], join: (envelope: Peeled) => Peeled) {
    this.#parsers = parsers;
    this.#wrappings = wrappings;
    this.#join = join;
    this.#preferred = parsers.find((parser) => parser.id === OWN_FORMAT) ?? null;
  }

  /** Reads one line; null: no parser knows it in any wrapping. */
  read(line: RawLine): Taken | Piece | null {
    return this.#readAsBefore(line) ?? this.#search(bare(line), [], 0);
  }

  /** The same with the parsers that come after `parser` only. */
  readAfter(line: RawLine, parser: Parser): Taken | Piece | null {
    return this.#search(bare(line), [], this.#parsers.indexOf(parser) + 1);
  }

  /** Whoever may have written a line that no parser knows, by the wrappings that fit it. */
  sourcesOf(line: RawLine): readonly Source[] {
    return this.#wrappings.flatMap((wrapping) => wrapping.unwrap(line.text) ?? []);
  }

  /** Says that the last line had no wrappings and was this parser's, though it was not read here. */
  noteBare(parser: Parser): void {
    const last = this.#recipes[0];
    if (last?.parser !== parser || last.wrappings.length > 0) this.#remember({ wrappings: [], parser });
  }

  /** The line without the wrappings of the line read last; null if it does not have them. */
  peelAsBefore(line: RawLine): Peeled | null {
    const recipe = this.#recipes[0];
    return recipe === undefined ? bare(line) : this.#peel(line, recipe.wrappings);
  }

  #readAsBefore(line: RawLine): Taken | null {
    for (let index = 0; index < this.#recipes.length; index++) {
      const recipe = this.#recipes[index] as Recipe;
      const envelope = recipe.wrappings.length === 0 ? bare(line) : this.#peel(line, recipe.wrappings);
      if (envelope === null) continue;
      const preferred = recipe.parser === this.#preferred ? null : (this.#preferred?.parse(envelope) ?? null);
      if (preferred !== null) return { kind: 'taken', envelope, parsed: preferred, parser: this.#preferred as Parser };
      const parsed = recipe.parser.parse(envelope);
      if (parsed === null) continue;
      if (index > 0) this.#remember(recipe);
      return { kind: 'taken', envelope, parsed, parser: recipe.parser };
    }
    return null;
  }

  /** Tries every parser, then every wrapping with every parser inside, depth first. */
  #search(envelope: Peeled, layers: readonly Wrapping[], first: number): Taken | Piece | null {
    for (const parser of first === 0 ? this.#parsers : this.#parsers.slice(first)) {
      const parsed = parser.parse(envelope);
      if (parsed === null) continue;
      this.#remember({ wrappings: layers, parser });
      return { kind: 'taken', envelope, parsed, parser };
    }
    if (layers.length >= MAX_LAYERS) return null;
    for (const wrapping of this.#wrappings) {
      const unwrapped = wrapping.unwrap(envelope.payload);
      if (unwrapped === null) continue;
      const inner = inside(envelope, wrapping, unwrapped);
      if (unwrapped.more) return { kind: 'piece', envelope: inner };
      const found = this.#search(this.#join(inner), [...layers, wrapping], first);
      if (found !== null) return found;
    }
    return null;
  }

  #peel(line: RawLine, wrappings: readonly Wrapping[]): Peeled | null {
    let envelope = bare(line);
    for (const wrapping of wrappings) {
      const unwrapped = wrapping.unwrap(envelope.payload);
      if (unwrapped === null || unwrapped.more) return null;
      envelope = inside(envelope, wrapping, unwrapped);
    }
    return this.#join(envelope);
  }

  #remember(recipe: Recipe): void {
    const known = this.#recipes.findIndex((other) => sameRecipe(other, recipe));
    if (known >= 0) this.#recipes.splice(known, 1);
    this.#recipes.unshift(recipe);
    if (this.#recipes.length > MAX_RECIPES) this.#recipes.length = MAX_RECIPES;
  }
}

const NO_WRAPPINGS: readonly string[] = [];

function bare(line: RawLine): Peeled {
  return { at: line.at, wrappings: NO_WRAPPINGS, time: null, origin: UNKNOWN_ORIGIN, payload: line.text, stream: null };
}

function inside(outer: Peeled, wrapping: Wrapping, unwrapped: Unwrapped): Peeled {
  return {
    at: outer.at,
    wrappings: [...outer.wrappings, wrapping.id],
    time: outer.time ?? unwrapped.time,
    origin: outer.origin === UNKNOWN_ORIGIN ? unwrapped.origin : refine(outer.origin, unwrapped.origin),
    payload: unwrapped.payload,
    stream: outer.stream ?? unwrapped.stream,
  };
}

function refine(outer: Origin, inner: Origin): Origin {
  return {
    cluster: outer.cluster ?? inner.cluster,
    namespace: outer.namespace ?? inner.namespace,
    pod: outer.pod ?? inner.pod,
    container: outer.container ?? inner.container,
    node: outer.node ?? inner.node,
  };
}

/** Names the stream of lines that an origin stands for; '' where nothing is known. */
export function originKey(origin: Origin): string {
  return origin === UNKNOWN_ORIGIN
    ? ''
    : `${origin.cluster}/${origin.node}/${origin.namespace}/${origin.pod}/${origin.container}`;
}

/** Where a line came from, as finely as pieces of cut lines have to be told apart. */
export type Source = Pick<Peeled, 'origin' | 'stream'>;

/** Names what pieces of one line have in common: the origin and, where it is told, the stream of the container. */
export function pieceKey({ origin, stream }: Source): string {
  return stream === null ? originKey(origin) : `${originKey(origin)}/${stream}`;
}

function sameRecipe(a: Recipe, b: Recipe): boolean {
  return (
    a.parser === b.parser &&
    a.wrappings.length === b.wrappings.length &&
    a.wrappings.every((wrapping, index) => wrapping === b.wrappings[index])
  );
}
