import type { KubeObject, MeshView } from '../model/mesh.ts';
import type { Way } from '../model/way.ts';
import { decide } from '../policy/decide.ts';
import { type Probe, type ProbeRequest, UNKNOWN_REQUEST } from '../policy/way/probe.ts';
import { principalOf } from '../text/spiffe.ts';
import { byService } from './by-service.ts';
import { type ControlProbe, controlProbes, otherCalls, requestWords, type Touched } from './control-probes.ts';
import { isWaypointPrincipal } from './edits/waypoint-only.ts';
import { askedOf, tupleOf } from './probes.ts';
import { tellingRequests } from './requests.ts';
import type { Trial } from './trial.ts';

/** Others that a change admits, and others that it moves, of whom it is asked what else they may call. */
const MAX_ADMITTED = 8;

/** What no method, path or header of a rule fits. */
const BARE_CONNECTION: ProbeRequest = { ...UNKNOWN_REQUEST, protocol: 'tcp' };

/** One thing that was tried beside what was seen. */
export interface Control extends ControlProbe {
  readonly text: string;
  readonly before: string;
  readonly after: string;
}

/** Also what was refused for sure, and then hangs on something that is not known. */
export function isOpened({ before, after }: Pick<Control, 'before' | 'after'>): boolean {
  return (before !== 'allow' && after === 'allow') || (before === 'deny' && after === 'unknown');
}

/** Tries a change on everything that nobody saw. */
export class Controls {
  readonly #before: MeshView;
  readonly #after: MeshView;
  readonly #touched: Touched;
  readonly #trial: Trial;

  constructor(before: MeshView, after: MeshView, touched: Touched, trial: Trial) {
    this.#before = before;
    this.#after = after;
    this.#touched = touched;
    this.#trial = trial;
  }

  /**
   * What else is tried beside one call that was seen; of whom it turns out to admit besides, or to bring into the mesh,
   * everything that such a caller may ask; and where policies tell requests apart, others that it opens.
   */
  around(observed: Probe): readonly Control[] {
    const own = { probe: observed, words: 'the same caller' };
    const probes = controlProbes(observed, this.#touched, this.#before);
    const asked = this.#tried(observed, [own, ...probes, ...this.#byServices([own, ...probes])]).slice(1);
    const callers = callersIn(asked.filter(({ probe }) => probe.source !== observed.source));
    const [admitted, others] = [true, false].map((wanted) =>
      callers.filter((controls) => controls.some(isOpened) === wanted).flatMap((controls) => controls.slice(0, 1)),
    );
    // Whom it does not admit there, it may admit elsewhere, unless it is for one caller: of these only what changes is told.
    const isWide =
      this.#touched.onTheWay ||
      this.#trial.wishes.widen === 'namespace' ||
      (admitted ?? []).length > 0 ||
      isOfWaypoint(observed, this.#after);
    const moved = (others ?? []).filter(({ probe }) => isWide || this.#isBroughtIn(probe));
    return [
      ...asked,
      ...this.#callsOf(observed, admitted ?? []),
      ...this.#callsOf(observed, moved).filter(({ before, after }) => before !== after),
    ];
  }

  /** Everything that some other callers may ask. */
  #callsOf(observed: Probe, callers: readonly Control[]): readonly Control[] {
    const calls = callers
      .slice(0, MAX_ADMITTED)
      .flatMap(({ probe, words }) => otherCalls({ ...observed, source: probe.source }, this.#touched, words));
    return this.#tried(observed, [...calls, ...this.#byServices(calls)]);
  }

  /** The same calls through the Services, where waypoints stand before them. */
  #byServices(probes: readonly ControlProbe[]): readonly ControlProbe[] {
    return probes.flatMap(({ words, probe }) => {
      const other = isOfWaypoint(probe, this.#after) ? null : byService(probe, this.#after);
      return other === null ? [] : [{ words: `${words} through the Service`, probe: other }];
    });
  }

  #tried(observed: Probe, probes: readonly ControlProbe[]): readonly Control[] {
    const controls = probes.map((each) => this.#control(each));
    return [...controls, ...this.#byRequest(observed, controls)];
  }

  #control({ words, probe }: ControlProbe): Control {
    const text = `${tupleOf(probe, this.#before)}, ${words}`;
    return {
      words,
      probe,
      text,
      before: this.#trial.outcomeBefore(this.#before, text, probe),
      after: decide(this.#after, askedOf(this.#after, probe)).outcome,
    };
  }

  /** True for the pod of a caller that takes part in the mesh otherwise than before. */
  #isBroughtIn({ source }: Probe): boolean {
    if (this.#before.pods === this.#after.pods || source.kind === 'identity') return false;
    const pods = source.kind === 'pods' ? source.pods : [source.pod].filter((pod) => pod !== null);
    return pods.some(
      ({ namespace, name, dataplane }) => this.#after.podByName(namespace, name)?.dataplane !== dataplane,
    );
  }

  /** At the port that was called each request that is opened; elsewhere one, where none is yet. */
  #byRequest(observed: Probe, tried: readonly Control[]): readonly Control[] {
    const requests = tellingRequests(observed.request, this.#changedObjects(), this.#before);
    if (requests.length === 0) return [];
    const ways = new Map<string, { readonly way: ControlProbe; readonly opened: Control[] }>();
    for (const control of tried) {
      const probe = { ...control.probe, request: UNKNOWN_REQUEST };
      const key = tupleOf(probe, this.#before);
      const known = ways.get(key) ?? { way: { probe, words: control.words }, opened: [] };
      ways.set(key, known);
      if (isOpened(control)) known.opened.push(control);
    }
    return [...ways.values()].flatMap(({ way, opened }) => {
      const isCalled = way.probe.destination === observed.destination;
      if ((opened.length > 0 && !isCalled) || !this.#mayOpen(way)) return [];
      const others = (isCalled ? requests : [...requests, BARE_CONNECTION])
        .map((request) => ({
          words: `${way.words}${requestWords(request, observed.request)}`,
          probe: { ...way.probe, request },
        }))
        .map((each) => this.#control(each))
        .filter(isOpened);
      const texts = new Set(opened.map(({ probe }) => tupleOf(probe, this.#before)));
      const fresh = others
        .map((control) => [tupleOf(control.probe, this.#before), control] as const)
        .filter(([tuple]) => !texts.has(tuple));
      const told = [...new Map(fresh).values(), ...this.#seenOtherwise(observed, others)];
      return isCalled ? told : told.slice(0, 1);
    });
  }

  /** Requests that differ from the one that was seen in headers alone, where not all of them were refused for its reason. */
  #seenOtherwise(observed: Probe, others: readonly Control[]): readonly Control[] {
    const seen = tupleOf(observed, this.#before);
    const alike = others.filter(({ probe }) => tupleOf(probe, this.#before) === seen);
    const reasons = new Set(alike.map(({ probe }) => reasonOf(decide(this.#before, probe))));
    return reasons.size > 1 ? alike : [];
  }

  /** Whether any request may fare otherwise than before. */
  #mayOpen(way: ControlProbe): boolean {
    const { before, after } = this.#control(way);
    return before !== 'allow' && after !== 'deny';
  }

  #changedObjects(): readonly KubeObject[] {
    return this.#touched.objects.map((ref) => this.#after.object(ref)).filter((object) => object !== null);
  }
}

/** Why a request is refused, to the rule: what the proxy that refuses it would print. */
function reasonOf({ because, routes }: Way): string {
  return [because, ...routes.map(({ hops }) => hops.at(-1)?.details ?? '')].join('\n');
}

/** The controls of each caller, in the order in which they were tried. */
function callersIn(controls: readonly Control[]): readonly (readonly Control[])[] {
  const callers = new Map<Probe['source'], Control[]>();
  for (const control of controls) {
    const { source } = control.probe;
    callers.set(source, [...(callers.get(source) ?? []), control]);
  }
  return [...callers.values()];
}

/** A waypoint calls pods, whatever the Service that its clients called, and stands for all of them. */
function isOfWaypoint({ source }: Probe, mesh: MeshView): boolean {
  return source.kind === 'identity' && isWaypointPrincipal(principalOf(source.identity), mesh);
}
