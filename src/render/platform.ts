import type { Changed, ExpectedFlow, Party, Platform } from '../platforms/platform.ts';
import { WIDTH, wrap } from './layout.ts';

/** The page of a platform for a terminal: who has to be able to call whom, what can be isolated, what older pages have wrong. */
export function renderPlatform({ id, title, flows, notes, changed, layout, cites }: Platform): string {
  const files = layout === null ? [] : [...layout.homes.map(({ kind, file }) => `${kind}: ${file}`)];
  return `${[
    id,
    title,
    '',
    'Calls that have to be possible',
    ...flows.flatMap(flowLines),
    ...section('What to know', notes.flatMap(item)),
    ...section('Then and now', changed.map(changeText).flatMap(item)),
    ...section('Files of its repository', files.flatMap(item)),
    ...section('Sources', cites.flatMap(item)),
  ].join('\n')}\n`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines];
}

function flowLines({ from, to, ports, paths, purpose, without, exception, forwards }: ExpectedFlow): readonly string[] {
  const at = [
    ports.length === 0 ? '' : ` ${ports.length === 1 ? 'port' : 'ports'} ${ports.join(', ')}`,
    paths === null ? '' : ` ${paths.join(', ')}`,
  ];
  const told = `${purpose}. ${without}${forwards === null ? '' : ` ${forwards}`}`;
  return [
    ...wrap(`${partyName(from)} -> ${partyName(to)}${at.join('')}`, WIDTH - 2).map((line) => `  ${line}`),
    ...wrap(`${told.charAt(0).toUpperCase()}${told.slice(1)}`, WIDTH - 4).map((line) => `    ${line}`),
    ...wrap(`Narrowest exception: ${exception}.`, WIDTH - 4).map((line) => `    ${line}`),
  ];
}

function partyName(party: Party | string): string {
  if (typeof party === 'string') return `the ${party}`;
  return party.namespaces === null ? party.title : `${party.title} (${party.namespaces.join(', ')})`;
}

function changeText({ about, was, is, since }: Changed): string {
  return `${about}: then ${was}; now ${is}${since === null ? '' : ` (since ${since})`}`;
}

function item(text: string): readonly string[] {
  return wrap(text, WIDTH - 4).map((line, index) => `${index === 0 ? '  - ' : '    '}${line}`);
}
