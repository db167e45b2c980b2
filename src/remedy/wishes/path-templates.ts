import type { Flow } from '../../model/traffic.ts';
import { matchesPathTemplate, parsePathTemplate } from '../../policy/envoy/path-template.ts';
import { pathShape, plainPath } from '../../text/path-shape.ts';
import { standsForOthers } from '../edits/index.ts';

/** More paths or methods than this are no list of what a caller needs. */
const MAX_LISTED = 8;
/** Different paths that are compared with each other. */
const MAX_COMPARED = 64;
const ANY = '{*}';
const METHOD = /^[A-Z]{1,20}$/;
/** What Istio takes for a literal beside a template, without escapes (istio 86c9f01f pkg/config/security/security.go). */
const SEGMENT = /^(?!\.\.?$)[A-Za-z0-9._~!$&'()+,;:@=-]{1,200}$/;

/** Methods and paths as an operation of a rule has them: every method was seen with every path, or one of its form. */
export interface TemplateOperation {
  readonly methods: readonly string[];
  readonly paths: readonly string[];
}

/**
 * The requests of some flows as few operations, with path templates of Istio (`/users/{*}/orders`) where at least two paths
 * of one method were seen that agree in all but some whole segments. Never fewer segments that agree than that differ.
 * Null: no two paths are alike so, or what else was seen cannot be listed beside them.
 */
export function templatesOf(flows: readonly Flow[]): readonly TemplateOperation[] | null {
  const byMethod = seenByMethod(flows);
  if (byMethod === null) return null;
  const operations = new Map<string, TemplateOperation>();
  for (const [method, seen] of byMethod) {
    const paths = patternsOf(seen);
    if (paths === null || paths.length > MAX_LISTED) return null;
    const key = paths.join(' ');
    operations.set(key, { methods: [...(operations.get(key)?.methods ?? []), method].toSorted(), paths });
  }
  const listed = [...operations.values()];
  const isWider = listed.some(({ paths }) => paths.some((path) => path.includes(ANY)));
  return isWider && listed.length <= MAX_LISTED ? listed : null;
}

/** Null: not all of it can be listed. */
function seenByMethod(flows: readonly Flow[]): ReadonlyMap<string, readonly Seen[]> | null {
  const byMethod = new Map<string, Seen[]>();
  for (const flow of flows) {
    const { record } = flow;
    if (record.kind !== 'request') continue;
    const { method } = record;
    const path = record.path === null ? null : plainPath(record.path);
    if (method === null || !METHOD.test(method) || path === null || !isListable(path)) return null;
    const [segments, shape] = [path, pathShape(path)].map((text) => text.slice(1).split('/'));
    const seen = { segments: segments ?? [], shape: shape ?? [], varies: standsForOthers(flow) };
    byMethod.set(method, [...(byMethod.get(method) ?? []), seen]);
  }
  return byMethod;
}

/** A path that was seen. `shape`: the same with `*` for segments that look like ids. */
interface Seen {
  readonly segments: readonly string[];
  readonly shape: readonly string[];
  /** Stands for several requests whose paths differ in such segments. */
  readonly varies: boolean;
}

/** Only the last segment may be empty. */
function isListable(path: string): boolean {
  const segments = path.split('/');
  return (
    segments.length > 1 &&
    segments.every((segment, index) =>
      index === 0 || (index === segments.length - 1 && segment === '') ? segment === '' : SEGMENT.test(segment),
    )
  );
}

/** Few patterns that match all; null: there are too many different paths. */
function patternsOf(seen: readonly Seen[]): readonly string[] | null {
  const byShape = new Map<string, Seen[]>();
  for (const one of seen) {
    const key = one.shape.join('/');
    byShape.set(key, [...(byShape.get(key) ?? []), one]);
  }
  const patterns = [...byShape.values()].flatMap(commonOf);
  const templates = patterns.filter((segments) => segments.includes(ANY)).map(textOf);
  const literals = patterns.filter((segments) => !segments.includes(ANY) && !isCovered(segments, templates));
  if (literals.length > MAX_COMPARED) return null;
  return [...templates, ...clustered(literals)].toSorted();
}

/** The paths of one shape as one pattern; each by itself if that would be of ids only. */
function commonOf(group: readonly Seen[]): readonly (readonly string[])[] {
  const [first] = group;
  if (first === undefined) return [];
  const pattern = first.segments.map((segment, index) => {
    const isId = first.shape[index] === '*' && segment !== '*';
    const differs = group.some((one) => one.segments[index] !== segment || (one.varies && isId));
    return differs ? ANY : segment;
  });
  return pattern.some((segment) => segment !== ANY && segment !== '')
    ? [pattern]
    : group.map(({ segments }) => segments);
}

function textOf(segments: readonly string[]): string {
  return `/${segments.join('/')}`;
}

function isCovered(segments: readonly string[], templates: readonly string[]): boolean {
  return templates.some((written) => {
    const template = parsePathTemplate(written);
    return template !== null && matchesPathTemplate(template, textOf(segments));
  });
}

/** Puts together what differs in the fewest segments first, of those the largest group; the others stay as they are. */
function clustered(paths: readonly (readonly string[])[]): readonly string[] {
  const found: string[] = [];
  let left = paths;
  for (;;) {
    const best = bestTemplate(left);
    if (best === null) return [...found, ...left.map(textOf)];
    found.push(best);
    left = left.filter((segments) => !isCovered(segments, [best]));
  }
}

function bestTemplate(paths: readonly (readonly string[])[]): string | null {
  const candidates = new Map<string, { differing: number; pairs: number }>();
  for (const [index, one] of paths.entries()) {
    for (const other of paths.slice(index + 1)) {
      const segments = merged(one, other);
      if (segments === null) continue;
      const text = textOf(segments);
      const differing = segments.filter((segment) => segment === ANY).length;
      candidates.set(text, { differing, pairs: (candidates.get(text)?.pairs ?? 0) + 1 });
    }
  }
  const [best] = [...candidates].toSorted(
    ([oneText, one], [otherText, other]) =>
      one.differing - other.differing || other.pairs - one.pairs || (oneText < otherText ? -1 : 1),
  );
  return best?.[0] ?? null;
}

/** Null: they have too little in common. */
function merged(one: readonly string[], other: readonly string[]): readonly string[] | null {
  if (one.length !== other.length) return null;
  const segments = one.map((segment, index) => (segment === other[index] ? segment : ANY));
  const differing = segments.filter((segment) => segment === ANY).length;
  const agreeing = segments.filter((segment) => segment !== ANY && segment !== '').length;
  const fits = segments.every((segment, index) => segment !== ANY || (one[index] !== '' && other[index] !== ''));
  return fits && agreeing > 0 && agreeing >= differing ? segments : null;
}
