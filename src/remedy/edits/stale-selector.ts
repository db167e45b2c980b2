import type { Finding } from '../../model/finding.ts';
import type { KubeObject, MeshView, ObjectRef } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { meantLabels } from '../../policy/survey/meant-labels.ts';
import { podsAreKnown, podsSelected } from '../../policy/survey/selection.ts';
import { hasLabels } from '../../text/labels.ts';
import { refText } from '../../text/object-ref.ts';
import { shellWord } from '../../text/shell.ts';
import { admitsAlready } from './allow-slots.ts';
import { draftOf, patchObject } from './change.ts';
import type { Destination } from './destination.ts';
import { readPolicy, selectedLabels } from './policies.ts';

/**
 * Drafts that put right the selector of an ALLOW policy which admits this very caller, and is in force nowhere as no pod has
 * the labels it selects by: those of the destination are what it meant. Empty: there is no such policy. Only where ALLOW
 * policies apply already, so that nobody is refused who is not now.
 */
export function correctSelector(finding: Finding, mesh: MeshView, destination: Destination): readonly Draft[] {
  const { labels, namespace } = destination;
  if (labels === null || finding.enforcedBy === 'waypoint') return [];
  return mesh.objectsOf('AuthorizationPolicy', namespace).flatMap((object) => {
    const decoded = readPolicy(object);
    const wanted = selectedLabels(object);
    if (!decoded.ok || decoded.value.action !== 'ALLOW' || decoded.value.dryRun || wanted === null) return [];
    const policy = decoded.value;
    const isIdle = podsAreKnown(policy, mesh) && podsSelected(policy, mesh).length === 0;
    if (!isIdle || !admitsAlready(finding, destination, { object, policy, reach: 0 })) return [];
    const [meant, ...others] = meantLabels(policy.ref, wanted, mesh);
    if (meant === undefined || others.length > 0 || !hasLabels(labels, meant)) return [];
    const draft = selectBy(
      object,
      policy.ref,
      meant,
      'The policy begins to be enforced: it admits all else that it says, too.',
    );
    return draft === null ? [] : [draft];
  });
}

/** Lets a policy select pods by other labels; null: the object does not take that. */
export function selectBy(
  object: KubeObject,
  ref: ObjectRef,
  labels: Readonly<Record<string, string>>,
  risk: string,
): Draft | null {
  const planned = patchObject(object, [{ op: 'set', at: ['spec', 'selector', 'matchLabels'], value: labels }]);
  if (planned === null) return null;
  return draftOf([planned], {
    kind: 'policy-change',
    summary: `Let ${refText(ref)} select pods by ${labelText(labels)}.`,
    risk,
    verify: [`kubectl -n ${shellWord(ref.namespace)} get pods -l ${shellWord(labelText(labels, ','))}`],
  });
}

/** `app=web, tier=front`. */
export function labelText(labels: Readonly<Record<string, string>>, separator = ', '): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(separator);
}
