import type { MeshView } from '../../model/mesh.ts';
import type { StaticMatch } from '../../model/static.ts';
import { convertPolicy } from '../../policy/ambient/convert.ts';
import type { ZtunnelPolicy, ZtunnelRule } from '../../policy/ambient/form.ts';
import { ambientSettings, GIVE_DATAPLANE } from '../../policy/survey/ambient.ts';
import { enforcersOf } from '../../policy/survey/enforcers.ts';
import { authorizationPolicies } from '../../policy/survey/policies.ts';
import { nameOf } from '../../text/object-ref.ts';
import { asksOfHttp } from './http-at-ztunnel.ts';
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
        drafts: [moveToWaypoint(name)],
      };
    });
  });
}

const CERTAIN = { certainty: 'certain', level: 'error', enforcedBy: 'ztunnel', unchecked: [] } as const;
const NOT_KNOWN = { certainty: 'possible', level: 'note', enforcedBy: null, unchecked: [GIVE_DATAPLANE] } as const;

function causeOf(told: string, ztunnel: true | null): string {
  return ztunnel === true ? `At ztunnel ${told}` : `If a ztunnel enforces it, ${told}`;
}

function moveToWaypoint(rule: string): ReturnType<typeof step> {
  return step(
    'policy-change',
    `Have a waypoint enforce ${rule}: deploy one for the Service, and bind the rule to it with targetRefs in place of the selector.`,
    { risk: 'Callers that reach the pods past the waypoint are not asked: admit the waypoint alone there.' },
  );
}
