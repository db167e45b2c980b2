import type { Decision } from './policy.ts';

/** Who decides at a hop. `service`: there is no pod to choose; `workload`: a pod without a proxy. */
export type HopBy =
  | 'source'
  | 'service'
  | 'network-policy'
  | 'waypoint'
  | 'ztunnel'
  | 'sidecar'
  | 'gateway'
  | 'workload';

/**
 * One station of the way. `error` is what a ztunnel would log there; at the source's ztunnel it can stand beside an allow, if
 * a later hop refuses. The other fields are an Envoy's (null: no Envoy, or it depends on what is not known).
 */
export interface Hop extends Decision {
  readonly by: HopBy;
  /** `namespace/name` of the pod or Service. */
  readonly at: string;
  /** At an Envoy: where in it the decision fell. */
  readonly stage: string | null;
  readonly status: number | null;
  readonly flags: readonly string[];
  readonly details: string | null;
  readonly termination: string | null;
}

/** The way for one combination of what is not settled: which pod answers, how a pod takes part in the mesh. */
export interface Route extends Decision {
  /** What is supposed here; empty: nothing is left open. */
  readonly assuming: readonly string[];
  /** Up to and with the first hop that denies. */
  readonly hops: readonly Hop[];
}

/**
 * The answer: a decision over all routes. `unknown` also where the routes differ. Its JSON form is a promise: add freely,
 * rename never.
 */
export interface Way extends Decision {
  readonly source: string;
  readonly destination: string;
  /** At least one. */
  readonly routes: readonly Route[];
  /** What was left aside and is worth knowing, one sentence each. */
  readonly notes: readonly string[];
}
