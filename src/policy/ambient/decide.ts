import type { ObjectRef } from '../../model/mesh.ts';
import type { AuthorizationPolicy, PeerAuthentication } from '../../model/policy.ts';
import { grouped } from '../../text/grouped.ts';
import { type AmbientWorkload, attachPolicies, type PoliciesByNamespace } from './attach.ts';
import { type Conversion, convertPolicy } from './convert.ts';
import { type AmbientSettings, byText, policyKey, type ZtunnelPolicy } from './form.ts';
import { policyMatches, readPeer, type ZtunnelConnection } from './match.ts';
import { generatedPolicies, type MutualTls } from './peer-authentication.ts';
import { behaves } from './release.ts';

/** What ztunnel decides about one connection. */
export interface ZtunnelDecision {
  readonly outcome: 'allow' | 'deny';
  /** Text in ztunnel's access log; null: allowed. Where `nameUncertain`, the name in it is one of several. */
  readonly error: string | null;
  /** All DENY policies that match, in the order ztunnel asks them: it names the first. */
  readonly deniedBy: readonly ZtunnelPolicy[];
  /** Two that match are of one set that ztunnel keeps by hash: it may name either. */
  readonly nameUncertain: boolean;
  /** The ALLOW policies that match. Empty though allowed: no ALLOW applies. */
  readonly allowedBy: readonly ZtunnelPolicy[];
}

/** The policies of one workload, ready to decide. */
export interface ZtunnelWorkload {
  /** Keys that istiod lists on the workload, in its order. */
  readonly attached: readonly string[];
  /** Those of them that istiod never sent: ztunnel warns `skipping unknown policy` and goes on without them. */
  readonly unknown: readonly string[];
  readonly mutualTls: MutualTls;
  /** Policies that apply, in the order ztunnel asks them. */
  readonly denies: readonly ZtunnelPolicy[];
  readonly allows: readonly ZtunnelPolicy[];
  decide(connection: ZtunnelConnection): ZtunnelDecision;
}

/** The policies of a mesh as istiod gives them to ztunnel. */
export interface ZtunnelPolicies {
  /** By `namespace/name`. */
  readonly policies: ReadonlyMap<string, ZtunnelPolicy>;
  /** What became of each AuthorizationPolicy, by `namespace/name`; those of another revision are missing. */
  readonly conversions: ReadonlyMap<string, Conversion>;
  forWorkload(workload: AmbientWorkload): ZtunnelWorkload;
}

const REVISION_LABEL = 'istio.io/rev';
const REJECTION = 'connection closed due to policy rejection';

/**
 * Converts the policies of a mesh once; objects that admission refuses are not expected here. The order of the list does
 * not count; of two with one kind and name the last stays. Never throws.
 */
export function compileZtunnel(
  policies: readonly (AuthorizationPolicy | PeerAuthentication)[],
  settings: AmbientSettings,
): ZtunnelPolicies {
  const ours = policies.filter(({ labels }) => isOfRevision(labels[REVISION_LABEL] ?? null, settings.revision));
  const authorization = unique(ours.filter((policy) => policy.kind === 'AuthorizationPolicy'));
  const peerAuthentication = unique(ours.filter((policy) => policy.kind === 'PeerAuthentication'));
  const conversions = new Map([...authorization].map(([key, policy]) => [key, convertPolicy(policy, settings)]));
  const isSent = (policy: AuthorizationPolicy): boolean => conversions.get(keyOf(policy.ref))?.policy !== null;
  const index: PoliciesByNamespace = {
    authorization: grouped([...authorization.values()].filter(isSent), ({ ref }) => ref.namespace),
    peerAuthentication: grouped([...peerAuthentication.values()], ({ ref }) => ref.namespace),
  };
  const sent = [
    ...[...conversions.values()].flatMap(({ policy }) => (policy === null ? [] : [policy])),
    ...generatedPolicies(index.peerAuthentication, settings.rootNamespace),
  ].sort((left, right) => byText(left.key, right.key));
  const wide = grouped(
    sent.filter(({ scope }) => scope !== 'WORKLOAD_SELECTOR'),
    ({ namespace }) => namespace,
  );
  const compiled = { index, policies: new Map(sent.map((policy) => [policy.key, policy])), wide, settings };
  return { policies: compiled.policies, conversions, forWorkload: (workload) => bindWorkload(compiled, workload) };
}

/** A label with another revision hides an object; no label and an istiod without revision hide nothing. */
function isOfRevision(label: string | null, revision: string | null): boolean {
  return label === null || revision === null || label === revision;
}

function keyOf({ namespace, name }: ObjectRef): string {
  return policyKey(namespace, name);
}

function unique<T extends { readonly ref: ObjectRef }>(policies: readonly T[]): ReadonlyMap<string, T> {
  return new Map(policies.map((policy) => [keyOf(policy.ref), policy]));
}

interface Compiled {
  readonly index: PoliciesByNamespace;
  readonly policies: ReadonlyMap<string, ZtunnelPolicy>;
  /** Policies that apply without being listed, by their namespace, sorted. */
  readonly wide: ReadonlyMap<string, readonly ZtunnelPolicy[]>;
  readonly settings: AmbientSettings;
}

/** ztunnel asks for the policies of the namespace, then the global ones, then the listed ones in the list's order. */
function bindWorkload({ index, policies, wide, settings }: Compiled, workload: AmbientWorkload): ZtunnelWorkload {
  const { keys, mutualTls } = attachPolicies(index, workload, settings);
  const { rootNamespace, istioVersion } = settings;
  const namespaced = workload.namespace === rootNamespace ? [] : (wide.get(workload.namespace) ?? []);
  const listed = keys.flatMap((key) => policies.get(key) ?? []);
  const applying = [...namespaced, ...(wide.get(rootNamespace) ?? []), ...listed];
  const denies = applying.filter(({ action }) => action === 'DENY');
  const allows = applying.filter(({ action }) => action === 'ALLOW');
  const withReason = behaves(istioVersion, 'rejectionReason');
  return {
    attached: keys,
    unknown: keys.filter((key) => !policies.has(key)),
    mutualTls,
    denies,
    allows,
    decide: (connection) => decide(denies, allows, connection, withReason),
  };
}

/** Any DENY that matches denies; then no ALLOW at all, or one that matches, allows (istio/ztunnel 62d82653 src/state.rs). */
function decide(
  denies: readonly ZtunnelPolicy[],
  allows: readonly ZtunnelPolicy[],
  connection: ZtunnelConnection,
  withReason: boolean,
): ZtunnelDecision {
  const peer = readPeer(connection);
  const deniedBy = denies.filter((policy) => policyMatches(policy, peer));
  const [first, second] = deniedBy;
  if (first !== undefined) {
    return {
      outcome: 'deny',
      error: rejection(`explicitly denied by: ${first.key}`, withReason),
      deniedBy,
      nameUncertain: first.scope !== 'WORKLOAD_SELECTOR' && first.scope === second?.scope,
      allowedBy: [],
    };
  }
  const allowedBy = allows.filter((policy) => policyMatches(policy, peer));
  const allowed = allows.length === 0 || allowedBy.length > 0;
  return {
    outcome: allowed ? 'allow' : 'deny',
    error: allowed ? null : rejection('allow policies exist, but none allowed', withReason),
    deniedBy,
    nameUncertain: false,
    allowedBy,
  };
}

function rejection(reason: string, withReason: boolean): string {
  return withReason ? `${REJECTION}: ${reason}` : REJECTION;
}
