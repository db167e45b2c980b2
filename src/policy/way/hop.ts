import type { Decision } from '../../model/policy.ts';
import type { Hop, HopBy } from '../../model/way.ts';
import type { EnvoyDecision } from '../envoy/verdict.ts';

/** A decision of nobody's policy. */
export function plainDecision(outcome: Decision['outcome'], because: string): Decision {
  return { outcome, because, determining: [], nearMiss: [], error: null };
}

/** A hop that is no Envoy. */
export function hop(by: HopBy, at: string, decision: Decision): Hop {
  const { outcome, because, determining, nearMiss, error } = decision;
  return {
    by,
    at,
    outcome,
    because,
    determining,
    nearMiss,
    error,
    stage: null,
    status: null,
    flags: [],
    details: null,
    termination: null,
  };
}

/** A hop that is an Envoy, with what it would print. */
export function envoyHop(by: HopBy, at: string, decision: EnvoyDecision): Hop {
  const { stage, printed } = decision;
  return {
    ...hop(by, at, decision),
    error: null,
    stage,
    status: printed?.status ?? null,
    flags: printed?.flags ?? [],
    details: printed?.details ?? null,
    termination: printed?.termination ?? null,
  };
}
