import { readdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { categoriesOf } from './analysis.ts';
import { type Run, runScenario, runTable, SILENT } from './scenario-run.ts';
import { hasShared, needsShared, shared } from './shared.ts';

/** What a report on a kind of incident must tell; several: one of them. */
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
  'silent-allow': ['authorization', 'mutual-tls'],
};

/** Incidents that no object of the mesh as given repairs, or none that the logs tell enough about: steps are right there. */
const IN_WORDS: Readonly<Record<string, string>> = {
  S14: 'the application is down',
  S27: 'the gateway needs another port and Service beside it, and the controller another setting',
  S28: 'only the owner has the key that belongs into the Secret',
  S31: 'the client has to log in',
  S32: 'the issuer of the token stands in no log',
  S34: 'the header by which the owner tells callers apart stands in no log',
  S35: 'the client has to write the name of the host without the mistake',
  S38: 'istiod has to reach the issuer',
  N06: 'what asks about paths has to move to a waypoint that is not there yet',
};

/** Those in which the refusal is what somebody wanted: nothing is changed unless an owner vouches for the caller. */
const WANTED = 'intended-deny';

/** Folders of scenarios, those of this project and the shared ones. */
const FOLDERS = ['fixtures/scenarios', ...(hasShared ? [shared('scenarios')] : [])];

function answerInPlace({ id, category }: Run): string | null {
  return category === WANTED ? 'wanted' : id in IN_WORDS ? 'in words' : null;
}

describe(needsShared('incidents, from their log shapes to the answers of the repaired mesh'), () => {
  const files = FOLDERS.flatMap((folder) => readdirSync(folder).map((file) => ({ path: `${folder}/${file}`, file })));
  const runs = files.map(({ path, file }) => ({ name: file.replace(/\.yaml$/, ''), path, run: runScenario(path) }));
  afterAll(() =>
    console.log(
      runTable(
        runs.map(({ run }) => run),
        answerInPlace,
      ),
    ),
  );

  it.each(runs)('$name: the cause is named', ({ run }) => {
    const wanted = TOLD[run.category];
    expect(wanted, `no expectation for ${run.category}`).toBeDefined();
    const told: readonly string[] = run.report.findings.map(({ category }) => category);
    expect(told.filter((category) => wanted?.includes(category))).not.toEqual([]);
    if (run.category === SILENT) expect(categoriesOf(run.logged)).toEqual([]);
    else expect(categoriesOf(run.logged).filter((category) => wanted?.includes(category))).not.toEqual([]);
  });

  it.each(runs)('$name: the remedy does what it should', ({ run }) => {
    if (answerInPlace(run) !== null) {
      expect(run.changes, IN_WORDS[run.id] ?? 'the denial is wanted').toEqual([]);
      expect(run.best?.summary ?? '').not.toBe('');
    } else {
      expect(run.changes).not.toEqual([]);
      expectAllGood(run);
    }
  });

  it.each(runs)('$name: no wrong fix is printed', ({ run }) => {
    expect(run.wrong).toEqual([]);
  });

  it.each(runs.filter(({ run }) => run.category === WANTED))('$name: repaired where an owner vouches', ({ path }) => {
    const run = runScenario(path, true);
    expect(run.best?.verification.status).toBe('verified');
    expect(run.wrong).toEqual([]);
    expectAllGood(run);
  });
});

function expectAllGood({ symptoms, keeps, controls }: Run): void {
  for (const { good, of } of [symptoms, keeps, controls]) expect(good).toBe(of);
}
