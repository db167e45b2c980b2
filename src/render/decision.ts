import { styleText } from 'node:util';
import type { NearMiss } from '../model/finding.ts';
import type { Decision } from '../model/policy.ts';
import type { Hop, HopBy, Route, Way } from '../model/way.ts';
import { printable, printableJson } from '../text/sanitize.ts';
import { indented, WIDTH, wrap } from './layout.ts';

/** How to print for a terminal. */
export interface DecisionOptions {
  readonly colour: boolean;
}

const LABELS: Readonly<Record<HopBy, string>> = {
  source: 'source',
  service: 'endpoints',
  'network-policy': 'network',
  waypoint: 'waypoint',
  ztunnel: 'ztunnel',
  sidecar: 'sidecar',
  gateway: 'gateway',
  workload: 'pod',
};
const INDENT = 3;
const COLUMN = 11;

/** The way as one JSON document with a line end. Hostile characters are written as escapes. */
export function renderWayJson(way: Way): string {
  return `${printableJson(JSON.stringify(way, null, 2))}\n`;
}

/** The way for people: the answer, then a line or two for each hop, at most 80 columns. */
export function renderWay(way: Way, options: DecisionOptions): string {
  const lines = [
    ...wrap(printable(`${way.source} -> ${way.destination}`), WIDTH),
    outcomeLine(way, options),
    ...(way.outcome === 'unknown' && way.routes.length > 1 ? indented(way.because, INDENT) : []),
    ...way.routes.flatMap((route) => routeLines(route, options)),
    ...way.notes.flatMap((note) => indented(`note: ${note}`, 0)),
  ];
  return `${lines.join('\n')}\n`;
}

function outcomeLine({ outcome, routes }: Way, options: DecisionOptions): string {
  const decisive = routes.length === 1 ? routes[0]?.hops.find((hop) => hop.outcome === outcome) : undefined;
  const by = outcome === 'allow' || decisive === undefined ? '' : `, by the ${LABELS[decisive.by]} hop`;
  return `${word(outcome, options)}${by}`;
}

function word(outcome: Decision['outcome'], { colour }: DecisionOptions): string {
  const text = outcome.toUpperCase();
  if (!colour) return text;
  const style = outcome === 'allow' ? 'green' : outcome === 'deny' ? 'red' : 'yellow';
  return styleText([style, 'bold'], text, { validateStream: false });
}

function routeLines({ assuming, hops }: Route, options: DecisionOptions): readonly string[] {
  return [
    '',
    ...(assuming.length === 0 ? [] : wrap(printable(`${assuming.join(' and ')}:`), WIDTH)),
    ...hops.flatMap((hop) => hopLines(hop, options)),
  ];
}

/** What decided and where, on a line that is never broken; the reason below. */
function hopLines(hop: Hop, options: DecisionOptions): readonly string[] {
  const { outcome, by, at, because } = hop;
  return [
    `${' '.repeat(INDENT)}${coloured(outcome, options)}${LABELS[by].padEnd(10)}${printable(at)}`,
    ...[because, ...printedLines(hop), ...hop.nearMiss.map(missText)].flatMap((text) => indented(text, COLUMN)),
  ];
}

function coloured(outcome: Decision['outcome'], options: DecisionOptions): string {
  const padding = ' '.repeat(8 - outcome.length);
  return options.colour
    ? `${word(outcome, options).replace(outcome.toUpperCase(), outcome)}${padding}`
    : outcome.padEnd(8);
}

/** What stands in the log of that proxy. */
function printedLines({ error, outcome, status, flags, details, termination }: Hop): readonly string[] {
  if (error !== null) return [`logs: ${error}`];
  if (outcome !== 'deny') return [];
  const words = [status === null ? null : String(status), flags.join(',') || null, details, termination];
  const printed = words.filter((text) => text !== null).join(' ');
  return printed === '' ? [] : [`logs: ${printed}`];
}

function missText({ policy, rule, field, wanted, seen }: NearMiss): string {
  const name = policy.namespace === '' ? policy.name : `${policy.namespace}/${policy.name}`;
  return `rule ${rule} of ${name} wanted ${field} ${wanted}, saw ${seen}`;
}
