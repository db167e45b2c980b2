import type { MtlsMode, PeerAuthentication } from '../../model/policy.ts';
import { parseInstant } from '../../text/time.ts';
import { readStringList } from '../match-string.ts';
import {
  type AmbientSettings,
  byText,
  type Constraint,
  policyKey,
  type ZtunnelMatch,
  type ZtunnelPolicy,
} from './form.ts';
import { behaves } from './release.ts';

/** The policy that istiod sends as soon as one PeerAuthentication exists. Kubernetes allows no such name. */
const STATIC_STRICT = 'istio_converted_static_strict';
const CONVERTED_PREFIX = 'converted_peer_authentication_';

/** The oldest object of each level that applies to a workload. */
interface Levels {
  readonly mesh: PeerAuthentication | null;
  readonly namespace: PeerAuthentication | null;
  readonly workload: PeerAuthentication | null;
}

/** What mutual TLS a workload asks for, and by which of ztunnel's policies. */
export interface MutualTls {
  /** The object whose mode holds for ports without one of their own; null: none has a mode, so PERMISSIVE. */
  readonly decidedBy: PeerAuthentication | null;
  /** Keys that istiod lists on the workload. Whether such a policy was generated is another question. */
  readonly attached: readonly string[];
}

/** Name of the policy that stands for a PeerAuthentication with port modes. */
function convertedKey(policy: PeerAuthentication): string {
  return policyKey(policy.ref.namespace, `${CONVERTED_PREFIX}${policy.ref.name}`);
}

/** Key of the policy that denies plaintext on every port. */
function staticStrictKey(rootNamespace: string): string {
  return policyKey(rootNamespace, STATIC_STRICT);
}

/**
 * The oldest of some objects of one level, which is the one that counts; without a time is oldest of all. With equal
 * times istiod's choice is arbitrary; here it is the first by name.
 */
export function oldest(policies: readonly PeerAuthentication[]): PeerAuthentication | null {
  const [first = null] = [...policies].sort(
    (left, right) => byText(bornAt(left), bornAt(right)) || byText(left.ref.name, right.ref.name),
  );
  return first;
}

function bornAt({ createdAt }: PeerAuthentication): string {
  return (createdAt === null ? null : parseInstant(createdAt)) ?? '';
}

/** Denies plaintext on every port (istio 86c9f01f pilot/pkg/serviceregistry/ambient/policies.go). */
function staticStrict(rootNamespace: string): ZtunnelPolicy {
  return denyPolicy(rootNamespace, STATIC_STRICT, null, [[[plaintext('mtls.mode')]]]);
}

/**
 * All policies that istiod makes of the PeerAuthentications of a mesh, given by namespace. A parent is an object without
 * `selector`; `selector: {}` makes none.
 */
export function generatedPolicies(
  policies: ReadonlyMap<string, readonly PeerAuthentication[]>,
  rootNamespace: string,
): readonly ZtunnelPolicy[] {
  if (policies.size === 0) return [];
  const parentIn = (namespace: string): PeerAuthentication | null =>
    oldest((policies.get(namespace) ?? []).filter(({ selector }) => selector === null));
  const mesh = parentIn(rootNamespace);
  const converted = [...policies].flatMap(([namespace, list]) => {
    const parents = { namespace: parentIn(namespace), mesh };
    return list.map((policy) => convertPeerAuthentication(policy, parents, rootNamespace));
  });
  return [staticStrict(rootNamespace), ...converted.filter((policy) => policy !== null)];
}

/**
 * Which policies istiod lists on a workload, given the objects that apply to it: those of the workload's namespace whose
 * selector is absent or matches, and those of the root namespace without a selector (istio 86c9f01f
 * pilot/pkg/serviceregistry/ambient/authorization.go). DISABLE means PERMISSIVE, save that as the mode of a port it does
 * not except from an inherited STRICT.
 */
export function attachPeerAuthentication(
  applicable: readonly PeerAuthentication[],
  settings: AmbientSettings,
): MutualTls {
  const { mesh, namespace, workload } = levelsOf(applicable, settings.rootNamespace);
  const set = (policy: PeerAuthentication | null): boolean => policy !== null && policy.mode !== 'UNSET';
  const inherited = set(namespace) ? namespace : set(mesh) ? mesh : null;
  const decidedBy = set(workload) ? workload : inherited;
  const strict = decidedBy?.mode === 'STRICT';
  const converted = workload !== null && needsConverted(workload, strict) ? convertedKey(workload) : null;
  const absorbed =
    converted !== null && (workload?.mode === 'STRICT' || behaves(settings.istioVersion, 'mergedStrict'));
  const attached = [
    ...(strict && !absorbed ? [staticStrictKey(settings.rootNamespace)] : []),
    ...(converted === null ? [] : [converted]),
  ];
  return { decidedBy, attached: attached.sort(byText) };
}

/** A selector without labels counts as none; one with labels in the root namespace as nothing at all. */
function levelsOf(applicable: readonly PeerAuthentication[], rootNamespace: string): Levels {
  const selects = ({ selector }: PeerAuthentication): boolean => Object.keys(selector?.matchLabels ?? {}).length > 0;
  const inRoot = ({ ref }: PeerAuthentication): boolean => ref.namespace === rootNamespace;
  return {
    mesh: oldest(applicable.filter((policy) => inRoot(policy) && !selects(policy))),
    namespace: oldest(applicable.filter((policy) => !inRoot(policy) && !selects(policy))),
    workload: oldest(applicable.filter((policy) => !inRoot(policy) && selects(policy))),
  };
}

/** Whether the port modes of a workload's object differ from the mode that holds elsewhere, as the listing sees it. */
function needsConverted({ mode, portModes }: PeerAuthentication, strict: boolean): boolean {
  const ports = new Set(portModes.values());
  if (!strict) return ports.has('STRICT');
  return ports.has('PERMISSIVE') || (mode === 'STRICT' && ports.has('DISABLE'));
}

/**
 * The policy that stands for a PeerAuthentication with port modes, or null if istiod makes none. `parents` are the oldest
 * objects without any selector of its own and of the root namespace. What is a parent here and what is already enforced
 * is not judged as in `attachPeerAuthentication`, so a policy may be listed and never sent: then ztunnel skips it, and
 * the port is open (istio 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go).
 */
function convertPeerAuthentication(
  policy: PeerAuthentication,
  parents: { readonly namespace: PeerAuthentication | null; readonly mesh: PeerAuthentication | null },
  rootNamespace: string,
): ZtunnelPolicy | null {
  const { ref, mode, selector, portModes } = policy;
  if (ref.namespace === rootNamespace || selector === null) return null;
  const namespace = parents.namespace?.mode ?? null;
  const mesh = parents.mesh?.mode ?? null;
  const ports = [...portModes].sort(([left], [right]) => left - right);
  const portsWith = (...modes: MtlsMode[]): number[] =>
    ports.filter(([, m]) => modes.includes(m)).map(([port]) => port);

  const strictPorts = strictPortsCovered(mode, namespace, mesh) ? [] : portsWith('STRICT');
  const exceptions = exceptionsCount(mode, namespace, mesh) ? portsWith('PERMISSIVE', 'DISABLE') : [];
  if (mode === 'STRICT' && exceptions.length === 0) return null;
  const exceptional = [
    ...(mode === 'STRICT' ? [[plaintext('mtls.mode')]] : []),
    ...exceptions.map((port) => [onPort(port, true)]),
    ...(exceptions.length > 0 && parentIsStrict(namespace, mesh) ? [[plaintext('mtls.mode')]] : []),
  ];
  const rules = [
    ...strictPorts.map((port) => [[both(plaintext(portPath(port)), onPort(port, false))]]),
    ...(exceptional.length > 0 ? [exceptional] : []),
  ];
  return rules.length === 0 ? null : denyPolicy(ref.namespace, `${CONVERTED_PREFIX}${ref.name}`, policy, rules);
}

/** The mode of a parent; null: there is no such object, which is not always the same as UNSET. */
type ParentMode = MtlsMode | null;

/** Whether the generator takes STRICT ports for enforced already. The mesh's mode counts even under PERMISSIVE. */
function strictPortsCovered(mode: MtlsMode, namespace: ParentMode, mesh: ParentMode): boolean {
  if (mode === 'STRICT' || (mode === 'UNSET' && namespace === 'STRICT')) return true;
  return (namespace === null || namespace === 'UNSET') && mesh === 'STRICT';
}

/** Whether the generator sees a STRICT to except ports from. A namespace's UNSET hides the mesh's STRICT. */
function exceptionsCount(mode: MtlsMode, namespace: ParentMode, mesh: ParentMode): boolean {
  if (mode !== 'UNSET') return mode === 'STRICT';
  return (namespace ?? mesh) === 'STRICT';
}

function parentIsStrict(namespace: ParentMode, mesh: ParentMode): boolean {
  return namespace === 'STRICT' || ((namespace === null || namespace === 'UNSET') && mesh === 'STRICT');
}

function portPath(port: number): string {
  return `portLevelMtls.${port}.mode`;
}

/** Matches connections without an identity. */
function plaintext(path: string): ZtunnelMatch {
  const constraint: Constraint = {
    field: 'principals',
    negated: true,
    path,
    written: ['*'],
    values: readStringList(['*']),
  };
  return { path, constraints: [constraint], lost: [] };
}

/** Matches connections to the port, or, where negated, to any other. */
function onPort(port: number, negated: boolean): ZtunnelMatch {
  const path = portPath(port);
  const constraint: Constraint = { field: 'destinationPorts', negated, path, written: [String(port)], values: [port] };
  return { path, constraints: [constraint], lost: [] };
}

function both(left: ZtunnelMatch, right: ZtunnelMatch): ZtunnelMatch {
  return { ...left, constraints: [...left.constraints, ...right.constraints] };
}

function denyPolicy(
  namespace: string,
  name: string,
  source: PeerAuthentication | null,
  rules: readonly (readonly (readonly ZtunnelMatch[])[])[],
): ZtunnelPolicy {
  return {
    key: policyKey(namespace, name),
    name,
    namespace,
    scope: 'WORKLOAD_SELECTOR',
    action: 'DENY',
    rules: rules.map((clauses, index) => ({ index, clauses })),
    dropped: [],
    source: source?.ref ?? null,
  };
}
