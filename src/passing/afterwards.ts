import { destinationEnd, destinationNames, sourceEnd } from '../mesh/ends.ts';
import type { MeshView } from '../model/mesh.ts';
import type { Flow } from '../model/traffic.ts';
import { pathShape } from '../text/path-shape.ts';
import { instantMs } from '../text/time.ts';
import type { Lives } from './lives.ts';

/** What was observed, by outcome. */
export interface Observed {
  readonly failed: readonly Flow[];
  readonly worked: readonly Flow[];
}

/** When the same call was last begun that worked, and that failed, in milliseconds since 1970. Null: at no time that is known. */
export interface Afterwards {
  readonly worked: number | null;
  readonly failed: number | null;
  /** When one of the two ends was last seen in any call. */
  readonly seen: number | null;
}

type Times = Map<string, number>;

interface Names {
  readonly calls: readonly string[];
  readonly pods: readonly string[];
  readonly ends: readonly string[];
}

/** What became of calls: the latest time at which each was seen, by whatever names their ends have in the lines. */
export class Outcomes {
  readonly #worked: Times = new Map();
  readonly #failed: Times = new Map();
  readonly #seen: Times = new Map();
  readonly #mesh: MeshView;
  readonly #lives: Lives;

  constructor({ worked, failed }: Observed, lives: Lives, mesh: MeshView) {
    this.#mesh = mesh;
    this.#lives = lives;
    for (const flow of worked) this.#note(flow, this.#worked);
    for (const flow of failed) this.#note(flow, this.#failed);
  }

  /** What became of the call that a flow tells of; `exactly`: a request counts as the same only with method and path. */
  of(flow: Flow, exactly: boolean): Afterwards {
    const { calls, pods, ends } = this.#namesOf(flow);
    const asked = flow.record.kind === 'diagnostic' ? pods : calls;
    const same = exactly ? asked.map((call) => call + operationOf(flow)) : asked;
    return { worked: latest(this.#worked, same), failed: latest(this.#failed, same), seen: latest(this.#seen, ends) };
  }

  #note(flow: Flow, outcome: Times): void {
    const begun = lastBegun(flow);
    if (begun === null) return;
    const { calls, pods, ends } = this.#namesOf(flow);
    const operation = operationOf(flow);
    for (const name of [...calls, ...pods]) keepLatest(outcome, name, begun);
    if (operation !== '') for (const call of calls) keepLatest(outcome, call + operation, begun);
    for (const end of ends) keepLatest(this.#seen, end, begun);
  }

  /** Under which names a call, the pods that it is about and its two ends are known. */
  #namesOf(flow: Flow): Names {
    const { record } = flow;
    const pods = this.#lives.podsOf(record).map((pod) => `pod ${pod}`);
    if (record.kind === 'diagnostic') return { calls: [], pods, ends: pods };
    const source = sourceEnd(flow, this.#mesh);
    const destination = destinationEnd(record, this.#mesh);
    const workload =
      source.namespace === null || source.workload === null ? null : `${source.namespace}/${source.workload}`;
    const from = [source.principal, workload, record.source.address].filter((name) => name !== null);
    const to = destinationNames(destination).map((name) => `${name}:${destination.port}`);
    const calls = from.flatMap((one) => to.map((other) => `${one} > ${other}`));
    return { calls, pods, ends: [...from.map((one) => `from ${one}`), ...to, ...pods] };
  }
}

/** Method and path of a request; empty for what has none. */
function operationOf({ record }: Flow): string {
  return record.kind === 'request' ? ` ${record.method} ${pathShape(record.path)}` : '';
}

/**
 * When the last call of a flow was begun, at the earliest: ztunnel prints the end of a connection, which may have been opened
 * before the same call began to fail (istio/ztunnel 62d82653 src/proxy/metrics.rs). Envoy prints the beginning (START_TIME).
 */
function lastBegun({ record, lastSeen, maxDurationMs }: Flow): number | null {
  if (lastSeen === null) return null;
  return instantMs(lastSeen) - (record.proxy === 'ztunnel' ? (maxDurationMs ?? 0) : 0);
}

function keepLatest(times: Times, key: string, time: number): void {
  const known = times.get(key);
  if (known === undefined || known < time) times.set(key, time);
}

function latest(times: Times, keys: readonly string[]): number | null {
  const found = keys.map((key) => times.get(key)).filter((time) => time !== undefined);
  return found.length === 0 ? null : Math.max(...found);
}
