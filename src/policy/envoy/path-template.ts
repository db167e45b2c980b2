/** Characters that `{*}` and `{**}` stand for (envoy 1.40 source/extensions/path/uri_template_lib). */
const GLOB = "a-zA-Z0-9\\-._~%!$&'()+,;:@=*";
const SEGMENT = new RegExp(`^[${GLOB}]+$`);
const TEXT = new RegExp(`^[${GLOB}/]*$`);
const LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/;

/** A segment that must be equal, or `{*}` followed by a literal text (mostly none). */
type Part = { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'segment'; readonly suffix: string };

/** A compiled path template. */
interface PathTemplate {
  /** Segments before `{**}`, or all. */
  readonly head: readonly Part[];
  /** What follows `{**}`, with its slash. Null: there is no `{**}`. */
  readonly end: string | null;
}

/** Whether Istio hands the path to Envoy's template matcher (istio 86c9f01f pkg/config/security/security.go). */
export function isPathTemplate(path: string): boolean {
  return path.includes('{*}') || path.includes('{**}');
}

/**
 * Reads a template; null where Envoy refuses the configuration: no leading slash, an operator inside a segment or after
 * `{**}`, an empty segment that is not the last, other characters.
 */
export function parsePathTemplate(written: string): PathTemplate | null {
  // istio 86c9f01f pilot/pkg/security/authz/matcher/template.go, in this order: `{*}*` becomes `**`.
  const pattern = written.replaceAll('{*}', '*').replaceAll('{**}', '**');
  if (!pattern.startsWith('/')) return null;
  const segments = pattern.slice(1).split('/');
  const text = segments.findIndex((segment) => segment.startsWith('**'));
  const head = partsOf(text < 0 ? segments : segments.slice(0, text), text < 0);
  if (head === null) return null;
  if (text < 0) return { head, end: null };
  const suffix = (segments[text] ?? '').slice(2);
  const tail = segments.slice(text + 1);
  if (suffix !== '') return tail.length === 0 && LITERAL.test(suffix) ? { head, end: suffix } : null;
  const placed = tail.every((segment, index) => isLiteral(segment, index === tail.length - 1));
  return placed ? { head, end: tail.map((segment) => `/${segment}`).join('') } : null;
}

/** Only the last segment may be empty (a trailing slash) or have a text after its operator. */
function partsOf(segments: readonly string[], whole: boolean): readonly Part[] | null {
  const parts: Part[] = [];
  for (const [index, segment] of segments.entries()) {
    const last = whole && index === segments.length - 1;
    const suffix = segment.slice(1);
    if (segment.startsWith('*') && (suffix === '' || (last && LITERAL.test(suffix)))) {
      parts.push({ kind: 'segment', suffix });
    } else if (isLiteral(segment, last)) {
      parts.push({ kind: 'literal', text: segment });
    } else {
      return null;
    }
  }
  return parts;
}

function isLiteral(segment: string, last: boolean): boolean {
  return LITERAL.test(segment) || (last && segment === '');
}

/** Compares a path without query. Linear time. */
export function matchesPathTemplate(template: PathTemplate, path: string): boolean {
  if (!path.startsWith('/')) return false;
  const { head, end } = template;
  const segments = path.slice(1).split('/');
  if (end === null) return segments.length === head.length && headMatches(head, segments);
  if (segments.length <= head.length || !headMatches(head, segments)) return false;
  const rest = segments.slice(head.length).join('/');
  return rest.endsWith(end) && TEXT.test(rest.slice(0, rest.length - end.length));
}

function headMatches(head: readonly Part[], segments: readonly string[]): boolean {
  return head.every((part, index) => {
    const segment = segments[index] ?? '';
    if (part.kind === 'literal') return part.text === segment;
    return segment.endsWith(part.suffix) && SEGMENT.test(segment.slice(0, segment.length - part.suffix.length));
  });
}
