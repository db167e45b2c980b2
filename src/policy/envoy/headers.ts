import { type Known, UNKNOWN } from './known.ts';

/** What Envoy itself makes of a header before the filters run: `came` is what the client sent. Null: absent. */
export type Amendment = (name: string, came: Known<readonly string[] | null>) => Known<readonly string[] | null>;

/**
 * Request headers as filters see them: names in lower case, values without blanks around. Filters before may set and
 * remove some. Null: the header is absent; `UNKNOWN`: it may be there.
 */
export class HeaderView {
  readonly #lines: readonly (readonly [string, string])[];
  readonly #complete: boolean;
  readonly #amend: Amendment | null;
  readonly #set: ReadonlyMap<string, string | null> | null;

  constructor(
    lines: readonly (readonly [string, string])[],
    complete: boolean,
    amend: Amendment | null = null,
    set: ReadonlyMap<string, string | null> | null = null,
  ) {
    this.#lines = lines;
    this.#complete = complete;
    this.#amend = amend;
    this.#set = set;
  }

  /** All values of a header, one an entry. `name` in lower case. */
  get(name: string): Known<readonly string[] | null> {
    const set = this.#set?.get(name);
    if (set !== undefined) return set === null ? null : [set];
    const came = this.#came(name);
    return this.#amend === null ? came : this.#amend(name, came);
  }

  /** All values in one text, as Envoy joins them; null: absent. */
  joined(name: string): Known<string | null> {
    const values = this.get(name);
    return values === UNKNOWN || values === null ? values : values.join(',');
  }

  /** A copy in which the header has this value, or is absent (null). */
  with(name: string, value: string | null): HeaderView {
    const set = new Map(this.#set ?? []).set(name, value);
    return new HeaderView(this.#lines, this.#complete, this.#amend, set);
  }

  #came(name: string): Known<readonly string[] | null> {
    let values: string[] | null = null;
    for (const [written, value] of this.#lines) {
      if (written.length !== name.length || written.toLowerCase() !== name) continue;
      if (values === null) values = [value.trim()];
      else values.push(value.trim());
    }
    return values ?? (this.#complete ? null : UNKNOWN);
  }
}
