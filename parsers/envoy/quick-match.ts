import { isAbsent, isValue } from './shapes.ts';
import type { Slot, Template } from './template.ts';

/** Longer lines are left to the search: below it no value of usual shape is too long. */
const MAX_LENGTH = 8192;
/** Characters that mean something in a pattern. */
const SPECIAL = /[\\^$.*+?()[\]{}|/-]/g;

/**
 * Finds the values of a line in which nobody wrote a quote, in one pass: then every quote in it is one of the template's, so
 * that there is only one way to read the line. Null: it is no such line, and has to be searched. The answer to a template in
 * which more than quotes would have to be told apart is null.
 */
export function compileQuickMatcher({ before, slots }: Template): ((line: string) => readonly string[] | null) | null {
  if (!isUnambiguous(slots)) return null;
  const values = slots.map(({ rule, after }) => `(${rule.mayHoldBlanks ? '[^"]*' : '[^ "]*'})${literal(after)}`);
  const pattern = new RegExp(`^${literal(before)}${values.join('')}$`);
  const checked = slots.flatMap((slot, index) => (isFree(slot) ? [] : [{ slot, index }]));
  return (line) => {
    if (line.length > MAX_LENGTH) return null;
    const found = pattern.exec(line);
    if (found === null) return null;
    for (const { slot, index } of checked) if (!isOf(slot, found[index + 1] ?? '')) return null;
    return found.slice(1);
  };
}

function literal(text: string): string {
  return text.replace(SPECIAL, '\\$&');
}

/**
 * Whether a line without foreign quotes can be read in one way only. A word ends at the first blank or quote. A value that may
 * hold blanks ends at a quote, or is the only one such before the next quote, with words behind it; and those at the end of the
 * line may be lost, so there it must come last.
 */
function isUnambiguous(slots: readonly Slot[]): boolean {
  let isOpen = false;
  return slots.every(({ rule, after }, index) => {
    const isLast = index === slots.length - 1;
    if (isLast) return !isOpen;
    if (rule.mayHoldBlanks && isOpen) return false;
    const hasQuote = after.includes('"');
    if (isOpen && !/^[ "]/.test(after)) return false;
    isOpen = !hasQuote && (isOpen || rule.mayHoldBlanks);
    return hasQuote || (rule.mayHoldBlanks ? /^ +$/.test(after) : after.includes(' '));
  });
}

/** Whether every text in the line is a value of the slot. */
function isFree({ rule, notation, maxLength }: Slot): boolean {
  return notation === null && maxLength === null && rule.loose === null && rule.maxLength >= MAX_LENGTH;
}

function isOf({ rule, notation, maxLength }: Slot, text: string): boolean {
  if (text.length > rule.maxLength || (maxLength !== null && text.length > maxLength)) return false;
  return notation === null ? isValue(rule, text, false) : isAbsent(text) || notation.test(text);
}
