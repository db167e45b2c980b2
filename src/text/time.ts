import type { Instant } from '../model/line.ts';

const RFC3339 = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,](\d{1,9}))?(?:(Z)|\s?([+-])(\d{2}):?(\d{2}))$/;

const NANOSECONDS = /\d{3}Z$/;

/**
 * Reads RFC 3339 (also with a blank for `T`, `+0000`, 0 to 9 fraction digits) as an instant in UTC with microseconds;
 * null if it is no such time.
 */
export function parseInstant(text: string): Instant | null {
  if (isInstant(text)) return Number.isNaN(Date.parse(text)) ? null : text;
  // The kubelet's nanoseconds, which stand before every line of a container's log.
  if (text.length === 30 && text.charCodeAt(29) === 90 && NANOSECONDS.test(text))
    return parseInstant(`${text.slice(0, 26)}Z`);
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [, date = '', time = '', fraction = '', zulu, sign, hours = '00', minutes = '00'] = match;
  const micros = `${fraction}000000`.slice(0, 6);
  const epoch = Date.parse(`${date}T${time}Z`);
  if (Number.isNaN(epoch)) return null;
  if (zulu !== undefined) return `${date}T${time}.${micros}Z`;
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1);
  return `${new Date(epoch - offsetMs).toISOString().slice(0, 19)}.${micros}Z`;
}

/** True for the exact form of an Instant, `2026-01-02T03:04:05.678901Z`, as ztunnel prints it. */
export function isInstant(text: string): boolean {
  if (text.length !== 27 || text.charCodeAt(26) !== 90 || text.charCodeAt(10) !== 84) return false;
  for (let index = 0; index < 26; index++) {
    const code = text.charCodeAt(index);
    const digit = code >= 48 && code <= 57;
    if (!digit && code !== SEPARATORS[index]) return false;
  }
  return true;
}

const SEPARATORS: readonly (number | undefined)[] = [...'dddd-dd-ddTdd:dd:dd.dddddd'].map((letter) =>
  letter === 'd' ? undefined : letter.charCodeAt(0),
);

/** An instant as milliseconds since 1970. */
export function instantMs(instant: Instant): number {
  return Date.parse(instant);
}
