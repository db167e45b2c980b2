/** A JSON Pointer (RFC 6901): `~` and `/` within a key are escaped. */
export function pointer(keys: readonly (string | number)[]): string {
  return keys.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The keys of a JSON Pointer, unescaped; indexes are text. */
export function pointerKeys(text: string): readonly string[] {
  return text
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Keys as people write a place in an object: `spec.rules[0].from`. The `-` of a new item is left out. */
export function fieldPath(keys: readonly (string | number)[]): string {
  return keys.reduce<string>((path, key) => {
    const part = String(key);
    if (part === '-') return path;
    if (/^\d+$/.test(part)) return `${path}[${part}]`;
    return path === '' ? part : `${path}.${part}`;
  }, '');
}
