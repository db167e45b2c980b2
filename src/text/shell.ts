const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/**
 * One word for a POSIX shell: as it is where that is safe, in single quotes otherwise. Control characters are dropped, and so
 * are leading dashes: a value must never be taken for an option, which quoting does not prevent.
 */
export function shellWord(text: string): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '').replace(/^-+/, '');
  return PLAIN.test(clean) ? clean : `'${clean.replaceAll("'", "'\\''")}'`;
}
