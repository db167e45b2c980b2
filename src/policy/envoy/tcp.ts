import type { Facts } from './facts.ts';
import type { Filters } from './filters.ts';
import { deniedText, type Notes, passed, type Refusal, runCustom, runRbac, verdictOf } from './rbac.ts';
import type { EnvoyRequest } from './request.ts';
import { PRINTED_NOTHING, type Verdict } from './verdict.ts';

/**
 * Runs a connection through a TCP filter chain. All verdicts that are possible; the last holds if nothing else is unknown.
 * A refusal by a rule stands in CONNECTION_TERMINATION_DETAILS, one by an authorizer in RESPONSE_CODE_DETAILS.
 */
export function runTcp(filters: Filters, facts: Facts, { authorizer }: EnvoyRequest): readonly Verdict[] {
  const notes: Notes = { metadata: {}, audit: false };
  const verdict = (refusal: Refusal): Verdict => {
    const { answer } = refusal;
    const printed = { ...PRINTED_NOTHING, rbacMetadata: notes.metadata, auditHint: notes.audit };
    if (answer === null) return verdictOf(refusal, null);
    if (typeof answer === 'string') return verdictOf(refusal, { ...printed, termination: deniedText(answer) });
    return verdictOf(refusal, { ...printed, flags: ['UAEX'], details: answer.details });
  };
  const custom = runCustom(filters.custom, facts, authorizer, true, notes);
  const first = custom.refusals.map(verdict);
  if (custom.final) return first;
  const { refusals, final, allowedBy } = runRbac(filters.rbac, facts, true, notes);
  const possible = [...first, ...refusals.map(verdict)];
  if (final) return possible;
  const printed = { ...PRINTED_NOTHING, rbacMetadata: notes.metadata, auditHint: notes.audit };
  return [...possible, passed(allowedBy, printed)];
}
