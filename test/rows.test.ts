import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rules } from '../rules/index.ts';
import { jwtReason } from '../src/causes/jwt-refusal.ts';
import { literals, rowSections } from './rows.ts';
import { hasShared, needsShared, shared } from './shared.ts';

const ids = new Set(rules.map(({ meta }) => meta.id));
const rows = rowSections.flatMap(({ title, isWords, rows: own }) => own.map((row) => ({ ...row, title, isWords })));
const proofs = rows.flatMap((row) => row.proof.map((path) => ({ ...row, path })));

describe('what a line says', () => {
  it('has a diagnosis with a proof, or a reason why none is needed', () => {
    const unanswered = rows.filter(({ proof, none }) => (proof.length === 0) === (none === null));
    expect(unanswered.map(({ title, says }) => `${title}: ${says}`)).toEqual([]);
    expect(rows.filter(({ none }) => none !== null && none.length < 15)).toEqual([]);
    expect(rows.length).toBeGreaterThan(400);
  });

  it('is said once in a section', () => {
    const keys = rows.map(({ title, says, note }) => `${title}: ${says} (${note})`);
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  });

  it.each(proofs.map((proof) => [`${proof.says} → ${proof.path}`, proof] as const))('%s', (_name, proof) => {
    const [rule = ''] = proof.path.split('/');
    expect(ids, `${rule} is no diagnosis`).toContain(rule);
    const folder = join('fixtures/rules', proof.path);
    expect(existsSync(folder), `${folder} is missing`).toBe(true);
    const report: { findings: readonly { ruleId: string }[] } = JSON.parse(
      readFileSync(join(folder, 'expected.json'), 'utf8'),
    );
    expect(report.findings.map(({ ruleId }) => ruleId)).toContain(rule);
    if (!proof.isWords) expect(linesOf(folder).some((line) => says(line, proof.says))).toBe(true);
  });

  it('of every kind of refused token has its own diagnosis', () => {
    const section = rowSections.find(({ title }) => title.includes('jwt_authn'))?.rows ?? [];
    const byReason = new Map<string, Set<string>>();
    for (const { says: message, proof } of section) {
      const reason = jwtReason(message);
      byReason.set(
        reason,
        new Set([...(byReason.get(reason) ?? []), ...proof.map((path) => path.split('/')[0] ?? '')]),
      );
    }
    expect([...byReason].filter(([, told]) => told.size !== 1)).toEqual([]);
    expect(byReason.size).toBe(11);
  });
});

/** Lines as an operator sees them: ztunnel escapes quotes inside its values, Envoy writes blanks as underscores. */
function linesOf(folder: string): readonly string[] {
  return readFileSync(join(folder, 'input.log'), 'utf8')
    .split('\n')
    .flatMap((line) => [line.replace(/\\+"/g, '"'), line.replaceAll('_', ' ')]);
}

/** Whether the parts of a row stand in a line, in their order. */
function says(line: string, text: string): boolean {
  let from = 0;
  for (const part of literals(text)) {
    const at = line.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return true;
}

/** The text of a reference page between two headings. */
function pageSection(file: string, from: RegExp, to: RegExp): string {
  const lines = readFileSync(shared(`reference/${file}`), 'utf8').split('\n');
  const start = lines.findIndex((line) => from.test(line));
  const length = lines.slice(start + 1).findIndex((line) => to.test(line));
  return lines.slice(start, length < 0 ? undefined : start + 1 + length).join('\n');
}

/** Cells of the tables in a text, without head and rule, by row. */
function tableRows(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[-| ]+\|$/.test(line))
    .map((line) =>
      line
        .replaceAll('\\|', '¦')
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

function codeSpans(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

/** Whether some row answers the text: the longest part of the row stands in a part of the text, or the reverse. */
function isAnswered(text: string): boolean {
  return rows.some(({ says: own }) => {
    const [told = ''] = partsOf(own);
    return partsOf(text).some((wanted) =>
      Math.min(told.length, wanted.length) >= 6
        ? wanted.includes(told) || plain(own).includes(wanted)
        : wanted === told,
    );
  });
}

/** What is fixed in a text, the longest first. */
function partsOf(text: string): readonly string[] {
  return plain(text)
    .split(/…|<[^<>]*>|[{}]|\.\.\./)
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .sort((a, b) => b.length - a.length);
}

function plain(text: string): string {
  return text.replaceAll('_', ' ').trim();
}

describe.skipIf(!hasShared)(needsShared('no row of the reference pages is missing'), () => {
  const errors = pageSection('ztunnel.md', /^## 2\. /, /^## 3\. /);
  const envoy = pageSection('envoy.md', /^# 2\. /, /^# 3\. /);
  const missing = (texts: readonly string[]): readonly string[] => texts.filter((text) => !isAnswered(text));

  it('errors of ztunnel', () => {
    const cells = tableRows(errors).flatMap((row) => row.slice(0, 3));
    const texts = cells.flatMap(codeSpans).filter((text) => /[a-z]{4}.*[ :]/.test(text) && !/^[a-z.]+=/.test(text));
    expect(texts.length).toBeGreaterThan(100);
    expect(missing(texts.filter((text) => !NO_ERRORS.test(text)))).toEqual([]);
  });

  it('flags of Envoy', () => {
    const flags = tableRows(pageSection('envoy.md', /^## 2\.1 /, /^## 2\.2 /))
      .map(([short = '']) => short)
      .flatMap((short) => short.split(' / '))
      .filter((short) => /^[A-Z]{2,5}$/.test(short));
    const told = rowSections.find(({ title }) => title.startsWith('Envoy: flags'))?.rows.map(({ says: flag }) => flag);
    expect(flags.length).toBeGreaterThanOrEqual(30);
    expect(flags.filter((flag) => told?.includes(flag) !== true)).toEqual([]);
  });

  it('details of Envoy', () => {
    const [, core = ''] = /^Core \(exact strings\)[^:]*: ([\s\S]*?)\n\*\*Trap/m.exec(envoy) ?? [];
    const [, reasons = ''] = /^Close reasons[^:]*:\n?([\s\S]*?)\nFilters:/m.exec(envoy) ?? [];
    const [, filters = ''] = /^Filters: ([\s\S]*?)\n\n/m.exec(envoy) ?? [];
    const texts = [...core.split('·'), ...reasons.split(','), ...filters.split(/[,/;]/)]
      .map((text) => text.replace(/[.[{(].*$/s, '').trim())
      .filter((text) => /^[a-z]+_[a-z_]+/.test(text));
    expect(texts.length).toBeGreaterThan(70);
    expect(missing(texts)).toEqual([]);
  });

  it('refusals of tokens', () => {
    const [, list = ''] = /^Full list of status texts[^:]*:\n([\s\S]*?)\nNote texts/m.exec(envoy) ?? [];
    const texts = list
      .split('·')
      .map((text) =>
        text
          .replaceAll('*', '')
          .replace(/\(only when[\s\S]*$|(?<=failure)\.$/, '')
          .trim(),
      )
      .filter((text) => text !== '' && !text.startsWith('…'));
    expect(texts.length).toBeGreaterThan(50);
    const told = new Set(rows.map(({ says: text }) => text));
    const unsaid = texts.filter((text) => !told.has(text) && !/[/…]/.test(text));
    expect(unsaid).toEqual([]);
  });

  it('resets and transport failures', () => {
    const resets = tableRows(pageSection('envoy.md', /^## 2\.3 /, /^## 2\.4 /)).flatMap(([first = '']) =>
      first.replace(/\(.*\)/, '').split(','),
    );
    const reasons = tableRows(pageSection('envoy.md', /^## 2\.4 /, /^mTLS mismatch/))
      .flatMap((row) => row.slice(0, 2))
      .flatMap((cell) => [...cell.matchAll(/[A-Z0-9]+(?:_[A-Z0-9]+)+/g)].map(([name]) => name));
    const texts = [...resets, ...reasons].map((text) => text.trim()).filter((text) => text !== 'REASON' && text !== '');
    expect(texts.length).toBeGreaterThan(30);
    expect(missing(texts)).toEqual([]);
    const matrix = tableRows(pageSection('envoy.md', /^mTLS mismatch/, /^=====/)).length - 1;
    const told = rowSections.find(({ title }) => title.startsWith('Mutual TLS'))?.rows.length ?? 0;
    expect(told).toBeGreaterThanOrEqual(matrix);
  });

  it('the table of statuses', () => {
    const table = tableRows(pageSection('seed-requirements.md', /\*\*X-18 /, /\*\*X-19 /)).slice(1);
    const told = rowSections.find(({ title }) => title === 'By status')?.rows ?? [];
    expect(table.length).toBeGreaterThanOrEqual(16);
    expect(told.length).toBeGreaterThanOrEqual(table.length);
    const words = (text: string): readonly string[] => text.match(/\b(?:[1-5]\d\d|[A-Z]{2,}|[a-z]+_[a-z_]+)\b/g) ?? [];
    const unsaid = table.filter(([printed = '']) => {
      const wanted = words(printed).filter((word) => word !== 'HTTP');
      return !told.some(({ says: own }) => wanted.every((word) => own.includes(word)));
    });
    expect(unsaid.map(([printed]) => printed)).toEqual([]);
  });

  it('the pains of operators', () => {
    const pains = tableRows(readFileSync(shared('reference/operator-pains.md'), 'utf8')).filter(([first = '']) =>
      /^\d+$/.test(first),
    );
    const told = rowSections.find(({ title }) => title === 'What operators ask for')?.rows ?? [];
    expect(pains).toHaveLength(61);
    const unsaid = pains.filter(([, , where = ''], index) => {
      const numbers = where.match(/\d{2,}/g) ?? [];
      const source = told[index]?.source ?? '';
      return !numbers.some((number) => source.endsWith(number)) && !where.includes(source);
    });
    expect(unsaid.map(([, pain]) => pain)).toEqual([]);
  });
});

/** Code in the tables of errors that is no error: fields, commands, objects. */
const NO_ERRORS =
  /^(?:kubectl|istioctl|ambient\.istio|istio\.io|portLevelMtls|src\.|dst\.|signing error: …$|connection complete|Forwarded|src |CA_|PILOT|hyper_util|proxy::|error proxy::|send: <e>|\(The |<)/;
