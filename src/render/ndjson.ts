import type { Finding, Level } from '../model/finding.ts';
import type { Report, ReportedFinding } from '../model/report.ts';
import { printableJson } from '../text/sanitize.ts';
import { instantMs } from '../text/time.ts';
import { destinationText, sourceText } from './ends.ts';

/** pino's numbers, so that `meshmend -o ndjson | pino-pretty` reads well. */
const PINO_LEVELS: Readonly<Record<Level, number>> = { error: 50, warning: 40, note: 30 };

/** One line per finding as it comes up: `event` is `finding-opened`, counts are of the moment. */
export function renderOpened(finding: Finding): string {
  const { flows: _, ...told } = finding;
  return line('finding-opened', told, finding);
}

/** The whole report as lines: one `finding` each, then one `summary` with everything else. */
export function renderNdjson(report: Report): string {
  const { findings, ...summary } = report;
  const last = {
    level: 30,
    time: instantMs(report.generatedAt),
    msg: `${report.totals.failures} failures in ${report.totals.records} records`,
    event: 'summary',
    ...summary,
  };
  return [
    ...findings.map((finding) => line('finding', finding, finding)),
    `${printableJson(JSON.stringify(last))}\n`,
  ].join('');
}

function line(event: string, told: Omit<Finding, 'flows'> | ReportedFinding, finding: Omit<Finding, 'flows'>): string {
  const record = {
    level: PINO_LEVELS[finding.level],
    time: finding.lastSeen === null ? null : instantMs(finding.lastSeen),
    msg: `${finding.title}: ${sourceText(finding.source)} -> ${destinationText(finding.destination)} (${finding.count}x)`,
    event,
    finding: told,
  };
  return `${printableJson(JSON.stringify(record))}\n`;
}
