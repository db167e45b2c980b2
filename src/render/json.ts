import type { Report } from '../model/report.ts';
import { printableJson } from '../text/sanitize.ts';

/** The report as one JSON document with a line end. Hostile characters are written as escapes. */
export function renderJson(report: Report): string {
  return `${printableJson(JSON.stringify(report, null, 2))}\n`;
}
