import { readFileSync } from 'node:fs';
import { parsers, wrappings } from '../parsers/index.ts';
import { rules } from '../rules/index.ts';
import { Analysis } from '../src/analyze.ts';
import { unknownMesh } from '../src/mesh/view.ts';
import type { Category } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import { NO_WISHES, type Wishes } from '../src/model/remedy.ts';
import type { Report } from '../src/model/report.ts';
import { ownFormat } from '../src/own-formats.ts';

/** A moment for reports made in tests. */
export const SOME_TIME = '2026-01-02T03:04:05.000000Z';

/** A run with all parsers and rules that has read nothing yet. `format`: what the operator gives as `--access-log-format`. */
export function analysisOf(
  mesh: MeshView = unknownMesh,
  wishes: Partial<Wishes> = {},
  format: string | null = null,
): Analysis {
  const tool = { name: 'meshmend', version: 'test' };
  const given = format === null ? [] : [{ source: '--access-log-format', format, isMeant: true }];
  const own = ownFormat(given, mesh).parser;
  return new Analysis({
    parsers: own === null ? parsers : [own, ...parsers],
    wrappings,
    rules,
    mesh,
    tool,
    since: null,
    until: null,
    wishes: { ...NO_WISHES, ...wishes },
  });
}

/** The report on some texts, each one input; names as given. */
export function reportOn(
  inputs: Readonly<Record<string, string>>,
  mesh: MeshView = unknownMesh,
  wishes: Partial<Wishes> = {},
  format: string | null = null,
): Report {
  const analysis = analysisOf(mesh, wishes, format);
  for (const [input, text] of Object.entries(inputs)) {
    const lines = text.split('\n');
    if (lines.at(-1) === '') lines.pop();
    lines.forEach((line, index) => {
      analysis.feed({ at: { input, line: index + 1 }, text: line.replace(/\r$/, ''), truncated: false });
    });
    analysis.end(input);
  }
  return analysis.report(SOME_TIME, false);
}

/** The same on files. */
export function reportOnFiles(paths: readonly string[], mesh?: MeshView): Report {
  return reportOn(
    Object.fromEntries(paths.map((path) => [path.split('/').slice(-1)[0] ?? path, readFileSync(path, 'utf8')])),
    mesh,
  );
}

/** Categories of the findings above `note`, sorted, each once. */
export function categoriesOf(report: Report): readonly Category[] {
  return [...new Set(report.findings.filter(({ level }) => level !== 'note').map(({ category }) => category))].sort();
}
