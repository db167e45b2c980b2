import type { KeyOf } from './key.ts';

/**
 * Whose log names the cause: the ztunnel of the node of either end, the sidecar of the pod that was called, or the waypoint or
 * gateway that is the next hop. Null: the log of the other line itself, or none that can be told from it.
 */
export type CausePrinter = 'source-ztunnel' | 'destination-ztunnel' | 'sidecar' | 'relay' | null;

/** Two kinds of lines that tell of one failure. */
export interface LinePair {
  /** What the pair is, for readers. */
  readonly about: string;
  readonly causePrintedBy: CausePrinter;
  /** The line that names the cause. */
  readonly cause: KeyOf;
  /** The line of who only saw it fail, or told more of it. */
  readonly seen: KeyOf;
  /**
   * What names the event in both lines (`marksOf`), where there is such a thing: lines that share it are one, lines of which
   * all are known and none is shared are not. Null: the lines have no such thing in common.
   */
  readonly mark: 'request' | 'socket' | null;
  /** True: only lines that share the mark are one. */
  readonly needsMark: boolean;
  /**
   * True: the key names one caller, one pod and one port, or the other line tells nothing that the cause does not. Then, where
   * several lines fit, which of them belong together makes no difference to what is told, and they are counted together.
   */
  readonly isOneSubject: boolean;
  /** True: wrong clocks are what makes it fail, so that times are no argument. */
  readonly isClockFault: boolean;
}

/** Of most pairs. */
export const DEFAULTS = { mark: null, needsMark: false, isOneSubject: false, isClockFault: false } as const;

/** What the destination answers with 401: the last is a fault of its own (istio/ztunnel 62d82653 src/proxy/inbound.rs). */
export const REJECTED: RegExp = /^connection (?:closed due to policy rejection|tracking failed)/;
/** What a ztunnel says of an application, or a next hop, that it cannot reach. */
export const UNREACHED: RegExp = /^connection failed: |\(os error \d+\)$/;
/** Both. */
export const REFUSED_OR_UNREACHED: RegExp = new RegExp(`${REJECTED.source}|${UNREACHED.source}`);
/** How an open connection ends for who did not end it. */
export const OPEN_ENDED: RegExp = /^(?:while closing connection|send|receive): /;
