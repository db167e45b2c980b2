import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { rules } from '../rules/index.ts';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { readMesh } from '../src/mesh/read.ts';
import { createMesh } from '../src/mesh/view.ts';
import type { Report } from '../src/model/report.ts';
import { platforms } from '../src/platforms/index.ts';
import { renderPage } from '../src/render/explain.ts';
import { renderPlatform } from '../src/render/platform.ts';
import { runSuite } from '../src/suite/run-suite.ts';
import { listOf, recordOf, textOf, textsOf } from '../src/text/untyped.ts';
import { reportOn } from './analysis.ts';
import { hasShared, needsShared, shared } from './shared.ts';

/** Requirements of the documents (R) and of the code behind them (X); N are what must never be advised. */
const HOW_MANY = { R: 142, X: 28, N: 23 };

const FILE = 'fixtures/requirements.yaml';
const requirements = Object.entries(recordOf(parse(readFileSync(FILE, 'utf8')))).map(([id, entry]) => {
  const { says, test, shows, ...rest } = recordOf(entry);
  const tests = typeof test === 'string' ? [test] : textsOf(test);
  return { id, says: textOf(says), tests, shows: textsOf(shows), reason: textOf(rest['not-applicable']) };
});
const ids = requirements.map(({ id }) => id);

describe('the requirements', () => {
  it('are all there, each once', () => {
    const count = (letter: string): number => ids.filter((id) => id.startsWith(letter)).length;
    expect({ R: count('R'), X: count('X'), N: count('N') }).toEqual(HOW_MANY);
  });

  it('each say what they are and what proves them, or why nothing is needed', () => {
    const halves = requirements.filter(({ says, tests, reason }) =>
      reason === null ? says === null || tests.length === 0 : says !== null || tests.length > 0,
    );
    expect(halves.map(({ id }) => id)).toEqual([]);
  });

  const proved = requirements.flatMap(({ id, tests, shows }) => tests.map((test, at) => ({ id, test, shows, at })));

  it.each(proved)('$id: $test', ({ id, test }) => {
    expect(prove(test), `${FILE} ${id}: ${test}`).toBeNull();
  });

  it.each(requirements.filter(({ shows }) => shows.length > 0))('$id is shown', ({ tests, shows }) => {
    const text = tests.map(printedBy).join('\n').replaceAll(/\s+/g, ' ');
    expect(shows.filter((wanted) => !text.includes(wanted))).toEqual([]);
  });
});

describe.skipIf(!hasShared)(needsShared('the list of requirements'), () => {
  it('names no other', () => {
    const text = hasShared ? readFileSync(shared('reference/seed-requirements.md'), 'utf8') : '';
    const listed = [...text.matchAll(/^(?:- \*\*((?:R\d|X)-\d\d)\b|\| (N-\d\d) \|)/gm)].map(
      ([, id, never]) => id ?? never,
    );
    expect([...ids].sort()).toEqual([...listed].sort());
  });
});

describe('what istiod says of a policy', () => {
  it('the status of a policy is read', () => {
    const log =
      '2026-11-21T12:05:51.841732Z\terror\taccess\tconnection complete\tsrc.addr=10.0.0.7:41775 src.workload="web-0" src.namespace="web" src.identity="spiffe://cluster.local/ns/web/sa/web" dst.addr=10.0.0.1:15008 dst.hbone_addr=10.0.0.1:80 dst.workload="api-0" dst.namespace="shop" dst.identity="spiffe://cluster.local/ns/shop/sa/api" direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" error="connection closed due to policy rejection: explicitly denied by: shop/no-writes"\n';
    const policy = {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'no-writes', namespace: 'shop' },
      spec: { action: 'DENY', rules: [{ to: [{ operation: { methods: ['PUT'], ports: ['80'] } }] }] },
      status: {
        conditions: [
          { type: 'ZtunnelAccepted', status: 'False', reason: 'UnsupportedValue', message: 'no HTTP at ztunnel' },
          { type: 'WaypointAccepted', status: 'True', reason: 'Accepted', message: 'bound' },
        ],
      },
    };
    expect(reportOn({ log }, createMesh([policy])).problems.map(({ message }) => message)).toEqual([
      'AuthorizationPolicy shop/no-writes is not taken as it is written (ZtunnelAccepted False, UnsupportedValue): no HTTP at ztunnel',
    ]);
  });
});

/** Why a reference proves nothing; null: it holds. */
function prove(reference: string): string | null {
  const [, file = '', title = ''] = /^(test\/\S+\.test\.ts) > (.+)$/.exec(reference) ?? [];
  if (file !== '') return existsSync(file) && readFileSync(file, 'utf8').includes(title) ? null : 'no such test';
  if (reference.startsWith('explain ')) return printedBy(reference) === '' ? 'no such page' : null;
  if (reference.startsWith('fixtures/policy/')) return failingPolicy(reference);
  if (reference.startsWith('fixtures/rules/')) return failingRule(reference);
  return reference.startsWith('rules/static/') && existsSync(reference) ? null : 'no such file';
}

function failingPolicy(reference: string): string | null {
  const [file = '', name] = reference.split('#');
  if (!existsSync(file)) return 'no such file';
  const run = runSuite(file, readFileSync(file, 'utf8'), (path) => readMesh([join(dirname(file), path)]));
  const meant = run.results.filter((result) => name === undefined || result.case === name);
  if (meant.length === 0) return 'no such case';
  return meant.every(({ pass }) => pass) ? null : 'the case fails';
}

/** A folder of one rule stands for its cases that fire. */
function failingRule(reference: string): string | null {
  const cases = casesOf(reference);
  if (cases.length === 0) return 'no such case';
  const silent = cases.filter((folder) => !reportOf(folder).findings.some(({ ruleId }) => ruleId === ruleOf(folder)));
  return silent.length === 0 ? null : `does not tell its rule: ${silent.join(', ')}`;
}

function casesOf(folder: string): readonly string[] {
  if (existsSync(join(folder, 'input.log'))) return [folder];
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => !name.startsWith('quiet-'))
    .map((name) => join(folder, name));
}

function ruleOf(folder: string): string {
  return folder.split('/')[2] ?? '';
}

function reportOf(folder: string): Report {
  const log = readFileSync(join(folder, 'input.log'), 'utf8');
  const path = join(folder, 'mesh.yaml');
  if (!existsSync(path)) return reportOn({ log });
  return reportOn({ log }, createMesh(decodeManifests(readFileSync(path, 'utf8'), path).objects, { sources: [path] }));
}

/** What an operator reads of it: a page, or the findings of a case. Empty: it prints nothing. */
function printedBy(reference: string): string {
  const page = /^explain (.+)$/.exec(reference)?.[1];
  const platform = platforms.find(({ id }) => id === page);
  const rule = rules.find(({ meta }) => meta.id === page);
  if (platform !== undefined) return renderPlatform(platform);
  if (rule !== undefined) return renderPage(rule);
  if (!reference.startsWith('fixtures/rules/')) return '';
  return casesOf(reference)
    .map((folder) => JSON.stringify(reportOf(folder).findings).replaceAll('\\"', '"'))
    .join('\n');
}

describe('what several requirements ask of all that is printed', () => {
  const folders = readdirSync('fixtures/rules').flatMap((id) => casesOf(join('fixtures/rules', id)));
  const printed = folders.flatMap((folder) => {
    const report = recordOf(parse(readFileSync(join(folder, 'expected.json'), 'utf8')));
    const remedies = listOf(report['findings']).flatMap((finding) => listOf(recordOf(finding)['remedies']));
    return remedies.map((remedy) => recordOf(recordOf(remedy)['commands']));
  });

  it('no command runs in a sidecar, whose calls are not those of the pod', () => {
    const commands = printed.flatMap((entry) => Object.values(entry).flatMap((list) => textsOf(list)));
    expect(commands.length).toBeGreaterThan(100);
    expect(commands.filter((command) => / exec .*-c istio-proxy/.test(command))).toEqual([]);
  });

  it('no change is applied with istioctl', () => {
    const applied = printed.flatMap(({ apply }) => textsOf(apply));
    expect(applied.filter((command) => command.includes('istioctl'))).toEqual([]);
  });

  it('the same policies with other comments are the same objects', () => {
    const file = 'fixtures/rules/envoy-rbac-denied-none/knative-behind-activator/mesh.yaml';
    const text = readFileSync(file, 'utf8');
    const commented = text.replaceAll(/^---$/gm, '--- # and the next\n# of these\n');
    expect(decodeManifests(commented, file)).toEqual(decodeManifests(text, file));
  });
});
