import { sameData } from '../../src/remedy/edits/json-patch.ts';
import type { Printed } from './k8s-cases.ts';
import { canBeRun, complaintOf, isTrial, verbOf } from './k8s-commands.ts';
import { formOf, type Tally } from './k8s-tally.ts';
import type { Stored, World } from './k8s-world.ts';

/** Makes a remedy for real, and takes it back: all objects must then be as before. One of each form is enough. */
export async function returnRemedy(world: World, remedy: Printed, tally: Tally): Promise<string[]> {
  const commands = remedy.commands.apply.filter((command) => !isTrial(command) && canBeRun(command));
  const forms = remedy.changes.length > 0 ? remedy.changes.map(formOf) : commands.map(verbOf);
  const what = [...new Set(forms)].join(' and ');
  if (commands.length === 0 || tally.has('return', what)) return [];
  const before = await world.snapshot();
  const failures = runAll(world, commands);
  const isKnown = remedy.changes.length > 0;
  if (isKnown && sameData(before, await world.snapshot())) failures.push('it changed nothing');
  failures.push(...runAll(world, remedy.commands.rollback.filter(canBeRun)));
  failures.push(...remaining(before, await world.snapshot()));
  tally.add('return', what, failures.length === 0);
  return failures.map((text) => `made and taken back, ${what}: ${text}`);
}

function runAll(world: World, commands: readonly string[]): string[] {
  return commands.flatMap((command) => {
    const complaint = complaintOf(world.shell(command));
    return complaint === null ? [] : [`${command}: ${complaint}`];
  });
}

function remaining(before: Stored, now: Stored): readonly string[] {
  return Object.keys(before)
    .filter((key) => !sameData(before[key], now[key]))
    .map((key) => `${key} is not as before: ${JSON.stringify(now[key])}, was ${JSON.stringify(before[key])}`);
}
