import type { EnforcedBy, Finding } from '../model/finding.ts';
import type { MeshView, ObjectRef, Pod } from '../model/mesh.ts';
import type { SpiffeId } from '../model/record.ts';
import type { Draft } from '../model/remedy.ts';
import type { Hop, Way } from '../model/way.ts';
import { actionOf } from '../policy/action.ts';
import { decide } from '../policy/decide.ts';
import type { Probe } from '../policy/way/probe.ts';
import { refText } from '../text/object-ref.ts';
import { identityOf, principalOf } from '../text/spiffe.ts';
import { applyChanges } from './apply.ts';
import { admitAddress, allowCaller, exceptCaller, exemptPort, openHbonePort } from './edits/index.ts';
import { withhold } from './guard/withhold.ts';
import { probeOfFlow, seenAgain } from './probes.ts';
import type { Trial } from './trial.ts';

/** Refusals behind the first that one remedy takes away. */
const MAX_LAYERS = 3;
/** Ways to take away one of them that are tried. */
const MAX_WAYS = 2;

/**
 * The draft, or what it takes beside it: where the call would be refused again behind what the draft opens (another
 * policy, another proxy, a NetworkPolicy), a draft of all changes together for each way to open that. A draft after which
 * nothing more can be opened is left as it is; where what it would open looks wanted, a step says so in its place.
 */
export function throughAllLayers(draft: Draft, finding: Finding, mesh: MeshView, trial: Trial): readonly Draft[] {
  let drafts: readonly Draft[] = [draft];
  for (let layer = 0; layer < MAX_LAYERS; layer++) {
    const next = drafts.flatMap((each) => throughNext(each, finding, mesh, trial));
    if (next.every((each, index) => each === drafts[index])) return drafts;
    drafts = next.slice(0, MAX_WAYS * 2);
  }
  return drafts;
}

function throughNext(draft: Draft, finding: Finding, mesh: MeshView, trial: Trial): readonly Draft[] {
  if (draft.changes.length === 0) return [draft];
  const after = applyChanges(mesh, draft.changes);
  const denial = after === null ? null : nextDenial(finding, mesh, after);
  if (after === null || denial === null) return [draft];
  const ways = waysPast(denial, after).filter((way) => way.changes.length > 0 && isApart(way, draft));
  if (ways.length === 0) return [draft];
  const sets = ways.slice(0, MAX_WAYS).map((way) => joined(draft, way, denial.hop));
  // A denial behind the first one may be wanted though the first is not.
  return withhold(sets, trial.withIntent({ ...denial.finding, intended: 'unknown' }), trial.wishes, after);
}

/** What refuses the finding's calls in a mesh that was changed, put as a finding that edits can be asked about. */
interface Denial {
  readonly finding: Finding;
  readonly hop: Hop;
}

function nextDenial(finding: Finding, before: MeshView, after: MeshView): Denial | null {
  for (const flow of finding.flows) {
    const observed = probeOfFlow(flow, before);
    if (observed === null) continue;
    const probe = seenAgain(after, observed);
    const denial = denialOf(finding, decide(after, probe), probe, after);
    if (denial !== null) return denial;
  }
  return null;
}

const ENFORCERS: Readonly<Partial<Record<Hop['by'], EnforcedBy>>> = {
  ztunnel: 'ztunnel',
  sidecar: 'sidecar',
  waypoint: 'waypoint',
  gateway: 'gateway',
};

function denialOf(finding: Finding, way: Way, probe: Probe, mesh: MeshView): Denial | null {
  const [route] = way.routes;
  const hop = way.outcome === 'deny' ? route?.hops.find(({ outcome }) => outcome === 'deny') : undefined;
  if (route === undefined || hop === undefined) return null;
  const caller = callerAt(hop, route.hops, probe, mesh);
  const source =
    caller === null
      ? finding.source
      : {
          ...finding.source,
          identity: caller,
          principal: principalOf(caller),
        };
  return {
    hop,
    finding: {
      ...finding,
      source,
      enforcedBy: ENFORCERS[hop.by] ?? null,
      policies: hop.determining,
      nearMiss: hop.nearMiss,
    },
  };
}

/** The identity that a hop sees: that of the waypoint before it, else of the caller. Null: none, or as the finding has it. */
function callerAt(hop: Hop, hops: readonly Hop[], { source }: Probe, mesh: MeshView): SpiffeId | null {
  const waypoint = hops.slice(0, hops.indexOf(hop)).findLast(({ by }) => by === 'waypoint');
  const [namespace = '', name = ''] = waypoint?.at.split('/') ?? [];
  const pod: Pod | null = waypoint === undefined ? null : mesh.podByName(namespace, name);
  if (pod !== null) return identityOf(mesh.trustDomain, pod.namespace, pod.serviceAccount);
  if (source.kind === 'identity') return source.identity;
  const [own] = source.kind === 'pods' ? source.pods : [];
  const isMeshed = own?.dataplane === 'ambient' || own?.dataplane === 'sidecar';
  return own === undefined || !isMeshed ? null : identityOf(mesh.trustDomain, own.namespace, own.serviceAccount);
}

/** Drafts that would open what refuses, best first, by what it is. Whom labels can enrol, the first layer has enrolled. */
function waysPast({ finding, hop }: Denial, mesh: MeshView): readonly Draft[] {
  if (hop.by === 'network-policy') return openHbonePort(finding, mesh);
  if (finding.enforcedBy === null) return [];
  if (hop.determining.some(({ kind }) => kind === 'PeerAuthentication'))
    return exemptPort(finding, mesh).filter(isNoEnrolment);
  if (hop.stage !== null && hop.stage !== 'authorization') return [];
  const action = hop.determining.some((ref) => actionOf(ref, mesh) === 'DENY') ? 'DENY' : 'ALLOW';
  if (finding.source.principal === null) return admitAddress(finding, mesh, action);
  return action === 'DENY' ? exceptCaller(finding, mesh) : allowCaller(finding, mesh);
}

function isNoEnrolment({ kind }: Draft): boolean {
  return kind !== 'enrol';
}

/** Changes of one object follow each other badly: each is tested against the object as it is now. */
function isApart(way: Draft, draft: Draft): boolean {
  const names = new Set(draft.changes.map(({ object }) => refText(object)));
  return way.changes.every(({ object }) => !names.has(refText(object)));
}

function joined(first: Draft, second: Draft, hop: Hop): Draft {
  const { trial, apply } = split([...first.commands.apply, ...second.commands.apply]);
  const behind = hop.determining.map((ref: ObjectRef) => refText(ref)).join(', ');
  return {
    kind: first.kind,
    summary: `${first.summary} Behind that ${behind === '' ? hop.by : behind} would refuse the call as well. ${second.summary}`,
    risk: bothOf(first.risk, second.risk),
    decision: bothOf(first.decision, second.decision),
    changes: [...first.changes, ...second.changes],
    commands: {
      confirm: distinct([...first.commands.confirm, ...second.commands.confirm]),
      apply: [...trial, ...apply],
      verify: distinct([...first.commands.verify, ...second.commands.verify]),
      rollback: [...second.commands.rollback, ...first.commands.rollback],
    },
  };
}

function bothOf(...texts: readonly (string | null)[]): string | null {
  return [...new Set(texts.filter((text) => text !== null))].join(' ') || null;
}

/** Trials of all changes go before the first change. */
function split(commands: readonly string[]): { readonly trial: readonly string[]; readonly apply: readonly string[] } {
  const isTrial = (command: string): boolean => command.includes(' --dry-run=server ');
  return { trial: commands.filter(isTrial), apply: commands.filter((command) => !isTrial(command)) };
}

function distinct(commands: readonly string[]): readonly string[] {
  return [...new Set(commands)];
}
