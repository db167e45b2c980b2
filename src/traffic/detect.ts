import { type Origin, UNKNOWN_ORIGIN, type Wrapping } from '../model/line.ts';
import type { Parsed, Parser } from '../model/record.ts';
import { inside, isSame, located, type Peeled, type Source, takeOff } from './peeled.ts';
import type { Pieces } from './pieces.ts';

/** Wrappings peeled off one line at most. */
const MAX_LAYERS = 4;
/** Ways of reading that are remembered, most recent first: mixed streams have a few. */
const MAX_RECIPES = 4;

/** Id of the parser that is made from `--access-log-format`. */
export const OWN_FORMAT = 'envoy-own-format';

/** A line that a parser took. */
export interface Taken {
  readonly kind: 'taken';
  readonly envelope: Peeled;
  readonly parsed: Exclude<Parsed, null>;
  readonly parser: Parser;
}

/** A piece of a line that the collector cut; more pieces follow. */
export interface Piece {
  readonly kind: 'piece';
  readonly envelope: Peeled;
}

/** How a line was read: these wrappings off, then this parser. The same object as long as it is remembered. */
export interface Recipe {
  readonly wrappings: readonly Wrapping[];
  /** Of the wrappings. */
  readonly ids: readonly string[];
  readonly parser: Parser;
}

/** What a search came to. Weak: broken, or a part of a line only, so that anything better goes before. */
interface Found {
  readonly result: Taken | Piece;
  /** Null for a piece. */
  readonly recipe: Recipe | null;
  readonly isWeak: boolean;
}

/**
 * Finds out which wrappings a line has and which parser reads the inside. Per line, because streams are mixed; the ways
 * that worked last are tried first. A wrapping is peeled only if a parser takes what is inside.
 */
export class Detector {
  readonly #parsers: Parser[];
  readonly #wrappings: readonly Wrapping[];
  readonly #home: Origin;
  /** What waits of cut lines, for when their last piece comes. */
  readonly #pieces: Pick<Pieces, 'join'>;
  /** The operator's own format: its lines are never left to a parser that was right before. */
  readonly #preferred: Parser | null;
  readonly #recipes: Recipe[] = [];
  /** Who wrote the line before. */
  #origin: Origin = UNKNOWN_ORIGIN;
  /** What was found inside the line that is searched, in vain, and how deep: wrappings can be taken off in several orders. */
  readonly #seen = new Map<string, number>();

  /** `home`: who wrote the lines that do not say so. */
  constructor(parsers: readonly Parser[], wrappings: readonly Wrapping[], home: Origin, pieces: Pick<Pieces, 'join'>) {
    this.#parsers = [...parsers];
    this.#wrappings = wrappings;
    this.#home = home;
    this.#pieces = pieces;
    this.#preferred = parsers.find((parser) => parser.id === OWN_FORMAT) ?? null;
  }

  /** Reads one line; null: no parser knows it in any wrapping. */
  read(line: Peeled): Taken | Piece | null {
    return this.#readAsBefore(line) ?? this.#readAnew(line, 0);
  }

  /** The same with the parsers that come after `parser` only. */
  readAfter(line: Peeled, parser: Parser): Taken | Piece | null {
    return this.#readAnew(line, this.#parsers.indexOf(parser) + 1);
  }

  /** Asks one parser about a line. To it, and so in the record, the line is by whoever wrote the input if it does not say more. */
  parse(parser: Parser, line: Peeled): Parsed {
    const home = this.#home;
    return parser.parse(home === UNKNOWN_ORIGIN ? line : { ...line, origin: located(line.origin, home) });
  }

  /** Adds a parser, which is asked before those that take parts of lines only. */
  add(parser: Parser): void {
    const first = this.#parsers.findIndex(({ takesParts }) => takesParts === true);
    this.#parsers.splice(first < 0 ? this.#parsers.length : first, 0, parser);
  }

  /** A line as it is and with its wrappings off, in all ways it can have them. Cut lines are left out. */
  peelings(line: Peeled, layers: number = MAX_LAYERS): readonly Peeled[] {
    if (layers === 0) return [line];
    const inner = this.#wrappings.flatMap((wrapping) => {
      const unwrapped = wrapping.unwrap(line.payload);
      return unwrapped === null || unwrapped.more ? [] : this.peelings(inside(line, wrapping, unwrapped), layers - 1);
    });
    return [line, ...inner];
  }

  /** Whoever may have written a line that no parser knows, by the wrappings that fit it. */
  sourcesOf(line: Peeled): readonly Source[] {
    return this.#wrappings.flatMap((wrapping) => wrapping.unwrap(line.payload) ?? []);
  }

  /** How the last line was read, if that is the way in which the next one is tried first; null: another way, or by no parser. */
  get last(): Recipe | null {
    return this.#recipes[0] ?? null;
  }

  /** Says that the last line had no wrappings and was this parser's, though it was not read here. */
  noteBare(parser: Parser): void {
    const last = this.#recipes[0];
    if (last?.parser !== parser || last.wrappings.length > 0) this.#remember(recipeOf([], parser));
  }

  /** The line without the wrappings of the lines read last, in each way in which it has them; the way of the very last first. */
  peeledAsBefore(line: Peeled): readonly Peeled[] {
    if (this.#recipes.length === 0) return [line];
    return this.#recipes.flatMap((recipe) => this.#peel(line, recipe) ?? []);
  }

  #readAsBefore(line: Peeled): Taken | null {
    for (let index = 0; index < this.#recipes.length; index++) {
      const recipe = this.#recipes[index] as Recipe;
      const envelope = this.#peel(line, recipe);
      if (envelope === null) continue;
      const preferred = recipe.parser === this.#preferred ? null : this.#askPreferred(envelope);
      if (preferred !== null) return preferred;
      const parsed = this.parse(recipe.parser, envelope);
      if (parsed === null || isWeak(parsed, recipe.parser, envelope.payload)) continue;
      if (index > 0) this.#remember(recipe);
      return { kind: 'taken', envelope, parsed, parser: recipe.parser };
    }
    return null;
  }

  #readAnew(line: Peeled, first: number): Taken | Piece | null {
    if (this.#seen.size > 0) this.#seen.clear();
    const found = this.#search(line, [], first);
    if (found === null) return null;
    if (found.recipe !== null) this.#remember(found.recipe);
    return found.result;
  }

  #askPreferred(envelope: Peeled): Taken | null {
    const parser = this.#preferred;
    const parsed = parser === null ? null : this.parse(parser, envelope);
    return parser === null || parsed === null ? null : { kind: 'taken', envelope, parsed, parser };
  }

  /**
   * Tries every parser, then every wrapping with every parser inside, depth first. A line that is broken, or of which a parser
   * takes a part, may be whole within a wrapping.
   */
  #search(envelope: Peeled, layers: readonly Wrapping[], first: number): Found | null {
    const taken = this.#tryParsers(envelope, layers, first);
    if (taken !== null && !taken.isWeak) return taken;
    return (layers.length < MAX_LAYERS ? this.#searchInside(envelope, layers, first, taken) : null) ?? taken;
  }

  #tryParsers(envelope: Peeled, wrappings: readonly Wrapping[], first: number): Found | null {
    let weak: Found | null = null;
    for (const parser of first === 0 ? this.#parsers : this.#parsers.slice(first)) {
      const parsed = weak !== null && parser.takesParts !== true ? null : this.parse(parser, envelope);
      if (parsed === null) continue;
      const taken: Taken = { kind: 'taken', envelope, parsed, parser };
      const found: Found = {
        result: taken,
        recipe: recipeOf(wrappings, parser),
        isWeak: isWeak(parsed, parser, envelope.payload),
      };
      if (!found.isWeak || parsed.kind !== 'malformed') return found;
      weak ??= found;
    }
    return weak;
  }

  /** What is found within the wrappings of a line; of weak answers the first one, after `outer`. */
  #searchInside(envelope: Peeled, layers: readonly Wrapping[], first: number, outer: Found | null): Found | null {
    let weak = outer;
    for (const wrapping of this.#wrappings) {
      const unwrapped = wrapping.unwrap(envelope.payload);
      if (unwrapped === null) continue;
      const inner = inside(envelope, wrapping, unwrapped);
      if (unwrapped.more) return { result: { kind: 'piece', envelope: inner }, recipe: null, isWeak: false };
      const joined = this.#pieces.join(inner);
      if (this.#isSeen(joined.payload, layers.length)) continue;
      const found = this.#search(joined, [...layers, wrapping], first);
      if (found !== null && !found.isWeak) return found;
      weak ??= found;
    }
    return weak;
  }

  /** Whether this was searched with no more wrappings off; else it counts as searched now. */
  #isSeen(payload: string, layers: number): boolean {
    const least = this.#seen.get(payload);
    if (least !== undefined && least <= layers) return true;
    this.#seen.set(payload, layers);
    return false;
  }

  /** The line without the wrappings of a recipe; null: it does not have them. */
  #peel(line: Peeled, recipe: Recipe): Peeled | null {
    if (recipe.wrappings.length === 0) return line;
    const peeled = takeOff(line, recipe.wrappings, recipe.ids);
    if (peeled === null) return null;
    const isOfSame = isSame(peeled.origin, this.#origin);
    if (!isOfSame) this.#origin = peeled.origin;
    return this.#pieces.join(isOfSame ? { ...peeled, origin: this.#origin } : peeled);
  }

  #remember(recipe: Recipe): void {
    const known = this.#recipes.findIndex((other) => sameRecipe(other, recipe));
    const [kept = recipe] = known >= 0 ? this.#recipes.splice(known, 1) : [];
    this.#recipes.unshift(kept);
    if (this.#recipes.length > MAX_RECIPES) this.#recipes.length = MAX_RECIPES;
  }
}

/** Whether an answer is given up for a better one: the line is broken, more than the record, or the source of a web page. */
export function isWeak(parsed: Exclude<Parsed, null>, parser: Parser, payload: string): boolean {
  if (parsed.kind === 'malformed' || parser.takesParts === true) return true;
  if (CLOSERS.has(payload.charCodeAt(payload.length - 1)) && MARKUP.test(payload.slice(-MAX_MARKUP))) return true;
  // Free text is taken as it stands, whatever was made of its quotes.
  return (parsed.kind === 'diagnostic' || parsed.kind === 'unfinished') && isHtml(payload);
}

const CLOSERS: ReadonlySet<number> = new Set([62, 125]);
/** How a line of a web page or wiki may end, which a last column would take for its own. */
const MARKUP = /(?:<(?:br ?\/?|\/[a-z][a-z0-9]{0,20})>|\{(?:color|code|noformat|quote)\})$/i;
const MAX_MARKUP = 24;

/** Whether quotes stand in a text as the entities of HTML only. */
function isHtml(text: string): boolean {
  if (!text.includes('&')) return false;
  return (
    (/&(?:quot|#34|#x22);/.test(text) && !text.includes('"')) ||
    (/&(?:apos|#39|#x27);/.test(text) && !text.includes("'"))
  );
}

function recipeOf(wrappings: readonly Wrapping[], parser: Parser): Recipe {
  return { wrappings, ids: wrappings.map(({ id }) => id), parser };
}

function sameRecipe(a: Recipe, b: Recipe): boolean {
  return (
    a.parser === b.parser &&
    a.wrappings.length === b.wrappings.length &&
    a.wrappings.every((wrapping, index) => wrapping === b.wrappings[index])
  );
}
