import type { Origin, Wrapping } from '../model/line.ts';
import type { LogRecord, Parser } from '../model/record.ts';
import type { Flow, InputTally } from '../model/traffic.ts';
import type { Infer } from './learn.ts';

/** What a recognizer works with. */
export interface RecognizerParts {
  readonly parsers: readonly Parser[];
  readonly wrappings: readonly Wrapping[];
  /** Counted up for every line. */
  readonly tally: InputTally;
  /** Who wrote the lines that do not say so, by the name of the input. Absent: not known. */
  readonly home?: Origin;
  /** Takes a record; answers its flow, or null if the record is not wanted. */
  fold(record: LogRecord): Flow | null;
  /** Learns formats that no parser knows. Absent: they stay unknown. */
  readonly infer?: Infer;
  /** Is told the formats that were learnt. */
  readonly learnt?: (format: string) => void;
}
