import type { NearMiss } from '../model/finding.ts';
import type { ObjectRef } from '../model/mesh.ts';
import type { Fields, ProbeResult } from '../model/suite.ts';
import type { Hop, Way } from '../model/way.ts';
import { nameOf, refText } from '../text/object-ref.ts';
import type { NearMissWords, Wanted } from './case-format.ts';

type Judgement = Pick<ProbeResult, 'expected' | 'actual' | 'pass'>;

/** Compares an answer with what was wanted of it: what is not told is not compared. */
export function judge(wanted: Wanted, way: Way): Judgement {
  const hop = decisiveHop(way);
  const actual = {
    outcome: way.outcome,
    error: hop === null ? null : (hop.error ?? (hop.outcome === 'deny' ? (hop.details ?? hop.termination) : null)),
    because: way.because,
    by: hop?.by ?? null,
    policy: way.determining.map(refText),
    status: hop?.status ?? null,
    flags: hop?.flags ?? [],
    details: hop?.details ?? hop?.termination ?? null,
    nearMiss: way.nearMiss.map((miss) => ({ ...miss, policy: refText(miss.policy) })),
  };
  const same = (name: 'by' | 'error' | 'status' | 'details'): boolean =>
    wanted[name] === null || wanted[name] === actual[name];
  const pass =
    wanted.expect === way.outcome &&
    arePolicies(wanted.policy, way.determining) &&
    (wanted.because === null || way.because.includes(wanted.because)) &&
    same('by') &&
    same('error') &&
    same('status') &&
    same('details') &&
    (wanted.flags === null || wanted.flags.join() === actual.flags.join()) &&
    areMisses(wanted.nearMiss, way.nearMiss);
  return { expected: expectedOf(wanted), actual, pass };
}

/** The hop that settled it; where there are several ways, that of the first. */
function decisiveHop({ outcome, routes }: Way): Hop | null {
  const hops = routes[0]?.hops ?? [];
  return (outcome === 'allow' ? hops.at(-1) : hops.find((hop) => hop.outcome === outcome)) ?? null;
}

/** Without the entries of which nothing was told. */
function expectedOf({ expect, policy, because, by, error, status, flags, details, nearMiss }: Wanted): Fields {
  return {
    outcome: expect,
    ...told({ policy, because, by, error, status, flags, details, nearMiss: nearMiss?.map(told) ?? null }),
  };
}

function told(fields: object): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

function arePolicies(wanted: readonly string[] | null, determining: readonly ObjectRef[]): boolean {
  if (wanted === null) return true;
  if (wanted.length === 0) return determining.length === 0;
  return wanted.every((name) => determining.some((ref) => isNamed(name, ref)));
}

/** `namespace/name`, or `Kind namespace/name`. */
function isNamed(name: string, ref: ObjectRef): boolean {
  return name === refText(ref) || name === nameOf(ref);
}

/** All of them, in order. */
function areMisses(wanted: readonly NearMissWords[] | null, misses: readonly NearMiss[]): boolean {
  if (wanted === null) return true;
  return wanted.length === misses.length && misses.every((miss, index) => isMiss(wanted[index], miss));
}

function isMiss(words: NearMissWords | undefined, miss: NearMiss): boolean {
  if (words === undefined) return false;
  const { policy, rule, field, wanted, seen } = words;
  return (
    (policy === null || isNamed(policy, miss.policy)) &&
    (rule === null || rule === miss.rule) &&
    (field === null || field === miss.field) &&
    (wanted === null || wanted === miss.wanted) &&
    (seen === null || seen === miss.seen)
  );
}
