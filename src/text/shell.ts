const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** One word for a POSIX shell: as it is where that is safe, in single quotes otherwise. Control characters are dropped. */
export function shellWord(text: string): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '');
  return PLAIN.test(clean) && !clean.startsWith('-') ? clean : `'${clean.replaceAll("'", "'\\''")}'`;
}
