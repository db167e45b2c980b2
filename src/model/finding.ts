import type { At, Instant } from './line.ts';
import type { MeshView, ObjectRef } from './mesh.ts';
import type { SpiffeId } from './record.ts';
import type { Draft } from './remedy.ts';
import type { Flow } from './traffic.ts';

/**
 * What kind of fault it is. The first four are *policy* categories; calling one of them another kind, or the reverse, is
 * the worst mistake this program can make.
 */
export const CATEGORIES = [
  'authorization',
  'mutual-tls',
  'authentication',
  'external-authorization',
  'network',
  'identity',
  'routing',
  'upstream',
  'client',
  'application',
  'platform',
  'traffic-control',
  'none',
] as const;
export type Category = (typeof CATEGORIES)[number];
/** The categories of what a policy refused. */
export const POLICY_CATEGORIES: ReadonlySet<Category> = new Set(CATEGORIES.slice(0, 4));

/** Worst first. `note`: worth knowing, nothing to repair. */
export const LEVELS = ['error', 'warning', 'note'] as const;
export type Level = (typeof LEVELS)[number];

/** Best first. `certain`: the proxy said so; `likely`: what it said has one usual cause; `possible`: one of several. */
export const CERTAINTIES = ['certain', 'likely', 'possible'] as const;
export type Certainty = (typeof CERTAINTIES)[number];

/** Is the denial itself what somebody wanted? */
export type Intended = 'yes' | 'likely' | 'unknown' | 'no';

/** The proxy that refused. */
export type EnforcedBy = 'ztunnel' | 'sidecar' | 'waypoint' | 'gateway' | null;

/** A rule that came close to allowing: the one field that failed, what it wanted, what was seen. */
export interface NearMiss {
  readonly policy: ObjectRef;
  /** Index in `spec.rules`. */
  readonly rule: number;
  /** Path below the rule: `from[0].source.principals`. */
  readonly field: string;
  readonly wanted: string;
  readonly seen: string;
}

/** Who called. Untrusted text; null: not known. */
export interface SourceEnd {
  readonly identity: SpiffeId | null;
  /** `identity` without scheme, as a policy writes it. */
  readonly principal: string | null;
  /** Workload (owner of the pods), without pod hashes. */
  readonly workload: string | null;
  readonly namespace: string | null;
  readonly addresses: readonly string[];
}

/** Who was called. */
export interface DestinationEnd {
  readonly identity: SpiffeId | null;
  readonly workload: string | null;
  readonly namespace: string | null;
  /** Host name of the Service. */
  readonly service: string | null;
  readonly address: string | null;
  /** Port of the pod where it is known (what policies see), else the one that was dialled. */
  readonly port: number | null;
}

/** One line of proof. `raw` is untrusted. */
export interface Evidence extends At {
  readonly raw: string;
}

/** What a rule says about one flow. */
export interface Match {
  readonly certainty: Certainty;
  /** Sentence or two: why it failed. Values of the log may stand in it: untrusted. */
  readonly cause: string;
  /** Overrides the rule's own level (a scanner's knock is a note). */
  readonly level?: Level;
  /** Overrides the rule's own category, where one text has several causes. */
  readonly category?: Category;
  readonly enforcedBy?: EnforcedBy;
  readonly policies?: readonly ObjectRef[];
  readonly nearMiss?: readonly NearMiss[];
  readonly intended?: Intended;
  /** Why the denial looks wanted, one sentence. */
  readonly intendedBecause?: string;
  /** What could not be checked, and what would allow it. */
  readonly unchecked?: readonly string[];
  /** What tells two findings of one rule apart beside source and destination (a status text, a policy, a host). */
  readonly subject?: readonly string[];
  /** True: the fault is one and the same whoever calls, so callers do not tell two findings apart. */
  readonly anyCaller?: boolean;
}

/** One distinct failure: all flows of one rule and one subject. */
export interface Finding {
  /** Hash of rule id and subject; equal across runs and machines. */
  readonly fingerprint: string;
  readonly ruleId: string;
  readonly category: Category;
  readonly level: Level;
  readonly certainty: Certainty;
  /** One line: what happened. */
  readonly title: string;
  readonly cause: string;
  readonly count: number;
  readonly firstSeen: Instant | null;
  readonly lastSeen: Instant | null;
  readonly source: SourceEnd;
  readonly destination: DestinationEnd;
  readonly enforcedBy: EnforcedBy;
  readonly policies: readonly ObjectRef[];
  readonly nearMiss: readonly NearMiss[];
  readonly intended: Intended;
  /** Why the denial looks wanted, one sentence; null unless `intended` is `yes` or `likely`. */
  readonly intendedBecause: string | null;
  readonly evidence: readonly Evidence[];
  readonly unchecked: readonly string[];
  /** The flows it was made from, worst first. Not part of the report. */
  readonly flows: readonly Flow[];
}

/** The page of a diagnosis, `meshmend explain ID`. Plain sentences, no markup. */
export interface RulePage {
  /** What it means, in plain words. */
  readonly meaning: string;
  /** Who prints it, and where the other end's line is. */
  readonly printedBy: string;
  /** Commands with UPPER-CASE place-holders, one a line: the first confirms it alone, the others show more. At least one. */
  readonly confirm: readonly string[];
  /** What to change. */
  readonly change: string;
  /** What not to do and why. */
  readonly never: string;
}

/** Metadata of a rule. */
export interface RuleMeta {
  /** kebab-case, past tense, equal to the file name, never reused: `ztunnel-policy-denied`. */
  readonly id: string;
  readonly category: Category;
  readonly level: Level;
  /** One line, no period: what happened. The title of its findings. */
  readonly title: string;
  readonly page: RulePage;
  /** Where each fact comes from: `istio/ztunnel 62d82653 src/proxy/inbound.rs`. At least one. */
  readonly cites: readonly string[];
}

/** One diagnosis. A value in `rules/`; pure, no I/O. */
export interface Rule {
  readonly meta: RuleMeta;
  /**
   * The kinds of records it looks at: proxy and record kind joined (`ztunnel/connection`). `match` is called for no other.
   */
  readonly on: readonly string[];
  /**
   * Is this flow this failure? Null: no. At most one rule should claim a flow with the same certainty; if several do, the
   * more certain one wins.
   */
  match(flow: Flow, mesh: MeshView): Match | null;
  /** Changes or steps that would repair it, best first. Drafts: only `src/remedy` may call one verified. */
  propose?(finding: Finding, mesh: MeshView): readonly Draft[];
}
