import type { NearMiss } from '../../model/finding.ts';
import type { ObjectRef } from '../../model/mesh.ts';
import type { Decision } from '../../model/policy.ts';
import { distinctRefs } from '../../text/object-ref.ts';

/** Where the decision fell. */
export type Stage =
  | 'listener'
  | 'tls'
  | 'codec'
  | 'path'
  | 'external-authorization'
  | 'authentication'
  | 'authorization'
  | 'route'
  | 'upstream';

/** What the client gets and the access log says, if the application answers 200 to everything. */
export interface Printed {
  /** Null: no HTTP answer. */
  readonly status: number | null;
  /** Empty: `-`. */
  readonly flags: readonly string[];
  /** RESPONSE_CODE_DETAILS; null: `-`. */
  readonly details: string | null;
  /** CONNECTION_TERMINATION_DETAILS; null: `-`. */
  readonly termination: string | null;
  readonly grpcStatus: number | null;
  /** Body of an answer that Envoy makes; null: empty, or the application's. */
  readonly body: string | null;
  readonly wwwAuthenticate: string | null;
  /** Path with query that reaches the application; null: none, or unchanged. */
  readonly backendPath: string | null;
  /** Dynamic metadata of the RBAC filters: results of dry-run, CUSTOM and enforced rules. Null: it depends on unknowns. */
  readonly rbacMetadata: Readonly<Record<string, string>> | null;
  /** An AUDIT rule matched. */
  readonly auditHint: boolean;
}

/** Nothing printed: a connection that ended well, or a TLS handshake that failed. */
export const PRINTED_NOTHING: Printed = {
  status: null,
  flags: [],
  details: null,
  termination: null,
  grpcStatus: null,
  body: null,
  wwwAuthenticate: null,
  backendPath: null,
  rbacMetadata: {},
  auditHint: false,
};

/** What a proxy does with one request, or may do. */
export interface Verdict {
  readonly outcome: 'allow' | 'deny';
  readonly stage: Stage;
  readonly because: string;
  readonly determining: readonly ObjectRef[];
  /** Null: which answer it is depends on unknowns. */
  readonly printed: Printed | null;
  /** Makes the near misses; costly, so only on demand. Null: there are none. */
  readonly explain: (() => readonly NearMiss[]) | null;
}

/** A decision of an Envoy. `outcome` is `unknown` where values that nobody told could make it either. */
export interface EnvoyDecision extends Decision {
  /** Null: the outcome is unknown. */
  readonly stage: Stage | null;
  /** Null: it depends on unknowns. */
  readonly printed: Printed | null;
}

/** A refusal. */
export function deny(
  stage: Stage,
  because: string,
  printed: Printed | null,
  determining: readonly ObjectRef[] = [],
): Verdict {
  return { outcome: 'deny', stage, because, determining, printed, explain: null };
}

/**
 * The decision that holds for all verdicts that are possible; the last is the one if nothing else is unknown. Never empty.
 */
export function decisionOf(possible: readonly Verdict[]): EnvoyDecision {
  const last = possible.at(-1);
  if (last === undefined) return undecided('no verdict is possible', []);
  if (possible.length === 1) return settled(last, last.determining, last.printed);
  if (possible.some(({ outcome }) => outcome !== last.outcome)) {
    const reasons = [...new Set(possible.map(({ because }) => because))];
    const decision = undecided(`depends on what is not known: ${reasons.join('; or ')}`, unite(possible));
    const explain = possible.findLast((verdict) => verdict.explain !== null)?.explain ?? null;
    return explain === null ? decision : new Explained(decision, explain);
  }
  const same = possible.every((other) => isSame(other.printed, last.printed));
  return settled(last, unite(possible), same ? last.printed : null);
}

function settled(verdict: Verdict, determining: readonly ObjectRef[], printed: Printed | null): EnvoyDecision {
  const { outcome, because, stage, explain } = verdict;
  const error = printed === null || outcome === 'allow' ? null : (printed.details ?? printed.termination);
  const decision: EnvoyDecision = { outcome, because, determining, nearMiss: [], error, stage, printed };
  return explain === null ? decision : new Explained(decision, explain);
}

/**
 * Near misses are made when somebody first looks. A class with its getter on the prototype: to define one on each object
 * costs more than to decide.
 */
class Explained implements EnvoyDecision {
  readonly outcome: EnvoyDecision['outcome'];
  readonly because: string;
  readonly determining: readonly ObjectRef[];
  readonly error: string | null;
  readonly stage: Stage | null;
  readonly printed: Printed | null;
  readonly #explain: () => readonly NearMiss[];
  #nearMiss: readonly NearMiss[] | null = null;

  constructor(decision: EnvoyDecision, explain: () => readonly NearMiss[]) {
    this.outcome = decision.outcome;
    this.because = decision.because;
    this.determining = decision.determining;
    this.error = decision.error;
    this.stage = decision.stage;
    this.printed = decision.printed;
    this.#explain = explain;
  }

  get nearMiss(): readonly NearMiss[] {
    this.#nearMiss ??= this.#explain();
    return this.#nearMiss;
  }
}

function undecided(because: string, determining: readonly ObjectRef[]): EnvoyDecision {
  return { outcome: 'unknown', because, determining, nearMiss: [], error: null, stage: null, printed: null };
}

function unite(verdicts: readonly Verdict[]): readonly ObjectRef[] {
  return distinctRefs(verdicts.flatMap(({ determining }) => determining));
}

function isSame(one: Printed | null, other: Printed | null): boolean {
  if (one === null || other === null || one === other) return one === other;
  return (
    one.status === other.status &&
    one.details === other.details &&
    one.termination === other.termination &&
    one.flags.join() === other.flags.join()
  );
}
