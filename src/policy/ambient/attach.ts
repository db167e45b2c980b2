import type { AuthorizationPolicy, PeerAuthentication, Selector } from '../../model/policy.ts';
import { hasLabels } from '../../text/labels.ts';
import { type AmbientSettings, byText, policyKey } from './form.ts';
import { attachPeerAuthentication, type MutualTls } from './peer-authentication.ts';

/** The destination pod, as far as policies look at it. A pod without labels has an empty record. */
export interface AmbientWorkload {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What istiod writes on a workload. */
export interface Attachment {
  /** Keys in istiod's order: AuthorizationPolicies with a selector, then the ones made of PeerAuthentications. */
  readonly keys: readonly string[];
  readonly mutualTls: MutualTls;
}

/** Policies by namespace: asking for one workload does not walk through the whole mesh. */
export interface PoliciesByNamespace {
  readonly authorization: ReadonlyMap<string, readonly AuthorizationPolicy[]>;
  readonly peerAuthentication: ReadonlyMap<string, readonly PeerAuthentication[]>;
}

/**
 * Which policies istiod lists on a workload (istio 86c9f01f pilot/pkg/serviceregistry/ambient/workloads.go). Namespace-wide
 * and mesh-wide AuthorizationPolicies apply without being listed.
 */
export function attachPolicies(
  policies: PoliciesByNamespace,
  workload: AmbientWorkload,
  settings: AmbientSettings,
): Attachment {
  const { rootNamespace } = settings;
  const namespaces = new Set([workload.namespace, rootNamespace]);
  const listed = [...namespaces]
    .flatMap((namespace) => policies.authorization.get(namespace) ?? [])
    .filter((policy) => isListed(policy.selector, workload.labels))
    .map(({ ref }) => policyKey(ref.namespace, ref.name))
    .sort(byText);
  const applicable = [...namespaces]
    .flatMap((namespace) => policies.peerAuthentication.get(namespace) ?? [])
    .filter((policy) => isApplicable(policy, workload, rootNamespace));
  const mutualTls = attachPeerAuthentication(applicable, settings);
  return { keys: [...listed, ...mutualTls.attached], mutualTls };
}

/**
 * `selector: {}` is listed nowhere, `matchLabels: {}` everywhere. For a pod without labels istiod leaves the comparison
 * out, so it gets every policy that has `matchLabels`.
 */
function isListed(selector: Selector | null, labels: AmbientWorkload['labels']): boolean {
  if (selector === null || selector.matchLabels === null) return false;
  return Object.keys(labels).length === 0 || hasLabels(labels, selector.matchLabels);
}

function isApplicable(
  { ref, selector }: PeerAuthentication,
  workload: AmbientWorkload,
  rootNamespace: string,
): boolean {
  if (selector === null) return true;
  if (ref.namespace !== workload.namespace && ref.namespace === rootNamespace) return false;
  return hasLabels(workload.labels, selector.matchLabels ?? {});
}
