import type { Decision } from '../../model/policy.ts';
import type { SpiffeId } from '../../model/record.ts';
import type { ZtunnelWorkload } from '../ambient/decide.ts';
import { explainZtunnel } from '../ambient/explain.ts';
import type { Constraint, ZtunnelPolicy } from '../ambient/form.ts';
import { constraintHolds, type Peer, readPeer } from '../ambient/match.ts';
import { every, some, type Tri } from '../envoy/known.ts';

/** A connection at the destination's ztunnel. Null addresses: not known. */
export interface PossibleConnection {
  readonly sourceIp: string | null;
  readonly identity: SpiffeId | null;
  readonly destinationIp: string | null;
  readonly destinationPort: number;
}

/**
 * What the destination's ztunnel decides. Where an address is not known and a policy looks at it, the answer is certain only
 * if no address could change it.
 */
export function decideZtunnel(workload: ZtunnelWorkload, connection: PossibleConnection): Decision {
  const { sourceIp, destinationIp, identity, destinationPort } = connection;
  const guess = { sourceIp: sourceIp ?? '', destinationIp: destinationIp ?? '', identity, destinationPort };
  const decision = explainZtunnel(workload, guess);
  if (sourceIp !== null && destinationIp !== null) return decision;
  const hidden = new Set<Constraint['field']>();
  if (sourceIp === null) hidden.add('sourceIps');
  if (destinationIp === null) hidden.add('destinationIps');
  const asking = [...workload.denies, ...workload.allows].filter((policy) => asks(policy, hidden));
  if (asking.length === 0 || allowsAnyway(workload, readPeer(guess), hidden) !== null) return decision;
  const which = sourceIp === null ? "the caller's address" : "the pod's address";
  const because = `${which} is not known, and it decides in ${asking.map(({ key }) => key).join(', ')}`;
  return {
    outcome: 'unknown',
    because,
    determining: asking.flatMap(({ source }) => source ?? []),
    nearMiss: [],
    error: null,
  };
}

type Hidden = ReadonlySet<Constraint['field']>;

function asks({ rules }: ZtunnelPolicy, hidden: Hidden): boolean {
  return rules.some(({ clauses }) =>
    clauses.some((clause) => clause.some(({ constraints }) => constraints.some(({ field }) => hidden.has(field)))),
  );
}

/** The outcome whatever the hidden values are; null: it depends on them. */
function allowsAnyway({ denies, allows }: ZtunnelWorkload, peer: Peer, hidden: Hidden): Tri {
  const matches = (policy: ZtunnelPolicy): Tri =>
    some(policy.rules, ({ clauses }) =>
      every(clauses, (clause) =>
        some(clause, ({ constraints }) => {
          if (constraints.length === 0) return false;
          return every(constraints, (constraint) =>
            hidden.has(constraint.field) ? null : constraintHolds(constraint, peer),
          );
        }),
      ),
    );
  const denied = some(denies, matches);
  if (denied === true) return false;
  const allowed = allows.length === 0 ? true : some(allows, matches);
  if (allowed === false) return false;
  return denied === null ? null : allowed;
}
