import { parseRbacId, type RbacId } from './rbac-id.ts';

/** What an RBAC filter of Envoy decided, as its debug log says it. */
export interface RbacVerdict {
  /** False: a dry run, or the filter that decides whether an external authorizer is asked. */
  readonly enforced: boolean;
  readonly allowed: boolean;
  readonly rule: RbacId;
}

/** Only at the start: the dump before the verdict holds headers, which callers write. Envoy before 1.14 names no policy. */
const VERDICT = /^(?:\S+\.cc:\d+\s+)?(enforced|shadow) (allowed|denied)(?:, matched policy (\S+)|$)/;

/** Reads a message of the logger `rbac`; null: no verdict. (envoy 1.37 source/extensions/filters/http/rbac/rbac_filter.cc) */
export function parseRbacVerdict(message: string): RbacVerdict | null {
  const match = VERDICT.exec(message);
  if (match === null) return null;
  const [, mode, outcome, id = ''] = match;
  return { enforced: mode === 'enforced', allowed: outcome === 'allowed', rule: parseRbacId(id) };
}
