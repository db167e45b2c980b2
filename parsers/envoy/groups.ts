import { hasChoice } from './match.ts';
import type { Operator } from './operators.ts';
import { isAbsent, isValue, mayHold, SHAPES, type ShapeRule } from './shapes.ts';
import type { Slot } from './template.ts';

/** An operator in its format, and the literal text behind it. */
export interface Piece {
  readonly operator: Operator;
  /** Pattern of a time in its own notation; null: none. */
  readonly notation: RegExp | null;
  readonly after: string;
}

/** Operators that are read as one value: one, or several without any text between them that nothing tells apart. */
export type Group = readonly [Piece, ...Piece[]];

/** How far neighbours can be told apart: whatever they hold, where their values look as usual, or not even then. */
export type Separation = 'always' | 'usually' | 'never';

/** Groups of operators in their order. */
export function groupPieces(pieces: readonly Piece[]): readonly Group[] {
  const groups: [Piece, ...Piece[]][] = [];
  for (const piece of pieces) {
    const last = groups.at(-1);
    const before = last?.at(-1);
    const joins = before?.after === '' && separation([slotOf([before]), slotOf([piece])]) === 'never';
    if (last !== undefined && joins) last.push(piece);
    else groups.push([piece]);
  }
  return groups;
}

/** What is looked for in a line for each group. */
export function slotsOf(groups: readonly Group[]): readonly Slot[] {
  const slots = groups.map(slotOf);
  return slots.map((slot, index) => {
    const next = slots[index + 1];
    return { ...slot, isDistinct: slot.after !== '' || next === undefined || separation([slot, next]) === 'always' };
  });
}

function slotOf(group: Group): Slot {
  const [{ operator, notation }] = group;
  const after = group.at(-1)?.after ?? '';
  const rules = group.map((piece) => (piece.notation === null ? SHAPES[piece.operator.shape] : NOTED_TIME));
  const [rule] = rules;
  if (rule !== undefined && rules.length === 1)
    return { rule, notation, maxLength: operator.maxBytes, after, isDistinct: true };
  return { rule: joinedRule(rules), notation: null, maxLength: null, after, isDistinct: true };
}

/** A time in a notation of its own, which may hold anything. */
const NOTED_TIME: ShapeRule = {
  ...SHAPES.time,
  mayHoldBlanks: true,
  mayHoldQuotes: true,
  loose: null,
  exact: null,
  samples: [],
};

/** A rule that fits what several values look like together. */
function joinedRule(rules: readonly ShapeRule[]): ShapeRule {
  const freest = Math.max(...rules.map(({ freedom }) => freedom));
  const samples = rules.flatMap((rule) => rule.samples);
  if (freest > 0) return { ...(freest > 1 ? SHAPES.free : SHAPES.header), samples };
  return { ...(rules.some(({ mayHoldBlanks }) => mayHoldBlanks) ? SHAPES.phrase : SHAPES.word), samples };
}

/**
 * Where each value ends if only these, in a row, are looked at. Tried with usual values: each combination of them,
 * printed, must have one division only.
 */
export function separation(slots: readonly Slot[]): Separation {
  const printed = combinations(slots);
  const isUnique = (strict: boolean): boolean => printed.every((text) => divisions(text, slots, strict) === 1);
  // What a time in its own notation looks like is not known here: the notation has to find it.
  const isNoted = slots.some(
    ({ notation, after }, index) => notation !== null && (after === '' || slots[index - 1]?.after === ''),
  );
  if (!isNoted && isUnique(false)) return 'always';
  return isUnique(true) ? 'usually' : 'never';
}

/** The rows of neighbours that can only be told apart together: pairs, and threes whose pairs are clear. */
export function neighbours(slots: readonly Slot[]): readonly (readonly Slot[])[] {
  return slots.flatMap((slot, index) => {
    const [next, third] = [slots[index + 1], slots[index + 2]];
    if (next === undefined || !hasChoice(slot)) return [];
    const isPairLost = third === undefined || separation([slot, next]) === 'never';
    return isPairLost
      ? [[slot, next]]
      : [
          [slot, next],
          [slot, next, third],
        ];
  });
}

/** Texts that the slots print, the last one without what follows. */
function combinations(slots: readonly Slot[]): readonly string[] {
  return slots.reduce<readonly string[]>(
    (heads, slot, index) => {
      const after = index === slots.length - 1 ? '' : slot.after;
      return heads.flatMap((head) => samplesOf(slot).map((sample) => head + sample + after));
    },
    [''],
  );
}

function samplesOf({ rule, maxLength }: Slot): readonly string[] {
  const samples = maxLength === null ? rule.samples : rule.samples.map((sample) => sample.slice(0, maxLength));
  return ['-', ...samples];
}

/** In how many ways a text can be divided. */
function divisions(text: string, [slot, ...others]: readonly Slot[], strict: boolean): number {
  if (slot === undefined) return 0;
  if (others.length === 0) return fits(slot, text, strict) ? 1 : 0;
  const { after } = slot;
  let count = 0;
  for (let end = text.indexOf(after); end >= 0 && end <= text.length; end = text.indexOf(after, end + 1)) {
    const rest = text.slice(end + after.length);
    if ((after !== '' || (end > 0 && rest !== '')) && fits(slot, text.slice(0, end), strict))
      count += divisions(rest, others, strict);
    if (end === text.length) break;
  }
  return count;
}

function fits({ rule, notation, maxLength }: Slot, text: string, strict: boolean): boolean {
  if (maxLength !== null && text.length > maxLength) return false;
  if (notation !== null) return isAbsent(text) || notation.test(text);
  for (let place = 0; place < text.length; place++) if (!mayHold(rule, text.charCodeAt(place))) return false;
  return isValue(rule, text, strict);
}
