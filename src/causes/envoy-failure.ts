import type { EnvoyFacts, LogRecord, RequestRecord } from '../model/record.ts';
import { parseHostPort } from '../text/address.ts';
import { isPrivateAddress } from '../text/private-address.ts';
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
    readEgress(record, facts) ??
    readDenial(facts) ??
    readDetails(record, facts) ??
    readFlags(record, facts) ??
    (record.kind === 'request' ? readUnexplained(record) : null)
  );
}

/** Destinations outside the registry have a cluster and a route of their own (istio 86c9f01f pilot/pkg/networking/util/util.go). */
function readEgress(record: LogRecord, facts: EnvoyFacts): EnvoyFailure | null {
  if (facts.cluster === 'BlackHoleCluster') return said('egress-blocked', facts.cluster);
  if (isUnregistered(record, facts)) return { kind: 'egress-blocked', certainty: 'likely', text: 'UH' };
  return facts.route === 'block_all' ? said('egress-blocked', facts.route) : null;
}

/**
 * Up to Istio 1.9 the column of the cluster is empty where no host was chosen (envoy release/v1.17 UPSTREAM_CLUSTER), so that the black
 * hole is not named: a connection to a public address for which there was nothing went there.
 */
function isUnregistered(record: LogRecord, { cluster, flags, downstreamLocal }: EnvoyFacts): boolean {
  if (record.kind !== 'connection' || cluster !== null || flags?.includes('UH') !== true) return false;
  const host = parseHostPort(downstreamLocal)?.host;
  return host !== undefined && ADDRESS.test(host) && !isPrivateAddress(host);
}

const ADDRESS = /^[\d.]{7,15}$|:/;

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
  if (details === 'via_upstream')
    return record.kind === 'request' && !isContradicted(record, facts) ? readAnswer(record) : null;
  const kind = DETAILS.find(([pattern]) => pattern.test(details))?.[1];
  return kind === undefined ? null : said(kind, details);
}

/** Flags with which no answer of an upstream is passed on: the line was made up or mended by hand, and its flag is what it is about. */
const WITHOUT_ANSWER: ReadonlySet<string> = new Set(['UF', 'UH', 'UO', 'UC', 'NR', 'NC']);

/** Says of one answer both that it came from the upstream and that there was none; a retry that worked keeps no flag. */
function isContradicted(record: RequestRecord, { flags }: EnvoyFacts): boolean {
  return (record.status ?? 0) >= 400 && (flags ?? []).some((flag) => WITHOUT_ANSWER.has(flag));
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
