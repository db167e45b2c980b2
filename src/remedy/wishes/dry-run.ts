import type { KubeObject, MeshView, Pod } from '../../model/mesh.ts';
import type { AuthorizationPolicy, TargetRef } from '../../model/policy.ts';
import type { Draft, ObjectChange } from '../../model/remedy.ts';
import { DRY_RUN_ANNOTATION, decodeAuthorizationPolicy } from '../../policy/decode.ts';
import { isAtLeast } from '../../policy/envoy/settings.ts';
import { validateForApply } from '../../policy/validate.ts';
import { GATEWAY_NAME_LABEL } from '../../policy/way/role.ts';
import { waypointOfService } from '../../policy/way/waypoint.ts';
import { decodeKubeObject } from '../../text/kube-object.ts';
import { refText } from '../../text/object-ref.ts';
import { shellWord } from '../../text/shell.ts';
import { listOf, textOf, valueAt } from '../../text/untyped.ts';
import { inRoot, ztunnelLogs } from '../commands/kubectl.ts';
import { draftOf, type PlannedChange, patchObject } from '../edits/change.ts';
import { createCommand, deleteCommand } from '../edits/kubectl.ts';
import { freeName, nameEndingIn } from '../edits/names.ts';
import { podsUnder } from '../reach/selected-pods.ts';

/** istiod sends dry-run policies to ztunnel only where this is set (istio 1.29 pilot/pkg/features/ambient.go). */
const FLAG = 'AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY';
/** The first ztunnel that only logs them; older ones enforce them (istio 86c9f01f releasenotes authz-dry-run-ambient). */
const SINCE = [1, 29, 0] as const;
const REVISION_LABEL = 'istio.io/rev';

/**
 * The draft as policies that only log what they would do: each changed AuthorizationPolicy is created beside the existing
 * one, which stays as it is, with the annotation `istio.io/dry-run`. It changes no decision, so what is known of the draft
 * (that it fixes the denials) must be proved on the draft itself. A text: why it cannot be had, a sentence without a period.
 */
export function asDryRun(draft: Draft, mesh: MeshView): Draft | string {
  if (draft.changes.length === 0) return 'there is no change of a policy to try';
  const trials: Trial[] = [];
  for (const change of draft.changes) {
    const trial = trialOf(change, mesh);
    if (typeof trial === 'string') return trial;
    trials.push(trial);
  }
  const names = trials.map(({ planned }) => refText(planned.change.object));
  const atZtunnel = trials.some((trial) => trial.atZtunnel);
  const planned = draftOf(
    trials.map((trial) => trial.planned),
    {
      kind: draft.kind,
      summary: `Create ${names.join(' and ')}, which only logs what this would do: ${draft.summary}`,
      risk: `Nothing is enforced, so nothing is repaired yet: it is judged by what it logs.${REMARKS[trials.length > 1 ? 'many' : 'one']}${atZtunnel ? NEEDS_FLAG : ''}`,
      decision: draft.decision,
      verify: [...new Set(trials.flatMap(({ watch }) => watch))],
    },
  );
  if (!atZtunnel) return planned;
  const look = inRoot(mesh, `get deployment -l app=istiod -o yaml | grep -A1 ${FLAG}`);
  return { ...planned, commands: { ...planned.commands, confirm: [...planned.commands.confirm, look] } };
}

/** Dry-run policies are judged apart from those in force (istio 86c9f01f pilot/pkg/security/authz/builder/builder.go). */
const REMARKS = {
  one: ' Policies in dry-run are judged without those in force: callers that only others admit show up as denied in them.',
  many: ' Policies in dry-run are judged together, but without those in force: callers that only others admit show up as denied in them.',
} as const;
const NEEDS_FLAG = ` ztunnel is told of it only if istiod has ${FLAG}=true, which needs every ztunnel to be 1.29 or newer: older ones would enforce it.`;

/** One policy on trial. */
interface Trial {
  readonly planned: PlannedChange;
  readonly atZtunnel: boolean;
  /** Commands that show what it logs. */
  readonly watch: readonly string[];
}

function trialOf({ op, object, after }: ObjectChange, mesh: MeshView): Trial | string {
  const name = refText(object);
  if (object.kind !== 'AuthorizationPolicy') return `Istio has no dry-run for ${name}: only for AuthorizationPolicies`;
  if (op === 'delete' || after === null) return `what ${name} would be is not known`;
  const changed = decodeKubeObject(after, { file: '', document: 0 });
  const decoded = typeof changed === 'string' ? null : decodeAuthorizationPolicy(changed);
  if (typeof changed === 'string' || !decoded?.ok) return `what ${name} would be cannot be read`;
  const policy = decoded.value;
  if (policy.action !== 'ALLOW' && policy.action !== 'DENY')
    return `Istio has no dry-run for the action ${policy.action} of ${name}`;
  const pods = podsUnder(changed, mesh);
  const atZtunnel =
    policy.targetRefs.length === 0 && (pods.length === 0 || pods.some((pod) => mayBeAmbient(pod, mesh)));
  const refusal = atZtunnel ? ztunnelRefusal(mesh) : null;
  if (refusal !== null) return `${name} may be enforced by a ztunnel: ${refusal}`;
  const planned = besides(changed, mesh);
  if (planned === null) return `${name} would not be accepted with the annotation ${DRY_RUN_ANNOTATION}`;
  return { planned, atZtunnel, watch: watchCommands(policy, pods, atZtunnel, mesh) };
}

/** Of pods that are only manifests, and of whose namespace nothing is known, nobody can tell. */
function mayBeAmbient({ dataplane, namespace }: Pod, mesh: MeshView): boolean {
  if (dataplane !== 'unknown') return dataplane === 'ambient';
  return !mesh.namespaces.some(({ name }) => name === namespace);
}

/** Why a ztunnel must not be told of a dry-run policy; null: as far as the mesh given shows, it only logs. */
function ztunnelRefusal(mesh: MeshView): string | null {
  if (mesh.istioVersion === null)
    return 'which release runs is not known, and before 1.29 it may enforce a dry-run policy';
  const old = [mesh.istioVersion, ...ztunnelReleases(mesh)].find((release) => !isAtLeast(release, SINCE));
  if (old !== undefined) return `release ${old} has no dry-run there and may enforce the policy: it came with 1.29`;
  const isSet = istiods(mesh).map((container) =>
    listOf(valueAt(container, 'env')).some(
      (entry) => valueAt(entry, 'name') === FLAG && valueAt(entry, 'value') === 'true',
    ),
  );
  return isSet.every((set) => set) ? null : `istiod does not tell it of dry-run policies unless ${FLAG}=true is set`;
}

/** Releases of ztunnel by the tags of its images; tags that are none are left out. */
function ztunnelReleases(mesh: MeshView): readonly string[] {
  return containersIn(mesh, ['DaemonSet', 'Pod']).flatMap((container) => {
    const image = textOf(valueAt(container, 'image')) ?? '';
    return /(?:^|\/)ztunnel:v?(1\.[^@]+)/.exec(image)?.[1] ?? [];
  });
}

/** Containers of istiod, as far as they are among the objects. */
function istiods(mesh: MeshView): readonly unknown[] {
  return containersIn(mesh, ['Deployment', 'Pod']).filter((container) => valueAt(container, 'name') === 'discovery');
}

function containersIn(mesh: MeshView, kinds: readonly string[]): readonly unknown[] {
  return kinds
    .flatMap((kind) => mesh.objectsOf(kind, mesh.rootNamespace))
    .flatMap(({ kind, raw }) => {
      const spec = kind === 'Pod' ? valueAt(raw, 'spec') : valueAt(raw, 'spec', 'template', 'spec');
      return listOf(valueAt(spec, 'containers'));
    });
}

/** The changed policy as a new one under another name. Null: admission would refuse it, or it is not readable. */
function besides(changed: KubeObject, mesh: MeshView): PlannedChange | null {
  const { kind, apiVersion } = changed;
  const { namespace, labels } = changed.metadata;
  const name = freeName(mesh, kind, namespace, nameEndingIn('dry-run', changed.metadata.name));
  const revision = labels?.[REVISION_LABEL];
  const metadata = {
    name,
    namespace,
    labels: {
      'app.kubernetes.io/managed-by': 'meshmend',
      ...(revision === undefined ? {} : { [REVISION_LABEL]: revision }),
    },
    annotations: { [DRY_RUN_ANNOTATION]: 'true' },
  };
  const written = patchObject(changed, [
    { op: 'set', at: ['metadata'], value: metadata },
    { op: 'unset', at: ['status'] },
  ]);
  const after = written?.change.after ?? null;
  const object = after === null ? 'unchanged' : decodeKubeObject(after, changed.source);
  if (written === null || after === null || typeof object === 'string' || !validateForApply(object).valid) return null;
  const ref = { apiVersion, kind, namespace, name };
  return {
    change: { ...written.change, op: 'create', object: ref, before: null, jsonPatch: null, file: null },
    ...createCommand(after),
    rollback: deleteCommand(ref),
  };
}

/**
 * Envoy tells by its debug log, and by metrics with `authz_dry_run_result` (istio.io tasks/security/authorization/
 * authz-dry-run), never by the access log; ztunnel by debug lines, which 1.30 can lift to info
 * (`AUTHZ_POLICY_INFO_LOGGING`, istio/ztunnel 62d82653 src/state.rs).
 */
function watchCommands(
  policy: AuthorizationPolicy,
  pods: readonly Pod[],
  atZtunnel: boolean,
  mesh: MeshView,
): readonly string[] {
  const ofZtunnel = atZtunnel ? ['istioctl ztunnel-config log --level state:debug', ztunnelLogs(mesh, 'dry-run')] : [];
  const proxy = proxyOf(policy, pods, mesh);
  if (proxy === null) return ofZtunnel;
  const [namespace, name] = [shellWord(proxy.namespace), shellWord(proxy.name)];
  const kubectl = `kubectl -n ${namespace}`;
  return [
    ...ofZtunnel,
    `istioctl proxy-config log ${name}.${namespace} --level rbac:debug`,
    `${kubectl} logs ${name} -c istio-proxy --since=10m | grep -E 'shadow (allowed|denied), matched policy'`,
    `${kubectl} exec ${name} -c istio-proxy -- pilot-agent request GET stats/prometheus | grep authz_dry_run_result`,
  ];
}

interface Proxy {
  readonly namespace: string;
  /** As kubectl and istioctl take it: a pod, or `deploy/NAME`. */
  readonly name: string;
}

/** One Envoy that judges by the policy; null: there is none. */
function proxyOf({ ref, targetRefs }: AuthorizationPolicy, pods: readonly Pod[], mesh: MeshView): Proxy | null {
  const [target] = targetRefs;
  if (target !== undefined) return proxyOfTarget(target, ref.namespace, mesh);
  const pod = pods.find((each) => each.dataplane !== 'ambient' && each.dataplane !== 'none');
  return pod === undefined ? null : { namespace: pod.namespace, name: pod.name };
}

function proxyOfTarget({ kind, name }: TargetRef, namespace: string, mesh: MeshView): Proxy | null {
  if (kind === 'Gateway') return gatewayProxy(namespace, name, mesh);
  const service = kind === 'Service' ? mesh.serviceByHost(`${name}.${namespace}`) : null;
  const answer = service === null ? null : waypointOfService(service, mesh);
  if (answer === null || answer.kind === 'none') return null;
  const [home = '', gateway = ''] = (answer.kind === 'unknown' ? answer.name : answer.waypoint.name).split('/');
  return gatewayProxy(home, gateway, mesh);
}

function gatewayProxy(namespace: string, name: string, mesh: MeshView): Proxy {
  const pod = mesh.pods.find((each) => each.namespace === namespace && each.labels[GATEWAY_NAME_LABEL] === name);
  return { namespace, name: pod?.name ?? `deploy/${name}` };
}
