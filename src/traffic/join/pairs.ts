import type { LogRecord } from '../../model/record.ts';
import { ENVOY_PAIRS } from './envoy-pairs.ts';
import type { CausePrinter, LinePair } from './pair.ts';
import { TOLD_PAIRS } from './told-pairs.ts';
import { TUNNEL_PAIRS } from './tunnel-pairs.ts';

/** All pairs. Order matters: a line that one pair explains is not looked at by the next. */
export const LINE_PAIRS: readonly LinePair[] = [...TUNNEL_PAIRS, ...ENVOY_PAIRS, ...TOLD_PAIRS];

/** Who prints the line that names the cause of this one, if it is one that only sees a failure; null: see `CausePrinter`. */
export function causePrinterOf(record: LogRecord): CausePrinter {
  return LINE_PAIRS.find(({ seen }) => seen(record) !== null)?.causePrintedBy ?? null;
}
