import type { Finding } from '../../model/finding.ts';
import type { KubeObject, MeshView, Pod } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { type End, endOf, type NetworkProbe } from '../../policy/network-match.ts';
import { shellWord } from '../../text/shell.ts';
import { listPods } from '../commands/kubectl.ts';
import { callerName } from './caller.ts';
import { refOf } from './change.ts';
import { destinationOf, sourcePods, TUNNEL_PORT } from './destination.ts';
import { showPolicy } from './kubectl.ts';
import { type Direction, type IsolatingRule, isForPort, isolationOf } from './network-policy.ts';
import { step } from './step.ts';
import { openTunnel } from './tunnel-opening.ts';

/**
 * Drafts for a tunnel that is not answered: port 15008 is added to the NetworkPolicy rule that lets the caller reach the
 * application's port, at the destination and at the caller, wherever no rule lets 15008 through; the rule keeps its peers,
 * and one for everybody gets a neighbour for this caller alone. The tunnel carries every port: a second draft gives the limit
 * to some ports back in an AuthorizationPolicy.
 * Where no NetworkPolicy can be it, a step that says where else to look; where that cannot be told by the objects given,
 * a step that says which are lacking. Never empty.
 */
export function openHbonePort(finding: Finding, mesh: MeshView): readonly Draft[] {
  if (!mesh.known) return [openByHand(finding)];
  const destination = destinationOf(finding, mesh);
  const [target = null] = destination?.pods ?? [];
  const [source = null] = sourcePods(finding, mesh);
  const ends = target === null ? null : endsOf(finding, mesh, source, target, destination?.port ?? null);
  const checks = ends === null ? [] : [check(mesh, ends, 'ingress'), check(mesh, ends, 'egress')];
  const rules = checks.flatMap(({ near }) => (near === null ? [] : [near]));
  const opened = openTunnel(finding, destination, rules, { ingress: source, egress: target }, mesh);
  const drafts = [...opened, ...closed(finding, checks)];
  if (drafts.length > 0) return drafts;
  const gaps = gapsOf(finding, mesh, target, source);
  if (gaps.length > 0) return [checkWith(gaps), openByHand(finding)];
  return [
    lookElsewhere(
      finding,
      target,
      source,
      checks.flatMap(({ openBy }) => openBy),
    ),
  ];
}

/** The two ends of the tunnel, and the two connections that policies are asked about. */
interface Ends {
  readonly source: End;
  readonly destination: End;
  readonly tunnel: NetworkProbe;
  /** What the tunnel carries; null: its port is not known. */
  readonly inner: NetworkProbe | null;
}

function endsOf(finding: Finding, mesh: MeshView, source: Pod | null, target: Pod, port: number | null): Ends {
  const caller = source ?? { ip: finding.source.addresses[0] ?? '' };
  const tunnel: NetworkProbe = { source: caller, destination: target, port: TUNNEL_PORT, protocol: 'TCP' };
  return {
    source: endOf(caller, mesh),
    destination: endOf(target, mesh),
    tunnel,
    inner: port === null ? null : { ...tunnel, port },
  };
}

/** What NetworkPolicies at one end do to the tunnel. */
interface Check {
  /** The rule that is for this caller and the application's port, but not for the tunnel's; null: none, or none is needed. */
  readonly near: IsolatingRule | null;
  /** The policies, if no rule of them is for this caller and port. */
  readonly closedBy: readonly KubeObject[];
  /** The policies that isolate the end and have a rule for the tunnel of this caller. */
  readonly openBy: readonly KubeObject[];
}

function check(mesh: MeshView, ends: Ends, direction: Direction): Check {
  const { tunnel, inner, source, destination } = ends;
  const [own, other] = direction === 'ingress' ? [destination, source] : [source, destination];
  const { policies, rules } = isolationOf(mesh, own, other, direction);
  const open = rules.filter((rule) => rule.peer === true && isForPort(rule, tunnel) === true);
  const openBy = open.map(({ policy }) => policy);
  if (policies.length === 0 || openBy.length > 0) return { near: null, closedBy: [], openBy };
  const candidates = rules.filter(
    (rule) =>
      rule.peer !== false && (inner === null || isForPort(rule, inner) !== false) && isForPort(rule, tunnel) === false,
  );
  const [near = null] = candidates.toSorted((a, b) => rank(a) - rank(b));
  const mayBeOpen = rules.some((rule) => rule.peer !== false && isForPort(rule, tunnel) !== false);
  return { near, closedBy: near === null && !mayBeOpen ? policies : [], openBy };
}

/** A rule that surely is for the caller first, and among those one that is for few. */
function rank({ peer, rule }: IsolatingRule): number {
  return (peer === true ? 0 : 2) + (rule.peers.length > 0 ? 0 : 1);
}

function nameOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** NetworkPolicies that do not know this caller at all: whether it should be let in is no question of the mesh. */
function closed(finding: Finding, checks: readonly Check[]): readonly Draft[] {
  const policies = checks.flatMap(({ closedBy }) => closedBy);
  if (policies.length === 0) return [];
  return [
    step(
      'investigate',
      `NetworkPolicy ${policies.map(nameOf).join(', ')} lets ${callerName(finding)} through on no port: decide whether it should, and if so add a rule for it with its port and TCP ${TUNNEL_PORT}.`,
      {
        risk: 'A rule for port 15008 without peers would open all ports of the pod to everybody.',
        confirm: policies.map((policy) => showPolicy(refOf(policy))),
      },
    ),
  ];
}

/** What the objects given lack for an answer, and the command whose output would hold it. */
interface Gap {
  readonly what: string;
  readonly command: string;
}

function gapsOf(finding: Finding, mesh: MeshView, target: Pod | null, source: Pod | null): readonly Gap[] {
  const pods = 'kubectl get pods -A -o yaml';
  const gap = (isThere: boolean, what: string, command: string): readonly Gap[] => (isThere ? [] : [{ what, command }]);
  const { workload, address } = finding.destination;
  return [
    ...gap(target !== null, `the pod of the destination (${workload ?? address ?? 'unknown'})`, pods),
    ...gap(source !== null, `the pod of the caller (${callerName(finding)})`, pods),
    ...gap(mesh.objectsOf('NetworkPolicy').length > 0, 'any NetworkPolicy', 'kubectl get networkpolicies -A -o yaml'),
  ];
}

function checkWith(gaps: readonly Gap[]): Draft {
  const commands = [...new Set(gaps.map(({ command }) => command))];
  return step(
    'investigate',
    `Whether a NetworkPolicy stops TCP ${TUNNEL_PORT} was not checked: the objects given do not hold ${gaps.map(({ what }) => what).join(', ')}. Save the output of ${commands.join(' and of ')} and give the files with --mesh.`,
    { confirm: commands },
  );
}

function lookElsewhere(finding: Finding, target: Pod | null, source: Pod | null, openBy: readonly KubeObject[]): Draft {
  const namespaces = new Set([
    target?.namespace ?? finding.destination.namespace,
    source?.namespace ?? finding.source.namespace,
  ]);
  const known = [...namespaces].filter((namespace) => namespace !== null);
  const open = [...new Set(openBy.map(nameOf))].join(' and ');
  const lead =
    open === ''
      ? `No NetworkPolicy of the mesh given stops TCP ${TUNNEL_PORT}: look`
      : `By the objects given NetworkPolicy ${open} lets TCP ${TUNNEL_PORT} through for this caller: if that was added since, nothing is left to do. Else look`;
  return step(
    'investigate',
    `${lead} at policies of the CNI, at firewalls and security groups between the nodes, and whether the pod is alive.`,
    {
      confirm: [
        ...known.map((namespace) => `kubectl -n ${shellWord(namespace)} get networkpolicy`),
        'kubectl api-resources | grep -i networkpolic',
        listPods(finding.destination.namespace),
      ],
    },
  );
}

function openByHand(finding: Finding): Draft {
  const namespaces = [finding.destination.namespace, finding.source.namespace].filter(
    (namespace) => namespace !== null,
  );
  return step(
    'network-policy',
    `If a NetworkPolicy lists ports for ${callerName(finding)}, add TCP ${TUNNEL_PORT} to the ports of that same rule, at the destination (ingress) and at the caller (egress).`,
    {
      risk: `Port ${TUNNEL_PORT} carries all ports of the pod: which of them a caller may use is then up to AuthorizationPolicies.`,
      confirm: [...new Set(namespaces)].map(
        (namespace) => `kubectl -n ${shellWord(namespace)} get networkpolicy -o yaml`,
      ),
    },
  );
}
