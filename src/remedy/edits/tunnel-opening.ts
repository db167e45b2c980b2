import type { Finding } from '../../model/finding.ts';
import type { MeshView, Pod } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { shellWord } from '../../text/shell.ts';
import { peerOf, wireName } from './admit-peer.ts';
import { type ChangeNotes, draftOf, type PlannedChange, patchObject } from './change.ts';
import { type Destination, TUNNEL_PORT } from './destination.ts';
import type { Edit } from './json-patch.ts';
import type { Direction, IsolatingRule } from './network-policy.ts';
import { type PortLimit, portLimit } from './port-limit.ts';

/**
 * Drafts that let the tunnel through by the rules that let its caller reach the application, without the limit to some ports
 * and, where there was one, with it given back. `others`: who is at the other end of a rule of each direction. Empty: no rule
 * can be changed so.
 */
export function openTunnel(
  finding: Finding,
  destination: Destination | null,
  rules: readonly IsolatingRule[],
  others: Readonly<Record<Direction, Pod | null>>,
  mesh: MeshView,
): readonly Draft[] {
  const openings = rules.map((rule) => openIn(rule, others, mesh)).filter((opening) => opening !== null);
  if (openings.length === 0) return [];
  const planned = openings.map((opening) => opening.planned);
  const isForAll = openings.some(({ rule, alone }) => rule.rule.peers.length === 0 && alone === null);
  const { namespace } = finding.source;
  const place = namespace === null ? '' : ` --workload-namespace ${shellWord(namespace)}`;
  const notes: ChangeNotes = {
    kind: 'network-policy',
    summary: summaryOf(openings),
    risk: `Port ${TUNNEL_PORT} carries all ports of the pod: which of them a caller may use is then up to AuthorizationPolicies.${isForAll ? ' The rule names no peers, so the port opens for everybody, as its other ports are.' : ''}`,
    verify: [`istioctl ztunnel-config connections${place}`],
  };
  const isAtDestination = openings.some(({ rule }) => rule.direction === 'ingress');
  const limit = destination === null || !isAtDestination ? null : portLimit(destination, mesh);
  const whole = draftOf(planned, notes);
  return limit === null ? [whole] : [whole, withLimit(planned, limit, notes)];
}

/** How the tunnel is let through at one end. */
interface Opening {
  readonly rule: IsolatingRule;
  readonly planned: PlannedChange;
  /** Who gets a rule of its own; null: the rule gets the port. */
  readonly alone: Pod | null;
}

/**
 * A rule that names peers gets the port; beside one for everybody stands a new one for this caller alone.
 */
function openIn(rule: IsolatingRule, others: Readonly<Record<Direction, Pod | null>>, mesh: MeshView): Opening | null {
  const { policy, direction, index } = rule;
  const port = { protocol: 'TCP', port: TUNNEL_PORT };
  const other = rule.rule.peers.length > 0 ? null : others[direction];
  const peer = other === null ? null : peerOf(other, policy.metadata.namespace, mesh);
  const own = { [direction === 'ingress' ? 'from' : 'to']: [peer], ports: [port] };
  const edit: Edit =
    peer === null
      ? { op: 'append', at: ['spec', direction, index, 'ports'], value: port }
      : { op: 'append', at: ['spec', direction], value: own };
  const planned = patchObject(policy, [edit]);
  return planned === null ? null : { rule, planned, alone: peer === null ? null : other };
}

function withLimit(planned: readonly PlannedChange[], limit: PortLimit, notes: ChangeNotes): Draft {
  const ports = `TCP ${limit.ports.join(', ')}`;
  return draftOf([...planned, limit.planned], {
    ...notes,
    summary: `${notes.summary} The new DENY AuthorizationPolicy ${limit.name} keeps callers to ${ports}, as the tunnel carries every port.`,
    risk: `What ports there are is then said in two places: a port that is added to the NetworkPolicy has to be added to AuthorizationPolicy ${limit.name} too.`,
  });
}

function summaryOf(openings: readonly Opening[]): string {
  const places = openings
    .filter(({ alone }) => alone === null)
    .map(({ rule }) => `${rule.direction} rule ${rule.index} of NetworkPolicy ${nameOf(rule)}`);
  const own = openings.flatMap(({ rule, alone }) => {
    if (alone === null) return [];
    const whom = rule.direction === 'ingress' ? wireName(alone) : `calls to ${wireName(alone)}`;
    return [
      `Let ${whom} alone through on TCP ${TUNNEL_PORT} by an ${rule.direction} rule of its own in NetworkPolicy ${nameOf(rule)}.`,
    ];
  });
  const added = places.length === 0 ? [] : [`Add TCP ${TUNNEL_PORT} to ${places.join(' and ')}.`];
  return [...added, ...own].join(' ');
}

function nameOf({ policy: { metadata } }: IsolatingRule): string {
  return `${metadata.namespace}/${metadata.name}`;
}
