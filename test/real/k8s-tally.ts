import type { ObjectChange } from '../../src/model/remedy.ts';

/** The form of a change, equal for changes that differ in names and values only: `patch DestinationRule replace /spec/trafficPolicy/tls`. */
export function formOf({ op, object, jsonPatch }: ObjectChange): string {
  const operations = (jsonPatch ?? [])
    .filter((operation) => operation.op !== 'test')
    .map((operation) => `${operation.op} ${operation.path.replace(/\/\d+(?=\/|$)/g, '/*')}`);
  return [op, object.kind, [...new Set(operations)].join(', ')].join(' ').trim();
}

/** What is counted apart. */
const SECTIONS = {
  trial: 'changes on trial',
  older: 'the same for an older release',
  newer: 'left out there, as the mesh needs a newer one',
  step: 'commands without a change of an object that is known',
  drift: 'changes of objects that changed since, refused and told why',
  return: 'forms of remedies made and taken back',
} as const;

interface Count {
  readonly tried: number;
  readonly failed: number;
}

/** Counts what was tried, by what it was. */
export class Tally {
  private readonly counts = new Map<string, Map<string, Count>>();

  add(section: keyof typeof SECTIONS, form: string, passed: boolean): void {
    const forms = this.counts.get(section) ?? new Map<string, Count>();
    const { tried, failed } = forms.get(form) ?? { tried: 0, failed: 0 };
    forms.set(form, { tried: tried + 1, failed: failed + (passed ? 0 : 1) });
    this.counts.set(section, forms);
  }

  has(section: keyof typeof SECTIONS, form: string): boolean {
    return this.counts.get(section)?.has(form) ?? false;
  }

  /** The forms of changes one by one, of everything else the sums. */
  print(): void {
    const lines = Object.entries(SECTIONS).flatMap(([section, title]) => {
      const forms = [...(this.counts.get(section) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
      const shown = section === 'trial' ? forms.map(([form, count]) => lineOf(`  ${form}`, count)) : [];
      return forms.length === 0 ? [] : [lineOf(title, sumOf(forms.map(([, count]) => count))), ...shown];
    });
    process.stdout.write(`\n${lines.join('\n')}\n`);
  }
}

function lineOf(what: string, { tried, failed }: Count): string {
  return `${String(tried).padStart(5)} tried ${String(failed).padStart(3)} failed  ${what}`;
}

function sumOf(counts: readonly Count[]): Count {
  return counts.reduce((sum, { tried, failed }) => ({ tried: sum.tried + tried, failed: sum.failed + failed }), {
    tried: 0,
    failed: 0,
  });
}
