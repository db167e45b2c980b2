import type { KubeObject, MeshView } from '../../model/mesh.ts';
import type { AuthorizationPolicy } from '../../model/policy.ts';
import type { Draft } from '../../model/remedy.ts';
import type { StaticMatch } from '../../model/static.ts';
import { canMatch, convertPolicy } from '../../policy/ambient/convert.ts';
import type { ZtunnelPolicy, ZtunnelRule } from '../../policy/ambient/form.ts';
import { ambientSettings, GIVE_DATAPLANE } from '../../policy/survey/ambient.ts';
import { enforcersOf } from '../../policy/survey/enforcers.ts';
import { authorizationPolicies, type Written } from '../../policy/survey/policies.ts';
import { podsSelected } from '../../policy/survey/selection.ts';
import { hasLabels } from '../../text/labels.ts';
import { nameOf, refText } from '../../text/object-ref.ts';
import { draftOf, patchObject } from './change.ts';
import { asksOfHttp } from './http-at-ztunnel.ts';
import { selectedLabels, waypointOf } from './policies.ts';
import { step } from './step.ts';

/** Which rules of a policy come out wrong of istiod's conversion, and what then happens (a sentence about the rule, without what it asked for). */
export interface LossKind {
  readonly pick: (converted: ZtunnelPolicy) => readonly ZtunnelRule[];
  /** Sentence that goes on from "rule 1 of shop/web …"; `asks` is what ztunnel does not get. */
  readonly tell: (asks: string, converted: ZtunnelPolicy) => string;
}

/**
 * The rules of all AuthorizationPolicies that a ztunnel enforces, or may, and that it gets otherwise than they are written. An
 * error where pods or namespace show that a ztunnel enforces them, a note where they do not tell, nothing where sidecars do.
 */
export function lostAtZtunnel(mesh: MeshView, { pick, tell }: LossKind): readonly StaticMatch[] {
  const settings = ambientSettings(mesh);
  return authorizationPolicies(mesh).flatMap(({ object, policy }) => {
    const { ztunnel } = enforcersOf(policy, mesh);
    const converted = convertPolicy(policy, settings).policy;
    if (ztunnel === false || converted === null) return [];
    return pick(converted).map(({ index }) => {
      const rule = policy.rules[index];
      const asks = rule === undefined ? [] : asksOfHttp(rule);
      const name = `rule ${index} of ${nameOf(policy.ref)}`;
      const told = `${name} ${tell(asks.join('; ') || 'the fields it cannot read', converted)}`;
      const at = ['spec', 'rules', index];
      return {
        object,
        at,
        ...(ztunnel === true ? CERTAIN : NOT_KNOWN),
        cause: causeOf(told, ztunnel),
        drafts: [toWaypoint({ object, policy }, converted, mesh) ?? moveToWaypoint(name)],
      };
    });
  });
}

const CERTAIN = { certainty: 'certain', level: 'error', enforcedBy: 'ztunnel', unchecked: [] } as const;
const NOT_KNOWN = { certainty: 'possible', level: 'note', enforcedBy: null, unchecked: [GIVE_DATAPLANE] } as const;

function causeOf(told: string, ztunnel: true | null): string {
  return ztunnel === true ? `At ztunnel ${told}` : `If a ztunnel enforces it, ${told}`;
}

/**
 * Binds a DENY of which ztunnel enforces nothing to the Services of its pods, so that nothing is lost at ztunnel; null: a part
 * of it holds there, a Service has no waypoint, or it speaks of ports, which a Service numbers otherwise.
 */
function toWaypoint(
  { object, policy }: Written<AuthorizationPolicy>,
  converted: ZtunnelPolicy,
  mesh: MeshView,
): Draft | null {
  const speaksOfPorts = policy.rules.some(
    ({ to, when }) =>
      to.some((operation) => [...(operation?.ports ?? []), ...(operation?.notPorts ?? [])].length > 0) ||
      when.some(({ key }) => key === 'destination.port'),
  );
  if (policy.action !== 'DENY' || speaksOfPorts || converted.rules.some(canMatch)) return null;
  const names = servedNames(object, policy, mesh);
  if (names.length === 0) return null;
  const planned = patchObject(object, [
    { op: 'unset', at: ['spec', 'selector'] },
    { op: 'set', at: ['spec', 'targetRefs'], value: names.map((name) => ({ group: '', kind: 'Service', name })) },
  ]);
  if (planned === null) return null;
  return draftOf([planned], {
    kind: 'policy-change',
    summary: `Bind ${refText(policy.ref)} to Service ${names.join(', ')}, so that the waypoint, which sees HTTP, enforces it.`,
    risk: PAST_WAYPOINT,
    verify: [],
  });
}

/** The Services that lead to the pods a policy selects by labels; none: there is none, or one of them has no waypoint. */
function servedNames(object: KubeObject, policy: AuthorizationPolicy, mesh: MeshView): readonly string[] {
  const { namespace } = policy.ref;
  const pods = selectedLabels(object) === null || namespace === mesh.rootNamespace ? [] : podsSelected(policy, mesh);
  const services = mesh.services.filter(
    (service) =>
      service.namespace === namespace &&
      pods.some(({ labels }) => service.selector !== null && hasLabels(labels, service.selector)),
  );
  const isServed = services.every((service) => {
    const destination = { namespace, workload: null, labels: null, pods, service, port: null };
    return waypointOf(destination, mesh) !== null;
  });
  return isServed ? services.map(({ name }) => name) : [];
}

const PAST_WAYPOINT = 'Callers that reach the pods past the waypoint are not asked: admit the waypoint alone there.';

function moveToWaypoint(rule: string): Draft {
  return step(
    'policy-change',
    `Have a waypoint enforce ${rule}: deploy one for the Service, and bind the rule to it with targetRefs in place of the selector.`,
    { risk: PAST_WAYPOINT },
  );
}
