import type { ObjectChange, Remedy } from '../model/remedy.ts';

/**
 * The best remedy first: what is verified; then what keeps plain text out; then what opens least beside what was asked for;
 * then the smaller change; then what is taken back more easily. Equal ones stay in the order of the rule.
 */
export function ranked(remedies: readonly Remedy[]): readonly Remedy[] {
  return remedies.toSorted(
    (a, b) =>
      proofOf(a) - proofOf(b) ||
      exposureOf(a) - exposureOf(b) ||
      widthOf(a) - widthOf(b) ||
      sizeOf(a) - sizeOf(b) ||
      costOf(a) - costOf(b),
  );
}

/** Steps that are no change stand behind those that are proved, and beside those that are not, where the rule put them. */
function proofOf({ verification }: Remedy): number {
  return verification.status === 'verified' ? 0 : 1;
}

/** A port with plain text is open to all who reach it; a caller with an identity, to whatever admits just that one. */
function exposureOf({ verification, changes }: Remedy): number {
  const isExposed = changes.some(({ object }) => object.kind === 'PeerAuthentication');
  return verification.status === 'verified' && isExposed ? 1 : 0;
}

function widthOf({ verification }: Remedy): number {
  return verification.status === 'verified' ? verification.newlyAllows.length : 0;
}

/** Fields that change; a new object counts as several. */
function sizeOf({ verification, changes }: Remedy): number {
  return verification.status === 'verified' ? changes.reduce((sum, change) => sum + sizeOfChange(change), 0) : 0;
}

const NEW_OBJECT = 5;

function sizeOfChange({ op, jsonPatch }: ObjectChange): number {
  if (op !== 'patch' || jsonPatch === null) return NEW_OBJECT;
  return jsonPatch.filter((operation) => operation.op !== 'test').length;
}

/** What is deleted is gone, and what makes pods anew is felt by users. */
function costOf({ verification, changes, kind }: Remedy): number {
  if (verification.status !== 'verified') return 0;
  return (changes.some(({ op }) => op === 'delete') ? 2 : 0) + (kind === 'enrol' ? 1 : 0);
}
