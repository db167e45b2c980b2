import { statSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { Failure } from '../model/failure.ts';
import type { Wishes } from '../model/remedy.ts';
import { parseCaller } from '../text/caller-id.ts';
import { readCeiling } from './ceiling.ts';

const WIDEN = ['namespace', 'path-template'] as const;

/** What an operator may say beforehand about the changes to propose. */
export interface WishOptions {
  readonly allowCaller?: readonly string[];
  readonly widen?: (typeof WIDEN)[number];
  readonly ceiling?: string;
  readonly dryRunPolicy?: true;
}

/** Adds the options to a command; `readWishes` takes what they were given. */
export function addWishOptions(command: Command): Command {
  return command
    .option(
      '--allow-caller <ID...>',
      'this caller is legitimate, propose a change although its denial looks wanted:\nSPIFFE id, principal, NAMESPACE/SERVICE_ACCOUNT or IP address',
    )
    .addOption(
      new Option(
        '--widen <WHAT>',
        "admit more than was seen: the caller's whole namespace, or paths by their form",
      ).choices(WIDEN),
    )
    .option(
      '--ceiling <FILE>',
      'what may ever be allowed, as ALLOW AuthorizationPolicies: changes beyond it are refused.\nWorkloads that none of them selects are not bounded; one without rules in the root namespace bounds all',
    )
    .option('--dry-run-policy', 'propose AuthorizationPolicies that only log what they would do (istio.io/dry-run)');
}

/** What the options ask for, and words behind `--allow-caller` that are log files. Reads the ceiling. Throws `Failure`. */
export function readWishes(
  { allowCaller = [], widen, ceiling, dryRunPolicy }: WishOptions,
  hasMesh: boolean,
): { readonly wishes: Wishes; readonly files: readonly string[] } {
  const isCaller = (word: string, index: number): boolean => index === 0 || !isFile(word);
  if (ceiling !== undefined && !hasMesh) {
    throw new Failure('usage', '--ceiling needs --mesh', 'without the mesh no change can be compared with it');
  }
  return {
    wishes: {
      allowCallers: allowCaller.filter(isCaller).map(readCaller),
      widen: widen ?? null,
      ceiling: ceiling === undefined ? null : readCeiling(ceiling),
      dryRun: dryRunPolicy === true,
    },
    files: allowCaller.filter((word, index) => !isCaller(word, index)),
  };
}

function isFile(word: string): boolean {
  return word === '-' || statSync(word, { throwIfNoEntry: false })?.isFile() === true;
}

function readCaller(text: string): string {
  const caller = parseCaller(text);
  if (caller !== null) return caller;
  throw new Failure(
    'usage',
    `--allow-caller ${text}: names no single caller`,
    'write spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT, the same without spiffe://, NAMESPACE/ACCOUNT, or an IP address',
  );
}
