import { readdirSync } from 'node:fs';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { describe, expect, it } from 'vitest';

/**
 * Who may import whom. A folder may import its own files and what its row names; every name stands in a row above, so
 * the graph has no cycle. The same table, with reasons, is in src/README.md.
 */
const LAYERS: readonly {
  readonly room: string;
  readonly may: readonly string[];
  readonly packages: readonly string[];
}[] = [
  { room: 'src/model', may: [], packages: [] },
  { room: 'src/text', may: ['src/model'], packages: ['fastest-levenshtein', 'node:crypto', 'node:net'] },
  { room: 'src/causes', may: ['src/model', 'src/text'], packages: [] },
  { room: 'src/platforms', may: [], packages: [] },
  { room: 'parsers', may: ['src/model', 'src/text'], packages: [] },
  { room: 'src/traffic', may: ['src/model', 'src/text', 'src/causes'], packages: [] },
  { room: 'src/skim', may: ['src/model', 'src/text', 'src/traffic'], packages: [] },
  { room: 'src/input', may: ['src/model', 'src/text'], packages: ['split2', 'fzstd', 'tinyglobby', 'node:'] },
  { room: 'src/policy', may: ['src/model', 'src/text'], packages: ['node:crypto'] },
  {
    room: 'src/mesh',
    may: ['src/model', 'src/text', 'src/platforms', 'src/input'],
    packages: ['yaml', 'node:fs', 'node:path'],
  },
  { room: 'src/remedy/commands', may: ['src/model', 'src/text'], packages: [] },
  {
    room: 'src/remedy/edits',
    may: ['src/model', 'src/text', 'src/causes', 'src/platforms', 'src/policy', 'src/remedy/commands'],
    packages: ['yaml'],
  },
  {
    room: 'rules',
    may: ['src/model', 'src/text', 'src/causes', 'src/policy', 'src/remedy/commands', 'src/remedy/edits'],
    packages: [],
  },
  {
    room: 'src/remedy',
    may: [
      'src/model',
      'src/text',
      'src/platforms',
      'src/policy',
      'src/mesh',
      'src/remedy/commands',
      'src/remedy/edits',
    ],
    packages: ['yaml', 'diff'],
  },
  {
    room: 'src/intent',
    may: ['src/model', 'src/text', 'src/causes', 'src/policy', 'src/mesh', 'src/remedy/edits'],
    packages: [],
  },
  {
    room: 'src/passing',
    may: ['src/model', 'src/text', 'src/policy', 'src/mesh'],
    packages: [],
  },
  { room: 'src/suite', may: ['src/model', 'src/text', 'src/policy', 'src/mesh'], packages: ['yaml'] },
  { room: 'src/report', may: ['src/model', 'src/text'], packages: [] },
  {
    room: 'src/lint',
    may: ['src/model', 'src/text', 'src/policy', 'src/remedy', 'src/remedy/edits', 'src/report'],
    packages: ['yaml'],
  },
  { room: 'src/render', may: ['src/model', 'src/text', 'src/platforms', 'src/report'], packages: ['node:util'] },
];
const ANYTHING = ['src/cli'];

/** The row a file belongs to: the longest matching room, so that src/remedy/edits is not src/remedy. */
function roomOf(path: string): string {
  const rooms = [...LAYERS.map((layer) => layer.room), ...ANYTHING].filter((room) => path.startsWith(`${room}/`));
  return rooms.sort((a, b) => b.length - a.length)[0] ?? 'src';
}

const TOP = LAYERS.map((layer) => layer.room);

function mayImport(from: string, to: string): boolean {
  const room = roomOf(from);
  if (ANYTHING.includes(room) || room === roomOf(to)) return true;
  // The files directly in src wire everything but the command line.
  if (room === 'src') return TOP.includes(roomOf(to));
  return LAYERS.find((layer) => layer.room === room)?.may.includes(roomOf(to)) ?? false;
}

function mayUse(from: string, name: string): boolean {
  const room = roomOf(from);
  if (ANYTHING.includes(room)) return true;
  return (LAYERS.find((layer) => layer.room === room)?.packages ?? []).some((allowed) => name.startsWith(allowed));
}

const files = ['src', 'parsers', 'rules'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`),
);
const { output } = await cruise(['src', 'parsers', 'rules'], {
  doNotFollow: { path: 'node_modules' },
  tsPreCompilationDeps: true,
});
const { modules } = output as ICruiseResult;
const own = modules.filter((module) => files.includes(module.source));

describe('layers', () => {
  it('sees every module there is', () => {
    expect(own.map((module) => module.source).sort()).toEqual([...files].sort());
    expect(own.length).toBeGreaterThan(60);
  });

  it('a folder imports only what its row names', () => {
    const wrong = own.flatMap((module) =>
      module.dependencies
        .filter((dependency) => files.includes(dependency.resolved))
        .filter((dependency) => !mayImport(module.source, dependency.resolved))
        .map((dependency) => `${module.source} must not import ${dependency.resolved}: see the table in src/README.md`),
    );
    expect(wrong).toEqual([]);
  });

  it('a folder uses only the packages its row names', () => {
    const wrong = own.flatMap((module) =>
      module.dependencies
        .filter((dependency) => !files.includes(dependency.resolved) && !dependency.resolved.endsWith('package.json'))
        .filter((dependency) => !mayUse(module.source, packageName(dependency.module, dependency.coreModule)))
        .map((dependency) => `${module.source} must not use ${dependency.module}`),
    );
    expect(wrong).toEqual([]);
  });

  it('no file takes part in a circle', () => {
    const circular = own.flatMap((module) =>
      module.dependencies
        .filter((dependency) => dependency.circular)
        .map((dependency) => `${module.source} -> ${dependency.resolved}`),
    );
    expect(circular).toEqual([]);
  });

  it('rules do not import rules', () => {
    const wrong = own
      .filter((module) => module.source.startsWith('rules/') && !module.source.endsWith('/index.ts'))
      .flatMap((module) => module.dependencies.filter((dependency) => dependency.resolved.startsWith('rules/')));
    expect(wrong.map((dependency) => dependency.resolved)).toEqual([]);
  });
});

function packageName(module: string, core: boolean): string {
  return core && !module.startsWith('node:') ? `node:${module}` : module;
}
