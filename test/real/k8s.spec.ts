import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';
import { allCases } from './k8s-cases.ts';
import { driftRemedy } from './k8s-drift.ts';
import { editCases } from './k8s-edits.ts';
import { returnRemedy } from './k8s-return.ts';
import { Tally } from './k8s-tally.ts';
import { tryOnOlder, tryRemedy } from './k8s-trial.ts';
import { World } from './k8s-world.ts';

/**
 * What remedies print against real API servers: every change on trial, also for an older release of Istio; and of every
 * form one on an object that changed since, and one made for real and taken back.
 */
const newest = new World(process.env['KUBECONFIG'] ?? '');
const older = new World(process.env['MESHMEND_REAL_OLDER_KUBECONFIG'] ?? '');
const tally = new Tally();

describe('API servers take what remedies print', () => {
  afterEach(async () => {
    await newest.clear();
    await older.clear();
  });
  after(() => tally.print());

  for (const each of [...editCases(), ...allCases()]) {
    it(each.name, async () => {
      const refused = { newest: await newest.seed(each), older: await older.seed(each) };
      const failures: string[] = [];
      for (const remedy of each.remedies) {
        const failed = await tryRemedy(newest, remedy, { refused: refused.newest, tally });
        failures.push(...failed, ...(await tryOnOlder(older, remedy, { refused: refused.older, tally })));
        if (failed.length > 0) continue;
        failures.push(...(await driftRemedy(newest, remedy, tally)));
        failures.push(...(await returnRemedy(newest, remedy, tally)));
      }
      assert.deepEqual(failures, []);
    });
  }
});
