import { type Known, UNKNOWN } from './known.ts';

/** What Envoy itself sets before the filters run, from what came. Called at most once, when a header is first asked for. */
export type Amendment = (came: HeaderView) => readonly (readonly [string, Known<string | null>])[];

/**
 * Request headers as filters see them: names in lower case, values without blanks around. Filters before may set and
 * remove some. Null: the header is absent; `UNKNOWN`: it may be there.
 */
export class HeaderView {
  readonly #lines: readonly (readonly [string, string])[];
  readonly #complete: boolean;
  readonly #amend: Amendment | null;
  #values: Map<string, Known<readonly string[] | null>> | null = null;

  constructor(lines: readonly (readonly [string, string])[], complete: boolean, amend: Amendment | null = null) {
    this.#lines = lines;
    this.#complete = complete;
    this.#amend = amend;
  }

  /** All values of a header, one an entry. `name` in lower case. */
  get(name: string): Known<readonly string[] | null> {
    const values = this.#map().get(name);
    if (values !== undefined) return values;
    return this.#complete ? null : UNKNOWN;
  }

  /** All values in one text, as Envoy joins them; null: absent. */
  joined(name: string): Known<string | null> {
    const values = this.get(name);
    return values === UNKNOWN || values === null ? values : values.join(',');
  }

  /** A copy in which the header has this value, is absent (null) or may be anything. */
  with(name: string, value: Known<string | null>): HeaderView {
    const copy = new HeaderView(this.#lines, this.#complete);
    copy.#values = new Map(this.#map());
    copy.#values.set(name, listOf(value));
    return copy;
  }

  #map(): Map<string, Known<readonly string[] | null>> {
    if (this.#values !== null) return this.#values;
    const lists = new Map<string, string[]>();
    for (const [written, value] of this.#lines) {
      const name = written.toLowerCase();
      const list = lists.get(name);
      if (list === undefined) lists.set(name, [value.trim()]);
      else list.push(value.trim());
    }
    const values = new Map<string, Known<readonly string[] | null>>(lists);
    this.#values = values;
    for (const [name, value] of this.#amend?.(this) ?? []) values.set(name, listOf(value));
    return values;
  }
}

function listOf(value: Known<string | null>): Known<readonly string[] | null> {
  return value === UNKNOWN || value === null ? value : [value];
}
