import { destinationEnd, destinationNames, sourceEnd } from '../mesh/ends.ts';
import type { DestinationEnd, SourceEnd } from '../model/finding.ts';
import type { Instant } from '../model/line.ts';
import type { MeshView } from '../model/mesh.ts';
import type { Flow } from '../model/traffic.ts';
import { instantMs } from '../text/time.ts';

/** What was observed, by outcome. */
export interface ObservedTraffic {
  readonly failed: readonly Flow[];
  readonly worked: readonly Flow[];
}

/** An application has few ports: who fails at this many of one destination tries them out. */
const MANY_PORTS = 5;
/** A client that starts may find some of its servers closed; this many at once are more than one client calls. */
const MANY_DESTINATIONS = 10;
/** A sweep is over within minutes; a client that is refused, or a monitoring system, comes back all day. */
const SWEEP_MS = 5 * 60_000;
/** And it knocks once or a few times at each place, where a client tries again and again. */
const MAX_TRIES = 3;

/** All that failed of one source. */
interface Knocks {
  /** Ports by destination. */
  readonly places: Map<string, Set<number | null>>;
  count: number;
  first: Instant | null;
  last: Instant | null;
}

/** What the whole input tells of the callers of its findings. */
export class History {
  readonly #knocks = new Map<string, Knocks>();
  /** Sources for whom something worked. */
  readonly #served = new Set<string>();
  /** Namespace of a caller and a destination, for what worked. */
  readonly #pairs = new Set<string>();

  constructor({ failed, worked }: ObservedTraffic, mesh: MeshView) {
    for (const flow of failed) this.#knock(flow, mesh);
    for (const flow of worked) {
      const source = sourceEnd(flow, mesh);
      const key = keyOf(source);
      if (key !== null) this.#served.add(key);
      for (const name of destinationNames(destinationEnd(flow.record, mesh)))
        this.#pairs.add(`${source.namespace} ${name}`);
    }
  }

  /** Whether some caller of a namespace got through to the destination. */
  hasReached(namespace: string, destination: DestinationEnd): boolean {
    return destinationNames(destination).some((name) => this.#pairs.has(`${namespace} ${name}`));
  }

  /** What was swept by a source that never got through, in words: `7 ports of shop/web`. Null: it is no scanner's way to call. */
  sweepOf(source: SourceEnd): string | null {
    const key = keyOf(source);
    const knocks = key === null || this.#served.has(key) ? undefined : this.#knocks.get(key);
    if (knocks === undefined || !isSweep(knocks)) return null;
    const { places } = knocks;
    if (places.size >= MANY_DESTINATIONS) return `${places.size} destinations`;
    const swept = [...places].filter(([, each]) => each.size >= MANY_PORTS);
    const [place, ports] = swept.toSorted(([one], [other]) => (one < other ? -1 : 1))[0] ?? [];
    return place === undefined || ports === undefined ? null : `${ports.size} ports of ${place}`;
  }

  #knock(flow: Flow, mesh: MeshView): void {
    const { record, count, firstSeen, lastSeen } = flow;
    if (record.kind === 'diagnostic') return;
    const key = keyOf(sourceEnd(flow, mesh));
    const end = destinationEnd(record, mesh);
    const [place] = destinationNames(end);
    if (key === null || place === undefined) return;
    const knocks = this.#knocks.get(key) ?? {
      places: new Map<string, Set<number | null>>(),
      count: 0,
      first: null,
      last: null,
    };
    this.#knocks.set(key, knocks);
    knocks.places.set(place, (knocks.places.get(place) ?? new Set()).add(end.port));
    knocks.count += count;
    if (firstSeen !== null && (knocks.first === null || firstSeen < knocks.first)) knocks.first = firstSeen;
    if (lastSeen !== null && (knocks.last === null || lastSeen > knocks.last)) knocks.last = lastSeen;
  }
}

/** Short, and few tries at each place. Both ends of a connection may have written of it, so that it counts twice. */
function isSweep({ places, count, first, last }: Knocks): boolean {
  const tried = [...places.values()].reduce((sum, ports) => sum + ports.size, 0);
  const isShort = first === null || last === null || instantMs(last) - instantMs(first) <= SWEEP_MS;
  return isShort && count <= 2 * MAX_TRIES * tried;
}

/** Whose calls belong together: an account's, else an address's. */
function keyOf({ principal, addresses }: SourceEnd): string | null {
  return principal ?? addresses[0] ?? null;
}
