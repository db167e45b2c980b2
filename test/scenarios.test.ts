import { readdirSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { ObjectChange } from '../src/model/remedy.ts';
import { listOf, recordOf, textOf, valueAt } from '../src/text/untyped.ts';
import { categoriesOf, reportOn } from './analysis.ts';
import { loadScenario, meshFromScenario, scenarioLines } from './scenario.ts';
import { hasShared, needsShared, shared } from './shared.ts';

/** What a report on the logs of a kind of incident must tell; several: one of them. Empty: nothing failed in the logs. */
const TOLD: Readonly<Record<string, readonly string[]>> = {
  'authz-explicit-deny': ['authorization'],
  'authz-allow-none-matched': ['authorization'],
  'intended-deny': ['authorization'],
  'mtls-strict-plaintext': ['mutual-tls'],
  'networkpolicy-hbone': ['network'],
  networkpolicy: ['network'],
  'networkpolicy-probe': ['network'],
  webhook: ['mutual-tls'],
  availability: ['upstream'],
  'gateway-tls': ['mutual-tls', 'routing', 'identity'],
  'gateway-authn': ['external-authorization', 'authentication'],
  routing: ['routing'],
  'silent-allow': [],
};

const names = hasShared ? readdirSync(shared('scenarios')).map((file) => file.replace(/\.yaml$/, '')) : [];

describe.skipIf(!hasShared)(needsShared('incidents, from their log shapes to a finding'), () => {
  const judged = names.map((name) => {
    const path = shared(`scenarios/${name}.yaml`);
    const scenario = loadScenario(path);
    const report = reportOn({ log: `${scenarioLines(scenario).join('\n')}\n` }, meshFromScenario(path));
    return { name, scenario, report };
  });

  it.each(judged)('$name', ({ scenario, report }) => {
    const told: readonly string[] = categoriesOf(report);
    const wanted = TOLD[textOf(scenario['category']) ?? ''];
    expect(wanted, `no expectation for ${scenario['category']}`).toBeDefined();
    if (wanted?.length === 0) expect(told).toEqual([]);
    else expect(told.filter((category) => wanted?.includes(category))).not.toEqual([]);
  });

  it.each(judged)('$name: no wrong fix is printed', ({ scenario, report }) => {
    const remedies = report.findings.flatMap((finding) => finding.remedies).filter(({ changes }) => changes.length > 0);
    for (const wrong of listOf(scenario['wrong_fixes'])) {
      const size = listOf(valueAt(wrong, 'change', 'apply')).length + listOf(valueAt(wrong, 'change', 'delete')).length;
      const same = remedies.filter(
        ({ changes }) => changes.length === size && changes.every((change) => isPartOf(change, wrong)),
      );
      expect(
        same.map(({ summary }) => summary),
        textOf(valueAt(wrong, 'what')) ?? '',
      ).toEqual([]);
    }
  });
});

/** Whether a change is one of those that make up a wrong fix. */
function isPartOf(change: ObjectChange, wrong: unknown): boolean {
  const { kind, namespace, name } = change.object;
  const isSame = (object: unknown): boolean => {
    const metadata = recordOf(valueAt(object, 'metadata'));
    return valueAt(object, 'kind') === kind && metadata['namespace'] === namespace && metadata['name'] === name;
  };
  const applied = listOf(valueAt(wrong, 'change', 'apply')).filter(isSame);
  if (change.op === 'delete')
    return listOf(valueAt(wrong, 'change', 'delete')).some((object) => valueAt(object, 'name') === name);
  return applied.some((object) => isDeepStrictEqual(valueAt(object, 'spec'), change.after?.['spec']));
}
