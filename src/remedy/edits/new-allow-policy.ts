import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { allowRule } from './allow-rule.ts';
import { securityApi } from './api-version.ts';
import { createObject, draftOf } from './change.ts';
import type { Destination } from './destination.ts';
import { freeName, isLabelValue, isNamespace, nameEndingIn, principalParts } from './names.ts';
import { workloadSelector } from './selector.ts';
import { watchLogs } from './watch.ts';

/** Who is to be admitted, and where. */
export interface Admission {
  readonly finding: Finding;
  readonly mesh: MeshView;
  readonly destination: Destination;
  readonly principal: string;
  /** Who else has the identity, as a sentence; may be empty. */
  readonly shared: string;
}

/** What a policy is bound to; `guessed`: by a label that nobody saw. */
interface Binding {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly namespace: string;
  readonly guessed: boolean;
}

/**
 * A new ALLOW policy for the destination alone that admits one caller. Null: nothing is known that could bind it to the
 * destination, or the requests cannot be listed. Where no mesh is known the label is a guess from the workload's name, and the risk says so.
 */
export function newAllowPolicy({ finding, mesh, destination, principal, shared }: Admission): Draft | null {
  const binding =
    finding.enforcedBy === 'waypoint' ? serviceBinding(finding, destination) : podBinding(destination, mesh);
  if (binding === null) return null;
  const admitted = allowRule(finding, destination, principal);
  if (admitted === null) return null;
  const { namespace, guessed } = binding;
  const target = destination.workload ?? destination.service?.name ?? 'workload';
  const planned = createObject({
    apiVersion: securityApi(mesh),
    kind: 'AuthorizationPolicy',
    namespace,
    name: freeName(mesh, 'AuthorizationPolicy', namespace, nameOf(finding, target, namespace, destination, principal)),
    spec: { ...binding.spec, action: 'ALLOW', rules: [admitted.rule] },
  });
  return draftOf([planned], {
    kind: 'policy-change',
    summary: `Create an ALLOW policy that admits ${principal} to ${namespace}/${target}.`,
    risk: `${guessed ? GUESSED : ''}Admits every pod with that identity.${shared}${admitted.remark}${mesh.known ? '' : FIRST}`,
    verify: watchLogs(finding, mesh, destination),
  });
}

/** Tells apart all that such policies may differ in: who is admitted, to what, on which port, and which proxy decides. */
function nameOf(
  { enforcedBy }: Finding,
  target: string,
  namespace: string,
  { port }: Destination,
  principal: string,
): string {
  const parts = principalParts(principal);
  const home = parts === null || parts.namespace === namespace ? [] : [parts.namespace];
  const ending = enforcedBy === 'waypoint' || port === null ? (enforcedBy ?? 'mesh') : String(port);
  return nameEndingIn(ending, 'allow', ...home, parts?.serviceAccount ?? 'caller', 'to', target);
}

const GUESSED =
  'The label in the selector is a guess from the name of the workload: compare it with the labels of its pods first. ';
const FIRST =
  ' ALLOW policies exist for the destination, as it was refused for lack of one that matches; where one of them lists callers already, extend it rather than add this, and where they admit a waypoint only, let the caller use the Service. For pods without any ALLOW policy this would be the first, and refuse everybody else.';

function podBinding(destination: Destination, mesh: MeshView): Binding | null {
  const { namespace, workload } = destination;
  const matchLabels = workloadSelector(destination, mesh);
  if (matchLabels !== null) return { spec: { selector: { matchLabels } }, namespace, guessed: false };
  if (destination.labels !== null || !isLabelValue(workload)) return null;
  return { spec: { selector: { matchLabels: { app: workload } } }, namespace, guessed: true };
}

/** A waypoint enforces what refers to the Service; the name of the Service was logged. */
function serviceBinding(finding: Finding, destination: Destination): Binding | null {
  const [hostName = '', hostNamespace = ''] = (finding.destination.service ?? '').split('.');
  const name = destination.service?.name ?? hostName;
  const namespace = destination.service?.namespace ?? hostNamespace;
  if (!isNamespace(name) || !isNamespace(namespace)) return null;
  return { spec: { targetRefs: [{ group: '', kind: 'Service', name }] }, namespace, guessed: false };
}
