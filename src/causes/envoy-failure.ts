import type { EnvoyFacts, LogRecord } from '../model/record.ts';
import { readAnswer, readUnexplained } from './envoy-answer.ts';
import { DETAILS, type EnvoyFailure, type EnvoyFailureKind, FLAGS } from './envoy-failure-table.ts';
import { isReset, readReset } from './envoy-reset.ts';
import { parseJwtDetail } from './jwt-refusal.ts';
import { parseRbacDetail, type RbacId } from './rbac-id.ts';

const RBAC_KINDS: Readonly<Record<RbacId['kind'], EnvoyFailureKind>> = {
  none: 'rbac-none',
  rule: 'rbac-rule',
  custom: 'authorizer-misconfigured',
  other: 'rbac-unnamed',
};

/**
 * The failure on an access line; null: it is none, or the record is not Envoy's. Each line has exactly one kind, so rules
 * that own different kinds never claim the same line. Details decide before flags, flags before the status, since one
 * status has many causes and gRPC denials print 200.
 */
export function envoyFailure(record: LogRecord): EnvoyFailure | null {
  if (record.kind === 'diagnostic' || record.envoy === null) return null;
  const facts = record.envoy;
  return (
    readEgress(facts) ??
    readDenial(facts) ??
    readDetails(record, facts) ??
    readFlags(record, facts) ??
    (record.kind === 'request' ? readUnexplained(record) : null)
  );
}

/** Destinations outside the registry have a cluster and a route of their own (istio 86c9f01f pilot/pkg/networking/util/util.go). */
function readEgress(facts: EnvoyFacts): EnvoyFailure | null {
  if (facts.cluster === 'BlackHoleCluster') return said('egress-blocked', facts.cluster);
  return facts.route === 'block_all' ? said('egress-blocked', facts.route) : null;
}

/** RBAC speaks through the details of a request or the termination details of a connection. */
function readDenial(facts: EnvoyFacts): EnvoyFailure | null {
  const rbac = parseRbacDetail(facts.details) ?? parseRbacDetail(facts.termination);
  if (rbac !== null) return said(RBAC_KINDS[rbac.kind], rbac.id);
  const message = parseJwtDetail(facts.details);
  return message === null ? null : said('jwt-refused', message);
}

function readDetails(record: LogRecord, facts: EnvoyFacts): EnvoyFailure | null {
  const { details } = facts;
  if (details === null) return null;
  if (isReset(details)) return readReset(record, details);
  if (details === 'via_upstream') return record.kind === 'request' ? readAnswer(record) : null;
  const kind = DETAILS.find(([pattern]) => pattern.test(details))?.[1];
  return kind === undefined ? null : said(kind, details);
}

function readFlags(record: LogRecord, facts: EnvoyFacts): EnvoyFailure | null {
  const [flag, kind] = FLAGS.find(([name]) => facts.flags?.includes(name)) ?? [];
  if (flag === undefined || kind === undefined) return null;
  if (kind === 'reset') return readReset(record, flag);
  // A listener that has no filter chain sets the flag of a missing route.
  if (kind === 'route' && record.kind === 'connection') return said('filter-chain', flag);
  const serverError = record.kind === 'request' && record.status !== null && record.status >= 500;
  if (kind === 'authorizer-denied') {
    return { kind: serverError ? 'authorizer-failed' : kind, certainty: 'likely', text: flag };
  }
  return said(kind, flag);
}

function said(kind: EnvoyFailureKind, text: string): EnvoyFailure {
  return { kind, certainty: 'certain', text };
}
