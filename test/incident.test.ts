import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readInput } from '../src/input/read.ts';
import { readMeshAndArchives } from '../src/mesh/read.ts';
import { createMesh } from '../src/mesh/view.ts';
import type { Report } from '../src/model/report.ts';
import { analysisOf, SOME_TIME } from './analysis.ts';
import {
  archived,
  bugReport,
  clusterInfoDump,
  type DumpFile,
  INCIDENT,
  INCIDENT_MESH,
  lokiAnswer,
  mustGather,
  sosReports,
  sternFile,
  ztunnelDump,
} from './incident.ts';

const root = mkdtempSync(join(tmpdir(), 'meshmend-incident-'));

function write(name: string, bytes: Buffer | string): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

function writeAll(folder: string, files: readonly DumpFile[]): string {
  for (const { name, text } of files) write(join(folder, name), text);
  return join(root, folder);
}

const MESH = write('mesh.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: INCIDENT_MESH }));

/** The report as the command line makes it: the mesh first, then every input. */
async function reportOnPaths(paths: readonly string[], mesh: readonly string[] = []): Promise<Report> {
  const { objects, texts, sources } = await readMeshAndArchives(mesh, paths);
  const analysis = analysisOf(createMesh(objects, { sources, texts }));
  for (const path of paths) await readInput(path, analysis, new AbortController().signal);
  return analysis.report(SOME_TIME, false);
}

/** What a report says, without where its lines stand. */
function told({ findings }: Report): unknown {
  return findings.map(({ fingerprint, evidence, ...finding }) => ({
    ruleId: finding.ruleId,
    category: finding.category,
    level: finding.level,
    certainty: finding.certainty,
    count: finding.count,
    firstSeen: finding.firstSeen,
    lastSeen: finding.lastSeen,
    source: finding.source,
    destination: finding.destination,
    enforcedBy: finding.enforcedBy,
    policies: finding.policies,
    unchecked: finding.unchecked,
    remedies: finding.remedies.map(({ summary, verification }) => [summary, verification.status]),
    evidence: evidence.map(({ raw }) => raw).sort(),
    fingerprint,
  }));
}

const plain = (): Promise<Report> =>
  reportOnPaths(
    INCIDENT.map(({ pod, container, lines }) => write(`plain/${pod}_${container}.log`, `${lines.join('\n')}\n`)),
    [MESH],
  );

describe('one incident, as it is handed in', () => {
  it('is four findings, each with the lines of all who saw it', async () => {
    const { findings } = await plain();
    expect(
      findings.map(({ ruleId, level, count, destination, evidence, unchecked }) => [
        `${ruleId} ${level} ${count}`,
        `${destination.namespace}/${destination.workload ?? destination.service}`,
        evidence.length,
        unchecked.filter((text) => text.startsWith('not in the input')),
      ]),
    ).toEqual([
      ['envoy-rbac-denied-none error 3', 'legacy/cart', 3, []],
      ['ztunnel-allow-missed error 3', 'shop/payments', 3, []],
      ['envoy-rbac-denied-none error 3', 'shop/catalog.shop.svc.cluster.local', 2, []],
      ['envoy-filter-chain-missed error 1', 'legacy/cart', 2, []],
    ]);
  });

  it.each([
    ['a bug report', () => [write('bug-report.tar.gz', archived(bugReport()))], []],
    ['a bug report that was unpacked', () => [writeAll('bug-report-unpacked', bugReport())], []],
    ['a must-gather', () => [write('must-gather.tar.gz', archived(mustGather()))], []],
    ['a must-gather that was unpacked', () => [writeAll('must-gather-unpacked', mustGather())], []],
    ['reports of sos', () => [write('sosreport.tar.gz', archived(sosReports()))], [MESH]],
    ['a dump of cluster-info', () => [writeAll('cluster-info', clusterInfoDump())], [MESH]],
    ['stern', () => [write('stern.log', sternFile())], [MESH]],
    ['an answer of Loki', () => [write('loki.json', lokiAnswer())], [MESH]],
  ])('%s tells the same, and nothing is lost', async (_, paths, mesh) => {
    const wanted = await plain();
    const report = await reportOnPaths(paths(), mesh);
    for (const { lines, records, joined, skipped, malformed, truncated } of report.inputs) {
      expect(records + joined + skipped + malformed + truncated).toBe(lines);
    }
    const records = (of: Report): number => of.inputs.reduce((sum, input) => sum + input.records, 0);
    expect(records(report)).toBe(records(wanted));
    expect(told(report)).toEqual(told(wanted));
  });

  it.each([
    ['as ztunnel prints it', ztunnelDump()],
    ['of older releases', { ...ztunnelDump(), workloads: byAddress(ztunnelDump()['workloads']) }],
  ])(
    'with pods and Services only as ztunnel knew them, %s, its denials are explained and repaired as well',
    async (_, dump) => {
      const files = [
        ...bugReport().filter(({ name }) => !name.endsWith('k8s-resources')),
        { name: 'bug-report/proxies/istio-system/ztunnel-4wq7x/config_dump', text: JSON.stringify(dump, null, 2) },
        { name: 'bug-report/proxies/istio-system/ztunnel-6rz9d/config_dump', text: JSON.stringify(dump, null, 2) },
      ];
      const ofZtunnel = (report: Report): unknown =>
        (told(report) as { ruleId: string }[]).filter(({ ruleId }) => ruleId.startsWith('ztunnel-'));
      const report = await reportOnPaths([write('dumped.tar.gz', archived(files))]);
      expect(ofZtunnel(report)).toEqual(ofZtunnel(await plain()));
      expect(report.mesh.sources).toHaveLength(2);
      expect(report.mesh.sources[1]).toMatch(/ztunnel-4wq7x\/config_dump \(what ztunnel knew\)$/);
    },
  );

  it('a bug report that is cut off anywhere tells no more than the whole one, and the cut is told', async () => {
    const whole = archived(bugReport(), [
      { name: '../../escaped.log', bytes: Buffer.from('nothing of ours\n') },
      { name: 'bug-report/link.log', bytes: Buffer.alloc(0), type: '2' },
      { name: 'bug-report/inner.tar.gz', bytes: archived(mustGather()) },
    ]);
    const wanted = new Map(
      (await reportOnPaths([write('whole.tar.gz', whole)])).findings.map((one) => [one.ruleId, one.count]),
    );
    expect(wanted.size).toBe(3);
    for (const share of [0.2, 0.4, 0.6, 0.8, 0.99]) {
      const path = write('cut.tar.gz', whole.subarray(0, Math.floor(share * whole.length)));
      const { inputs, findings, problems } = await reportOnPaths([path]).catch((error: Error) => ({
        inputs: [],
        findings: [],
        problems: [error],
      }));
      for (const { lines, records, joined, skipped, malformed, truncated } of inputs) {
        expect(records + joined + skipped + malformed + truncated).toBe(lines);
      }
      for (const { ruleId, count, level } of findings) {
        if (level !== 'note') expect(count).toBeLessThanOrEqual(Math.max(wanted.get(ruleId) ?? 3, 3));
      }
      expect(problems.map(({ message }) => message).join()).toMatch(/cut off|no log in it/);
    }
  });

  it('a container that started again: its log before that is appended, and is counted once', async () => {
    const files = bugReport().map(({ name, text }) => {
      if (!name.endsWith('ztunnel-6rz9d/istio-proxy.log')) return { name, text };
      const [first = '', ...rest] = text.split('\n');
      const head = '========= Previous log present (appended at the end) =========';
      return { name, text: [head, '', ...rest, '', '========= Previous log =========', '', first, ''].join('\n') };
    });
    const report = await reportOnPaths([write('restarted.tar.gz', archived(files))]);
    expect(told(report)).toEqual(told(await plain()));
  });

  it('pods and Services that are given count before those that ztunnel knew', async () => {
    const workloads = write('workloads.json', JSON.stringify(ztunnelDump()['workloads'], null, 2));
    const { objects, problems, sources } = await readMeshAndArchives([workloads, MESH], []);
    expect(objects).toHaveLength(INCIDENT_MESH.length);
    expect([problems, sources]).toEqual([[], [workloads, MESH]]);
    const alone = await readMeshAndArchives([workloads], []);
    expect(alone.objects.map(({ kind, apiVersion }) => `${apiVersion} ${kind}`)).toEqual(Array(9).fill('v1 Pod'));
    expect(alone.problems).toMatchObject([{ message: expect.stringContaining('9 pods and Services are not given') }]);
  });
});

describe('many inputs at once, among them pods of one name', () => {
  /** The lines of the incident in two clusters' archives, whose names tell nothing else of who wrote them or the pod as well. */
  const inputs = [
    ...['east', 'west'].flatMap((cluster) =>
      INCIDENT.flatMap(({ namespace, pod, container, lines }) => [
        { name: `${cluster}.tgz!bug-report/proxies/${namespace}/${pod}/${container}.log`, lines },
        { name: `${cluster}.tgz!logs/${lines.length}.log`, lines },
      ]),
    ),
    { name: 'stern.log', lines: sternFile().trimEnd().split('\n') },
  ].map(({ name, lines }) => ({
    name,
    lines: Array.from({ length: 5 }, (_, time) => lines.map((line) => later(line, time))).flat(),
  }));

  function later(line: string, minutes: number): string {
    return line.replace(/2026-11-21T12:40/, `2026-11-21T12:4${minutes}`);
  }

  function flowsBy(road: 'plain' | 'bulk', order: readonly number[]): unknown {
    const analysis = analysisOf();
    const at = inputs.map(() => 0);
    const next = (index: number): boolean => {
      const { name, lines } = inputs[index] ?? { name: '', lines: [] };
      const number = at[index] ?? 0;
      const text = lines[number];
      if (text === undefined) return false;
      at[index] = number + 1;
      const bytes = Buffer.from(text);
      if (road === 'bulk') analysis.feedBytes(name, number + 1, bytes, 0, bytes.length);
      else analysis.feed({ at: { input: name, line: number + 1 }, text, truncated: false });
      return true;
    };
    for (const index of order) next(index % inputs.length);
    for (const index of inputs.keys()) while (next(index));
    for (const { name } of inputs) analysis.end(name);
    const { inputs: read, problems, ...report } = analysis.report(SOME_TIME, false);
    const byName = [...read].sort((a, b) => (a.name < b.name ? -1 : 1));
    return { ...report, inputs: byName, problems: problems.map(({ about, message }) => `${about}: ${message}`).sort() };
  }

  it('come to the same report in any order and on both roads', () => {
    const wanted = flowsBy('plain', []);
    fc.assert(
      fc.property(fc.array(fc.nat(inputs.length - 1), { maxLength: 600 }), (order) => {
        expect(flowsBy('bulk', order)).toEqual(wanted);
        expect(flowsBy('plain', order)).toEqual(wanted);
      }),
      { numRuns: 8 },
    );
  });
});

function byAddress(workloads: unknown): unknown {
  return Object.fromEntries((workloads as { workloadIps: string[] }[]).map((one) => [`/${one.workloadIps[0]}`, one]));
}
