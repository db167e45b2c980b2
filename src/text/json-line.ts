import { isRecord } from './kube-object.ts';

/** The text as a JSON object; null if it is anything else (other JSON included). Never throws. */
export function parseJsonObject(text: string): Readonly<Record<string, unknown>> | null {
  if (text.charCodeAt(0) !== 123) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * A JSON value as text: strings as they are, numbers and booleans printed, objects and lists as JSON; null: absent, or nested
 * so deeply that printing it would fail (reading does not recurse, printing does). Never throws.
 */
export function jsonText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return null;
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}
