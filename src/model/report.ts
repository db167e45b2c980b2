import type { Finding } from './finding.ts';
import type { Instant } from './line.ts';
import type { Remedy } from './remedy.ts';
import type { InputTally, Overflow } from './traffic.ts';

/** Something went wrong that is no failure of the mesh: a file with bad YAML, a rule that threw, a bound that was hit. */
export interface Problem {
  /** Who has it: `mesh`, `input`, `rule ztunnel-…`. */
  readonly about: string;
  /** One sentence, with file and line where there are any. Untrusted text may stand in it. */
  readonly message: string;
}

/** A finding as it stands in the report: without the flows, with its remedies. */
export interface ReportedFinding extends Omit<Finding, 'flows'> {
  readonly remedies: readonly Remedy[];
}

/** What was known of the mesh. */
export interface ReportedMesh {
  readonly known: boolean;
  readonly sources: readonly string[];
  readonly takenAt: Instant | null;
  /** Number of objects per kind. */
  readonly counts: Readonly<Record<string, number>>;
}

/** The product. Everything printed is a function of it. Its JSON form is a promise: add freely, rename never. */
export interface Report {
  readonly schemaVersion: 1;
  readonly tool: { readonly name: string; readonly version: string };
  /** Given by the caller, never read from a clock here. */
  readonly generatedAt: Instant;
  /** True when reading was interrupted: the numbers are of what was read until then. */
  readonly partial: boolean;
  readonly inputs: readonly InputTally[];
  /** Records seen, and how many of them were failures (a finding above `note`). */
  readonly totals: { readonly records: number; readonly failures: number; readonly flows: number };
  readonly overflow: Overflow;
  readonly mesh: ReportedMesh;
  /** Worst first, then most frequent, then by fingerprint. */
  readonly findings: readonly ReportedFinding[];
  readonly problems: readonly Problem[];
}
