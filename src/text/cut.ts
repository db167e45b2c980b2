import type { Skimmed } from '../model/record.ts';

/** Begins the first piece of a line at `at`. */
export function openPieces(into: Skimmed, at: number): void {
  into.pieces = 0;
  into.spans[0] = at;
}

/** Leaves out what stands from `from` to `to`, if anything does: ends the open piece and begins the next one. */
export function leaveOut(into: Skimmed, from: number, to: number): void {
  if (from === to) return;
  into.spans[2 * into.pieces + 1] = from;
  into.pieces++;
  into.spans[2 * into.pieces] = to;
}

/** Ends the last piece before `at`. */
export function closePieces(into: Skimmed, at: number): void {
  into.spans[2 * into.pieces + 1] = at;
  into.pieces++;
}

/** Puts a part that was left out behind the closed pieces after all. */
export function addPiece(into: Skimmed, from: number, to: number): void {
  into.spans[2 * into.pieces] = from;
  closePieces(into, to);
}
