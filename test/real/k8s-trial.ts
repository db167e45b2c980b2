import type { ObjectChange } from '../../src/model/remedy.ts';
import { recordOf } from '../../src/text/untyped.ts';
import type { Printed } from './k8s-cases.ts';
import { canBeRun, complaintOf, isTrial, onTrial, verbOf } from './k8s-commands.ts';
import { differences } from './k8s-compare.ts';
import { formOf, type Tally } from './k8s-tally.ts';
import { keyOf, objectOf, type World } from './k8s-world.ts';
import { messageOf } from './kube-client.ts';

/** What a trial must know of its case. */
interface Trial {
  /** Objects of the mesh that the server does not take, by key, and why. */
  readonly refused: ReadonlyMap<string, string>;
  readonly tally: Tally;
}

/** Sends every change of a remedy on trial: as a strict request, by its command, and as the YAML printed. Answers what went wrong. */
export async function tryRemedy(
  world: World,
  { changes, commands }: Printed,
  { refused, tally }: Trial,
): Promise<string[]> {
  if (changes.length === 0) return trySteps(world, commands.apply, tally);
  const trials = commands.apply.filter(isTrial);
  const failures: string[] = [];
  for (const [index, change] of changes.entries()) {
    const key = keyOf(objectOf(change.object));
    const reason = change.op === 'create' ? undefined : refused.get(key);
    const failed = reason === undefined ? await tryChange(world, change, trials[index] ?? 'false') : [reason];
    tally.add('trial', formOf(change), failed.length === 0);
    failures.push(...failed.map((text) => `${formOf(change)} of ${key}: ${text}`));
  }
  return failures;
}

/** Sends every change as a strict request to a server of an older release. A mesh that is newer itself is left out. */
export async function tryOnOlder(world: World, { changes }: Printed, { refused, tally }: Trial): Promise<string[]> {
  const failures: string[] = [];
  for (const change of changes) {
    const isNewer = change.op !== 'create' && refused.has(keyOf(objectOf(change.object)));
    const failed = isNewer ? [] : await request(world, change);
    tally.add(isNewer ? 'newer' : 'older', formOf(change), failed.length === 0);
    failures.push(...failed.map((text) => `older release: ${formOf(change)}: ${text}`));
  }
  return failures;
}

async function request(world: World, change: ObjectChange): Promise<string[]> {
  const { op, after, jsonPatch } = change;
  const answer = await world.client.tryChange(op, after ?? objectOf(change.object), jsonPatch ?? []);
  if (answer.status >= 300 || answer.warnings.length > 0) return [messageOf(answer), ...answer.warnings];
  return unforeseen(change, answer.body, await filledIn(world, change));
}

async function tryChange(world: World, change: ObjectChange, command: string): Promise<string[]> {
  const failures = await request(world, change);
  if (failures.length > 0 || change.op === 'delete') return failures;
  const known = await filledIn(world, change);
  const verb = change.op === 'create' ? 'create' : 'replace';
  const runs = {
    command: world.shell(`${command} -o json`),
    YAML: world.shell(`${onTrial(`kubectl ${verb}`)} --validate=strict -f - -o json`, change.yaml),
  };
  return Object.entries(runs).flatMap(([what, printed]) => {
    const complaint = complaintOf(printed);
    const lines = complaint === null ? unforeseen(change, inVersion(change, printed.stdout), known) : [complaint];
    return lines.map((line) => `${what}: ${line}`);
  });
}

/** What the server had filled in before the change is no business of it. */
async function filledIn(world: World, { before, object }: ObjectChange): Promise<readonly string[]> {
  return before === null ? [] : differences(before, (await world.stored(objectOf(object))) ?? {});
}

/** Where the answer is not the object that was foretold. */
function unforeseen({ op, after }: ObjectChange, answer: unknown, known: readonly string[]): string[] {
  if (op === 'delete') return [];
  return differences(after ?? {}, recordOf(answer)).filter((line) => !known.includes(line));
}

/** What kubectl printed; it prints an object in the version that the server prefers, whatever was sent. */
function inVersion({ object }: ObjectChange, printed: string): unknown {
  const answer = recordOf(JSON.parse(printed));
  const [group] = object.apiVersion.split('/');
  return String(answer['apiVersion']).startsWith(`${group}/`) ? { ...answer, apiVersion: object.apiVersion } : answer;
}

/** Commands that change something without an object change, such as labels. */
function trySteps(world: World, commands: readonly string[], tally: Tally): string[] {
  return commands.filter(canBeRun).flatMap((command) => {
    const complaint = complaintOf(world.shell(onTrial(command)));
    tally.add('step', verbOf(command), complaint === null);
    return complaint === null ? [] : [`${command}: ${complaint}`];
  });
}
