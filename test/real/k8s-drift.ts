import { createMesh } from '../../src/mesh/view.ts';
import type { ObjectChange } from '../../src/model/remedy.ts';
import { sameData } from '../../src/remedy/edits/json-patch.ts';
import { checkPatch } from '../../src/remedy/patch/check-patch.ts';
import { fieldPath, pointer, pointerKeys } from '../../src/text/json-pointer.ts';
import { isRecord } from '../../src/text/kube-object.ts';
import { recordOf, valueAt } from '../../src/text/untyped.ts';
import type { Printed } from './k8s-cases.ts';
import { isTrial } from './k8s-commands.ts';
import { formOf, type Tally } from './k8s-tally.ts';
import { objectOf, type World } from './k8s-world.ts';
import { type Answer, messageOf } from './kube-client.ts';

type Json = Readonly<Record<string, unknown>>;
type Patched = ObjectChange & { readonly jsonPatch: NonNullable<ObjectChange['jsonPatch']> };

/**
 * Changes what the patches of a remedy test, place by place, as somebody else would between the reading of the logs and
 * the patch: the API server must refuse the patch, and meshmend must tell which test failed. One patch of each form is enough.
 */
export async function driftRemedy(world: World, { changes, commands }: Printed, tally: Tally): Promise<string[]> {
  const trials = commands.apply.filter(isTrial);
  const failures: string[] = [];
  for (const [index, change] of changes.entries()) {
    const what = formOf(change);
    const stored = await world.stored(objectOf(change.object));
    if (!isPatched(change) || stored === null || tally.has('drift', what)) continue;
    for (const path of placesOf(change)) {
      const failed = await driftAt(world, change, { path, stored, command: trials[index] ?? 'false' });
      tally.add('drift', what, failed === null);
      if (failed !== null) failures.push(`${what}: where ${path} changed since, ${failed}`);
    }
  }
  return failures;
}

function isPatched(change: ObjectChange): change is Patched {
  return change.jsonPatch !== null;
}

/** What a patch tests; and the action of a policy, without which its lists mean the opposite. */
function placesOf({ object, jsonPatch }: Patched): ReadonlySet<string> {
  const tested = jsonPatch.filter(({ op }) => op === 'test').map(({ path }) => path);
  return new Set(object.kind === 'AuthorizationPolicy' ? [...tested, '/spec/action'] : tested);
}

interface Drift {
  readonly path: string;
  /** The object as it fits the patch. */
  readonly stored: Json;
  /** Tries the patch. */
  readonly command: string;
}

/** Null: the patch was refused, and told why. */
async function driftAt(world: World, change: Patched, drift: Drift): Promise<string | null> {
  const object = objectOf(change.object);
  for (const changed of withOthers(drift.stored, pointerKeys(drift.path))) {
    await world.client.replace(recordOf(changed));
    const now = (await world.stored(object)) ?? {};
    const verdict = checkPatch([...identityTests(now), ...change.jsonPatch], createMesh([now]));
    // The server did not take that value, or somebody else made the very change.
    if (sameData(now, drift.stored) || verdict?.state === 'done') continue;
    const answer = await world.client.tryChange('patch', object, change.jsonPatch);
    const { stderr } = world.shell(drift.command);
    await world.client.replace(drift.stored);
    return complaintAbout(answer, stderr) ?? complaintOn(verdict, drift.path);
  }
  await world.client.replace(drift.stored);
  return 'could not be tried: the server takes no other value';
}

/** The server answers all patches that do not fit with the same words, and does not say which operation it was. */
function complaintAbout(answer: Answer, stderr: string): string | null {
  const isEmpty = answer.status === 422 && Object.keys(recordOf(answer.body['details'])).length === 0;
  if (!isEmpty) return `the server answers ${messageOf(answer)}`;
  return stderr.startsWith('The request is invalid') ? null : `the command says ${stderr}`;
}

/** What is told must begin with the place. */
function complaintOn(verdict: ReturnType<typeof checkPatch>, path: string): string | null {
  const isNamed = verdict?.state === 'stale' && verdict.because?.startsWith(fieldPath(pointerKeys(path)));
  return isNamed ? null : `meshmend says ${verdict?.state}: ${verdict?.because}`;
}

/** As the files have them that `meshmend check` reads. */
function identityTests(object: Json): Patched['jsonPatch'] {
  return [['kind'], ['metadata', 'namespace'], ['metadata', 'name']].flatMap((keys) => {
    const value = valueAt(object, ...keys);
    return value === undefined ? [] : [{ op: 'test' as const, path: pointer(keys), value }];
  });
}

/** An object with another value in a place, in all ways that are known here. */
function withOthers(value: unknown, [key, ...rest]: readonly string[]): readonly unknown[] {
  if (key === undefined) return othersFor(value);
  if (Array.isArray(value)) return withOthers(value[Number(key)], rest).map((item) => value.with(Number(key), item));
  const object = recordOf(value);
  return withOthers(object[key], rest).map((field) => ({ ...object, [key]: field }));
}

/** Words of which one stands for another. */
const WORDS = [
  ['ALLOW', 'DENY'],
  ['STRICT', 'PERMISSIVE', 'DISABLE'],
  ['DISABLE', 'SIMPLE', 'ISTIO_MUTUAL'],
  ['HTTP', 'HTTPS', 'TCP'],
];

/** Values that somebody else may have put in the place of one; of a list, one with another entry. */
function othersFor(value: unknown): readonly unknown[] {
  // The default of what is left out: an action.
  if (value === undefined) return ['DENY'];
  if (typeof value === 'string') {
    return [...WORDS.filter((words) => words.includes(value)).flat(), `${value}-other`].filter(
      (word) => word !== value,
    );
  }
  if (typeof value === 'number') return [value + 1];
  if (Array.isArray(value)) return othersFor(value.at(-1)).map((item) => [...value, item]);
  if (!isRecord(value)) return [];
  const changed = Object.keys(value).flatMap((key) => withOthers(value, [key]));
  return [...changed, { ...value, other: 'yes' }];
}
