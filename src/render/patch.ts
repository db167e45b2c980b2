import type { LeftOut, Plan, PlannedObject, PlannedRemedy } from '../model/plan.ts';
import { refText } from '../text/object-ref.ts';
import { printable, printableJson } from '../text/sanitize.ts';

/** A file of a set. `name` has no path in it. */
export interface PatchFile {
  readonly name: string;
  readonly text: string;
}

const COMMANDS = 'commands.txt';
const KUSTOMIZATION = 'kustomization.yaml';

/**
 * The files of a plan, the same ones for the same plan: a JSON Patch for each object that changes, a manifest for each new
 * one, what Kustomize needs to take them all, the diffs of the operator's own files, and the commands. Empty: nothing to do.
 */
export function patchFiles(plan: Plan): readonly PatchFile[] {
  if (plan.objects.length === 0) return [];
  const diffs = plan.diffs.map(({ text }, index) => ({ name: diffName(index), text }));
  return [
    ...plan.objects.map(objectFile),
    ...kustomization(plan.objects.filter(({ decision, asWritten }) => decision === null && asWritten)),
    ...diffs,
    { name: COMMANDS, text: commands(plan) },
  ];
}

function diffName(index: number): string {
  return index === 0 ? 'changes.diff' : `changes-${index + 1}.diff`;
}

/** The files as one YAML stream, each a document below its name; what is no YAML is a text. */
export function renderPatchStream(plan: Plan): string {
  const files = patchFiles(plan);
  return files.length === 0 ? renderNothing(plan) : files.map(streamed).join('');
}

/** What is told when there is no change to make, with what was left out. */
export function renderNothing({ leftOut, unsolved }: Plan): string {
  const lines = leftOut.flatMap(leftOutLines);
  const causes = unsolved === 1 ? '1 cause was' : `${unsolved} causes were`;
  const told =
    unsolved === 0 ? 'nothing to do' : `no change to apply; ${causes} found for which none is proved (see -o terminal)`;
  return [`meshmend: ${told}`, ...(lines.length === 0 ? [] : ['# left out:', ...lines]), ''].join('\n');
}

/** What is told when the files were written to a folder. */
export function renderWritten(files: readonly PatchFile[], plan: Plan, folder: string): string {
  const [first] = plan.objects;
  return [
    `wrote ${files.length} files to ${printable(folder)}:`,
    ...files.map(({ name }) => `   ${name}`),
    ...(first === undefined
      ? []
      : [`next, in that folder (${COMMANDS} has them all):`, `   ${printable(first.trial)}`]),
    '',
  ].join('\n');
}

function streamed({ name, text }: PatchFile): string {
  const isYaml = name.endsWith('.json') || name.endsWith('.yaml');
  return `---\n# file: ${name}\n${isYaml ? text : asScalar(text)}`;
}

/** A text block where YAML keeps the text as it is, else a quoted text. Both begin with a character that is no blank. */
function asScalar(text: string): string {
  if (
    printable(text.replaceAll('\n', '')) !== text.replaceAll('\n', '') ||
    !text.endsWith('\n') ||
    text.endsWith('\n\n')
  ) {
    return `${printableJson(JSON.stringify(text))}\n`;
  }
  return `|\n${text.replace(/^(?=.)/gm, '  ')}`;
}

function objectFile({ file, jsonPatch, yaml }: PlannedObject): PatchFile {
  if (jsonPatch === null) return { name: file, text: yaml ?? '' };
  return { name: file, text: `${printableJson(JSON.stringify(jsonPatch, null, 2))}\n` };
}

/**
 * A Component: applied by itself it makes the new objects; among the `components` of the operator's own kustomization it
 * also patches what is there.
 */
function kustomization(ready: readonly PlannedObject[]): readonly PatchFile[] {
  if (ready.length === 0) return [];
  const created = ready.filter(({ op }) => op === 'create').map(({ file }) => `  - ${file}`);
  const patched = ready.filter(({ op }) => op === 'patch').flatMap(kustomizePatch);
  const lines = [
    'apiVersion: kustomize.config.k8s.io/v1alpha1',
    'kind: Component',
    ...(created.length > 0 ? ['resources:', ...created] : []),
    ...(patched.length > 0 ? ['patches:', ...patched] : []),
  ];
  return [{ name: KUSTOMIZATION, text: `${lines.join('\n')}\n` }];
}

function kustomizePatch({ file, object }: PlannedObject): readonly string[] {
  const slash = object.apiVersion.indexOf('/');
  const fields = {
    group: object.apiVersion.slice(0, Math.max(0, slash)),
    version: object.apiVersion.slice(slash + 1),
    kind: object.kind,
    namespace: asExpression(object.namespace),
    name: asExpression(object.name),
  };
  const target = Object.entries(fields)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `      ${key}: ${printableJson(JSON.stringify(value))}`);
  return [`  - path: ${file}`, '    target:', ...target];
}

/** Kustomize takes names for regular expressions. */
function asExpression(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function commands(plan: Plan): string {
  const ready = plan.objects.filter(({ decision }) => decision === null);
  const waiting = plan.objects.filter(({ decision }) => decision !== null);
  const remedies = plan.remedies.filter(({ decision }) => decision === null);
  const confirm = remedies.flatMap((remedy) => remedy.confirm);
  const verify = remedies.flatMap((remedy) => remedy.verify);
  return `${[
    '# Changes found by meshmend, each proved by itself. Nothing has been changed so far. Run these in the folder of these files.',
    ...plan.remedies.flatMap(remedyLines),
    ...section('Look at what changes', confirm),
    ...section(
      'Try: the API server checks everything and keeps nothing',
      ready.map(({ trial }) => trial),
    ),
    ...section(
      'Do it',
      ready.map(({ apply }) => apply),
    ),
    ...section('See whether it works', verify),
    ...section('Take it back', ready.map(({ rollback }) => rollback).toReversed()),
    ...waiting.flatMap(decisionLines),
    ...section(
      'Or change your own files',
      plan.diffs.map(({ root }, index) => diffCommand(root, diffName(index))),
    ),
    ...(ready.some(({ asWritten }) => asWritten)
      ? ['', '# With Kustomize: name this folder under components in your kustomization.yaml']
      : []),
    ...ready
      .filter(({ asWritten }) => !asWritten)
      .flatMap(({ file }) =>
        comment(`${file} is for the object as the API server keeps it: not for Kustomize, which knows the manifest`),
      ),
    ...(plan.leftOut.length > 0 ? ['', '# Left out', ...plan.leftOut.flatMap(leftOutLines)] : []),
  ].join('\n')}\n`;
}

function remedyLines({ files, summary, proof, newlyAllows, risk, decision }: PlannedRemedy): readonly string[] {
  return [
    '',
    ...comment(`${files.join(', ')}: ${summary}`),
    ...comment(`  Proof: ${proof}`),
    ...newlyAllows.flatMap((opened) => comment(`  Opens: ${opened}`)),
    ...(risk === null ? [] : comment(`  Risk: ${risk}`)),
    ...(decision === null ? [] : comment(`  Decide first: ${decision}`)),
  ];
}

function decisionLines({ object, trial, apply, rollback, decision }: PlannedObject): readonly string[] {
  return section(`Only if its owner agrees (${decision}): ${refText(object)}`, [trial, apply, `# back: ${rollback}`]);
}

function leftOutLines({ summary, because }: LeftOut): readonly string[] {
  return [...comment(summary), ...comment(`  ${because}`)];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', ...comment(title), ...new Set(lines.map(printable))];
}

function comment(text: string): readonly string[] {
  return [`# ${printable(text)}`];
}

/** Paths in a diff never lead upwards or begin at the root: patch is sent there. */
function diffCommand(root: string, name: string): string {
  return root === ''
    ? `# where you ran meshmend: patch -p1 < DIR/${name}   (DIR: this folder)`
    : `# where you ran meshmend: patch -d ${root} -p1 < DIR/${name}   (DIR: this folder)`;
}
