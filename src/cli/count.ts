import { Failure } from '../model/failure.ts';

/** Reads the number after `--top`. Throws `Failure` for anything but a whole number from 1. */
export function readCount(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new Failure('usage', `--top takes a whole number from 1, not ${text}`);
  return number;
}
