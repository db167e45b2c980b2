import type { Report, ReportedFinding } from '../model/report.ts';
import { counted } from '../text/counted.ts';
import { grouped } from '../text/grouped.ts';
import { refText } from '../text/object-ref.ts';
import { clip, printable } from '../text/sanitize.ts';
import { labelled, WIDTH, wrap } from './layout.ts';
import { label, problemBlock, remedyLines, type TerminalOptions } from './terminal.ts';

const INDENT = 3;

/** A report on manifests for people: what is wrong, then what is worth knowing, a line each, then what was not checked. */
export function renderLint(report: Report, options: TerminalOptions): string {
  const main = report.findings.filter((finding) => finding.level !== 'note');
  const notes = report.findings.filter((finding) => finding.level === 'note');
  const shown = main.slice(0, options.top);
  const blocks = [
    wrap(`meshmend lint: ${summaryOf(report, main.length, notes.length)}`, WIDTH),
    ...shown.map((finding, index) => findingBlock(finding, index + 1, options)),
    main.length > shown.length ? [`… and ${main.length - shown.length} more: --top ${main.length} prints them`] : [],
    noteBlock(notes, options.top),
    problemBlock(report),
    nextBlock(report),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function summaryOf({ mesh }: Report, main: number, notes: number): string {
  const objects = Object.values(mesh.counts).reduce((sum, number) => sum + number, 0);
  const kinds = Object.entries(mesh.counts).map(([kind, number]) => `${number} ${printable(kind)}`);
  const told = main === 0 ? 'nothing to repair' : counted(main, 'finding');
  return `${told}${notes > 0 ? ` and ${counted(notes, 'note')}` : ''} in ${counted(objects, 'object')} (${kinds.join(', ')})`;
}

function findingBlock(finding: ReportedFinding, number: number, options: TerminalOptions): readonly string[] {
  const [remedy] = finding.remedies;
  const [ref, ...others] = finding.policies;
  const name = ref === undefined ? '' : `  ${printable(refText(ref))}`;
  const head = `${String(number).padEnd(INDENT)}${label(finding.level, options.colour)} ${finding.ruleId}, ${finding.certainty}`;
  return [
    head,
    ...wrap(printable(`${finding.title}:${name}`), WIDTH - INDENT).map((line) => ' '.repeat(INDENT) + line),
    ...labelled('Cause', printable(finding.cause), INDENT, 4),
    ...(others.length === 0 ? [] : labelled('With', printable(others.slice(0, 3).map(refText).join(', ')), INDENT, 2)),
    ...(remedy === undefined ? [] : remedyLines(remedy)),
    ...finding.unchecked.slice(0, 1).flatMap((text) => labelled('Unsure', printable(text), INDENT, 2)),
    ...placeLine(finding),
  ];
}

/** `policies/web.yaml:12`, never broken: it is there to be clicked. Nothing where the file is not known. */
function placeLine({ evidence: [place] }: ReportedFinding): readonly string[] {
  if (place === undefined || place.input === '') return [];
  const where = place.line === 0 ? place.input : `${place.input}:${place.line}`;
  return [`${' '.repeat(INDENT)}${'Place'.padEnd(8)}${printable(where)}`];
}

/** Notes of one rule stand together. */
function noteBlock(notes: readonly ReportedFinding[], top: number): readonly string[] {
  if (notes.length === 0) return [];
  const lines = [...grouped(notes, ({ ruleId }) => ruleId)].map(([id, group]) => {
    const names = [...new Set(group.flatMap(({ policies: [ref] }) => (ref === undefined ? [] : [refText(ref)])))];
    const more = names.length > 1 ? ` and ${names.length - 1} more` : '';
    return clip(printable(`   ${group.length}x ${id}: ${names[0] ?? ''}${more}`), WIDTH);
  });
  return ['Notes (worth knowing, -o json has each):', ...lines.slice(0, top)];
}

function nextBlock({ findings: [worst] }: Report): readonly string[] {
  return worst === undefined ? [] : wrap(`next: meshmend explain ${worst.ruleId}; -o json for everything`, WIDTH);
}
