/** Segments of a path that look like ids: numbers, hexadecimal texts, UUIDs, long texts with a digit. */
const ID_SEGMENT = /^(?:\d+|[0-9a-f]{8,}|[0-9a-f]{8}-[0-9a-f-]{27}|(?=.*\d)[A-Za-z0-9_-]{20,})$/;

/** A path without query and fragment. */
export function plainPath(path: string): string {
  const end = path.search(/[?#]/);
  return end < 0 ? path : path.slice(0, end);
}

/** Another path of the same shape: ids in it differ. The same where it has none. */
export function siblingPath(path: string): string {
  const turned = (segment: string): string => segment.replace(/\d/g, (digit) => String((Number(digit) + 1) % 10));
  return plainPath(path)
    .split('/')
    .map((segment) => (ID_SEGMENT.test(segment) ? turned(segment) : segment))
    .join('/');
}

/** A path without query and fragment, with segments that look like ids masked. Empty for null. */
export function pathShape(path: string | null): string {
  if (path === null) return '';
  const plain = plainPath(path);
  if (!/\d/.test(plain)) return plain;
  return plain
    .split('/')
    .map((segment) => (ID_SEGMENT.test(segment) ? '*' : segment))
    .join('/');
}
