import type { Finding } from '../../model/finding.ts';
import type { MeshView, ObjectRef } from '../../model/mesh.ts';
import type { PolicyRule, PolicySource } from '../../model/policy.ts';
import type { Draft } from '../../model/remedy.ts';
import { allOf } from '../../policy/network-match.ts';
import { shellWord } from '../../text/shell.ts';
import type { Destination } from './destination.ts';
import { callOf, fromFits, isLayer4Key, restFits } from './fit.ts';
import { showPolicy } from './kubectl.ts';
import { type AppliedPolicy, waypointOf } from './policies.ts';
import { step } from './step.ts';

/** A rule that ztunnel does not get as it is written, since it asks about HTTP. */
export interface LostRule {
  readonly ref: ObjectRef;
  /** Index in `spec.rules`. */
  readonly rule: number;
  /** What it asks of HTTP: `methods GET, HEAD`. */
  readonly asks: readonly string[];
}

/** Rules of ALLOW policies that were meant for the call, and that istiod leaves out at ztunnel (istio 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go). */
export function lostRules(
  finding: Finding,
  destination: Destination,
  policies: readonly AppliedPolicy[],
): readonly LostRule[] {
  if (finding.enforcedBy !== 'ztunnel') return [];
  return policies.flatMap(({ policy: { ref, rules } }) => {
    const call = { ...callOf(finding, destination.port, ref.namespace), layer4: false };
    return rules.flatMap((rule, index) => {
      const asks = asksOfHttp(rule);
      const isMeant = allOf([fromFits(rule, call, 'ALLOW'), restFits(rule, call, 'ALLOW')]) !== false;
      return asks.length > 0 && isMeant ? [{ ref, rule: index, asks }] : [];
    });
  });
}

const HTTP_SOURCE = ['requestPrincipals', 'notRequestPrincipals', 'remoteIpBlocks', 'notRemoteIpBlocks'] as const;
const HTTP_OPERATION = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'] as const;

/** What a rule asks of HTTP, which ztunnel does not know: `methods GET, HEAD`. */
export function asksOfHttp({ from, to, when }: PolicyRule): readonly string[] {
  const asked = (field: string, list: readonly string[]): readonly string[] =>
    list.length > 0 ? [`${field} ${list.join(', ')}`] : [];
  const sources = from.filter((source): source is PolicySource => source !== null);
  return [
    ...sources.flatMap((source) => HTTP_SOURCE.flatMap((field) => asked(field, source[field]))),
    ...to.flatMap((operation) => HTTP_OPERATION.flatMap((field) => asked(field, operation?.[field] ?? []))),
    ...when
      .filter(({ key }) => !isLayer4Key(key))
      .flatMap(({ key, values, notValues }) => asked(key, [...values, ...notValues])),
  ];
}

/** The step that has those rules enforced where HTTP is seen. */
export function bindToWaypoint(lost: readonly LostRule[], destination: Destination, mesh: MeshView): Draft {
  const refs = [...new Set(lost.map(({ ref }) => ref))];
  const names = refs.map(({ namespace, name }) => `${namespace}/${name}`);
  const { service, namespace } = destination;
  const target = service === null ? 'the Service' : `Service ${service.namespace}/${service.name}`;
  const waypoint = waypointOf(destination, mesh);
  const deploy =
    waypoint === null ? `give ${target} a waypoint (istioctl waypoint apply -n ${shellWord(namespace)})` : '';
  const bind = `in AuthorizationPolicy ${names.join(' and ')} replace the selector by targetRefs to ${target}`;
  const enforcer = waypoint === null ? 'the waypoint' : `waypoint ${waypoint.namespace}/${waypoint.name}`;
  return step(
    'policy-change',
    `Have HTTP rules enforced by a waypoint: ${[deploy, bind].filter((part) => part !== '').join(', and ')}, so that ${enforcer} enforces ${told(lost)}, which ztunnel leaves out as it sees no HTTP.`,
    {
      risk: 'The pods are then guarded by what is left at ztunnel only: add a policy with a selector there that admits the waypoint alone, and check that callers use the Service.',
      confirm: [
        ...refs.map(showPolicy),
        `kubectl -n ${shellWord(namespace)} get gateways.gateway.networking.k8s.io,services --show-labels`,
      ],
    },
  );
}

/** What a rule for ztunnel loses of them, as a sentence with a blank in front; empty: there are none. */
export function lossRemark(lost: readonly LostRule[]): string {
  return lost.length === 0
    ? ''
    : ` The restriction to ${told(lost)} is lost: ztunnel cannot enforce it, so the caller may send any request on the port.`;
}

function told(lost: readonly LostRule[]): string {
  return lost.map(({ ref, rule, asks }) => `${asks.join(', ')} (rule ${rule} of ${ref.name})`).join('; ');
}
