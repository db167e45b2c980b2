import type { Output } from './k8s-world.ts';

const DRY_RUN = '--dry-run=server';

/** True for a command that changes nothing but asks what would be changed. */
export function isTrial(command: string): boolean {
  return command.includes(DRY_RUN);
}

/** A command as one that changes nothing. */
export function onTrial(command: string): string {
  return isTrial(command) ? command : `${command} ${DRY_RUN}`;
}

/** True for a command that can be run as it is: of kubectl, no name or file left to fill in, and not a restart of pods. */
export function canBeRun(command: string): boolean {
  const words = command.replace(/'[^']*'/g, '');
  return /\bkubectl\b/.test(words) && !/\b(?:[A-Z]+_)+[A-Z]+\b|\bWORKLOAD\b| rollout /.test(words);
}

/** The verb of a command and the kind it is for. */
export function verbOf(command: string): string {
  const words = command.replace(/^.*\| /, '').replace(/ -n \S+/, '');
  return words.split(' ').slice(0, 3).join(' ');
}

/** What is wrong with a command's run: it must succeed without a word on stderr, where warnings are. Null: nothing. */
export function complaintOf({ status, stderr }: Output): string | null {
  return status === 0 && stderr === '' ? null : stderr.trim() || `exit code ${status}`;
}
