import type { Finding, Intended } from '../model/finding.ts';
import type { MeshView } from '../model/mesh.ts';
import type { AuthorizationPolicy } from '../model/policy.ts';
import { actionOf } from '../policy/action.ts';
import { withDeducedCaller } from '../remedy/edits/deduced-caller.ts';
import { type Destination, destinationOf } from '../remedy/edits/destination.ts';
import { principalParts } from '../remedy/edits/names.ts';
import { platformFlowOf } from '../remedy/edits/platform-call.ts';
import { policiesFor } from '../remedy/edits/policies.ts';
import { nameOf } from '../text/object-ref.ts';
import { shortened } from '../text/shortened.ts';
import { workloadOf } from '../text/workload.ts';
import { type Admitted, admittedBy, type Named, Platform } from './admitted.ts';
import { type Ground, groundsOf, type Reason, saidBy } from './denied.ts';
import { History, type ObservedTraffic } from './knocks.ts';

/**
 * Makes findings show what they, the mesh and the whole input together tell of intention: where a rule left open whether a
 * denial by policy is wanted and a sign says so, `intended` is raised and the reason given. Without a mesh only the traffic
 * can show it. The rest of a finding, and findings of other kinds, stay as they are.
 */
export function intentJudge(traffic: ObservedTraffic, mesh: MeshView): (finding: Finding) => Finding {
  const judge = new IntentJudge(traffic, mesh);
  return (finding) => (isOpen(finding) ? judge.judged(finding) : finding);
}

function isOpen({ category, intended }: Finding): boolean {
  return intended === 'unknown' && (category === 'authorization' || category === 'mutual-tls');
}

/** What a sign looks at. */
interface Case {
  /** With the identity of the caller, if it can be told at all. */
  readonly finding: Finding;
  readonly mesh: MeshView;
  readonly history: History;
  readonly platform: Platform;
  /** Who called, if it is an application. Null: not known, or the platform, whose calls every policy has to reckon with. */
  readonly caller: Named | null;
  /** Where it called. */
  readonly own: string | null;
  /** The DENY rules that matched. */
  readonly grounds: readonly Ground[];
  /** Policies in force at the destination. */
  readonly policies: readonly AuthorizationPolicy[];
}

/** Names of policies or workloads told in a sentence. */
const MAX_NAMES = 5;

/** One reason to think that a denial is wanted, or that it is not. */
interface Sign {
  readonly id: string;
  /** `no`: it is a sign that nobody wanted the denial. */
  readonly intended: Exclude<Intended, 'unknown'>;
  /** One sentence for the operator; null: no sign of it. */
  readonly looks: (denial: Case) => string | null;
}

/** The first one that is seen counts, so the surest stand first. */
const SIGNS: readonly Sign[] = [
  { id: 'denied-by-name', intended: 'yes', looks: isDeniedByName },
  { id: 'denies-everything', intended: 'likely', looks: meetsDenyAll },
  { id: 'denied-as-stated', intended: 'likely', looks: isDeniedAsStated },
  { id: 'sweep', intended: 'likely', looks: isSweep },
  { id: 'platform-flow', intended: 'no', looks: isPlatformFlow },
  { id: 'namespace-isolation', intended: 'likely', looks: isIsolation },
  { id: 'first-caller', intended: 'likely', looks: isFirstCaller },
  { id: 'default-account', intended: 'likely', looks: isDefaultAccount },
];

class IntentJudge {
  readonly #mesh: MeshView;
  readonly #history: History;
  readonly #platform: Platform;
  readonly #policies = new Map<string, readonly AuthorizationPolicy[]>();

  constructor(traffic: ObservedTraffic, mesh: MeshView) {
    this.#mesh = mesh;
    this.#history = new History(traffic, mesh);
    this.#platform = new Platform(mesh);
  }

  judged(finding: Finding): Finding {
    const denial = this.#caseOf(finding);
    // What a proxy denies only because it drops part of a rule, nobody wrote so.
    if (denial.grounds.length > 0 && denial.grounds.every(({ reason }) => reason === 'reduced')) return finding;
    for (const { intended, looks } of SIGNS) {
      const because = looks(denial);
      if (because !== null) return { ...finding, intended, intendedBecause: intended === 'no' ? null : because };
    }
    return finding;
  }

  #caseOf(observed: Finding): Case {
    const mesh = this.#mesh;
    const finding = withDeducedCaller(observed, mesh) ?? observed;
    const destination = mesh.known ? destinationOf(finding, mesh) : null;
    const caller = callerOf(finding);
    const grounds = mayBeDeny(finding, mesh) ? groundsOf(finding, mesh) : [];
    const inForce = destination === null ? [] : this.#inForce(finding, destination);
    return {
      finding,
      mesh,
      history: this.#history,
      platform: this.#platform,
      caller: caller === null || this.#platform.has(caller) ? null : caller,
      own: destination?.namespace ?? null,
      grounds,
      // Those that denied are in force, also where no pods are known that their selectors could be compared with.
      policies: [...new Set([...inForce, ...grounds.map(({ policy }) => policy)])],
    };
  }

  /** Many findings have one destination. */
  #inForce(finding: Finding, destination: Destination): readonly AuthorizationPolicy[] {
    const { namespace, workload, service } = destination;
    const key = [finding.enforcedBy, namespace, workload, service?.hostname, finding.destination.address].join(' ');
    const known = this.#policies.get(key);
    if (known !== undefined) return known;
    const policies = (['ALLOW', 'DENY'] as const).flatMap((action) =>
      policiesFor(finding, this.#mesh, destination, action).map(({ policy }) => policy),
    );
    this.#policies.set(key, policies);
    return policies;
  }
}

function callerOf({ source }: Finding): Named | null {
  const parts = source.principal === null ? null : principalParts(source.principal);
  if (parts !== null) return { namespace: parts.namespace, account: parts.serviceAccount };
  return source.namespace === null ? null : { namespace: source.namespace, account: null };
}

/** Where only ALLOW policies are named, no DENY matched: it would have been asked first. */
function mayBeDeny({ policies }: Finding, mesh: MeshView): boolean {
  return mesh.known && (policies.length === 0 || policies.some((ref) => actionOf(ref, mesh) !== 'ALLOW'));
}

function groundFor({ grounds }: Case, reason: Reason): Ground | null {
  return grounds.find((ground) => ground.reason === reason) ?? null;
}

function isDeniedByName(denial: Case): string | null {
  const ground = groundFor(denial, 'name');
  return ground === null
    ? null
    : `AuthorizationPolicy ${nameOf(ground.policy.ref)} denies ${denial.finding.source.principal} by name.`;
}

function meetsDenyAll(denial: Case): string | null {
  const ground = groundFor(denial, 'everything');
  return ground === null
    ? null
    : `AuthorizationPolicy ${nameOf(ground.policy.ref)} has an empty rule and so denies everything, as a probe of its selector does, or a workload that is shut off.`;
}

function isDeniedAsStated(denial: Case): string | null {
  const ground = groundFor(denial, 'stated');
  return ground === null
    ? null
    : `AuthorizationPolicy ${nameOf(ground.policy.ref)} denies this call by what it says (${saidBy(ground.rule)}), and not for lack of an entry in a list.`;
}

function isSweep({ history, finding }: Case): string | null {
  const swept = history.sweepOf(finding.source);
  return swept === null ? null : `The caller tried ${swept} and got through nowhere, as a scanner does.`;
}

/** The ALLOW policies admit the own namespace only, or a DENY policy all others, and the caller is of another one. */
function isIsolation(denial: Case): string | null {
  const { caller, own, policies, grounds } = denial;
  if (caller === null || own === null || caller.namespace === own) return null;
  const isolating =
    grounds.length === 0
      ? policies.filter(({ action }) => action === 'ALLOW')
      : grounds.filter(isByNamespace).map(({ policy }) => policy);
  if (!isClosed(admittedBy(isolating), denial)) return null;
  const names = new Set(isolating.filter(({ rules }) => rules.length > 0).map(({ ref }) => nameOf(ref)));
  return `AuthorizationPolicy ${shortened([...names], MAX_NAMES).join(', ')} keeps other namespaces out of ${own}, and the caller is of ${caller.namespace}.`;
}

/** A rule that denies all namespaces but those it lists. */
function isByNamespace({ reason, rule }: Ground): boolean {
  const isListing = rule.from.some((source) => (source?.notNamespaces.length ?? 0) > 0);
  return (
    reason === 'unlisted' &&
    (isListing || rule.when.some(({ key, notValues }) => key === 'source.namespace' && notValues.length > 0))
  );
}

/** What a platform calls for itself has to get through; whose calls it passes on may be meant to be kept out. */
function isPlatformFlow({ finding, mesh }: Case): string | null {
  const flow = mesh.known ? (platformFlowOf(finding, mesh)?.flow ?? null) : null;
  return flow === null || flow.forwards !== null || typeof flow.from === 'string' ? null : flow.without;
}

/** Only callers of the own namespace are admitted, beside the platform's. */
function isClosed({ named, anybody }: Admitted, { own, platform }: Case): boolean {
  return (
    !anybody &&
    named.some(({ namespace }) => namespace === own) &&
    named.every((entry) => entry.namespace === own || platform.has(entry))
  );
}

/** Policies name nobody of another application's namespace, and nobody of the caller's ever got through. */
function isFirstCaller(denial: Case): string | null {
  const { caller, own, policies, history, finding } = denial;
  if (caller === null || caller.account === null || own === null || caller.namespace === own) return null;
  if (!isClosed(admittedBy(policies), denial) || history.hasReached(caller.namespace, finding.destination)) return null;
  return `No policy that applies admits anybody outside ${own}, and nobody of ${caller.namespace} was seen to get through.`;
}

/** An account that a pod has when nobody gave it one says little of who calls, unless a policy names it already. */
function isDefaultAccount({ caller, own, policies, mesh }: Case): string | null {
  if (caller?.account !== 'default') return null;
  const isNamed = admittedBy(policies).named.some(
    ({ namespace, account }) => namespace === caller.namespace && account === 'default',
  );
  if (isNamed || !mesh.known) return null;
  const sharing = workloadsOf(caller, mesh);
  if (sharing.size > 1)
    return `The caller runs as the service account default of ${caller.namespace}, which ${sharing.size} workloads share (${shortened([...sharing].toSorted(), MAX_NAMES).join(', ')}).`;
  return caller.namespace === own
    ? null
    : `The caller is of ${caller.namespace} and has no service account of its own: default stands for every pod there that has none.`;
}

function workloadsOf({ namespace, account }: Named, mesh: MeshView): ReadonlySet<string> {
  const pods = mesh.pods.filter((pod) => pod.namespace === namespace && pod.serviceAccount === account);
  return new Set(pods.map(({ name }) => workloadOf(name)));
}
