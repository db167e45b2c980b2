import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { MeshView } from '../src/model/mesh.ts';
import { categoriesOf, reportOnFiles } from './analysis.ts';
import { meshFromCapture } from './scenario.ts';
import { hasShared, needsShared, shared } from './shared.ts';

interface Expectation {
  readonly must: readonly string[];
  readonly may?: readonly string[];
}

type Expected = Readonly<Record<'ztunnel' | 'envoy', Readonly<Record<string, Expectation>>>>;

const expected: Expected | null = hasShared ? parse(readFileSync(shared('captures/expected.yaml'), 'utf8')) : null;

/** The kind of scenario behind a folder: no release in front, no number, `-debug` or Envoy release behind. */
function kindOf(folder: string): string {
  return folder
    .replace(/^_\d+\.\d+-/, '')
    .replace(/-envoy-1\.\d+$/, '')
    .replace(/-debug$/, '')
    .replace(/-\d$/, '');
}

function folders(proxy: 'ztunnel' | 'envoy'): string[] {
  if (!hasShared) return [];
  return readdirSync(shared(`captures/${proxy}`), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== '_mixed')
    .map((entry) => entry.name);
}

/** Where the logs themselves contradict expected.yaml: what real proxies printed is right. */
const CONTRADICTED: Readonly<Record<string, string>> = {
  'ztunnel/ipv6': 'its log names istio_converted_static_strict and a time-out of port 15008; neither is foreseen',
  'ztunnel/waypoint-in-path': 'one caller goes past the waypoint and is denied; a note only where the mesh is known',
};

/** What single lines cannot tell: the same lines have another cause elsewhere. With the mesh they must be told. */
const NEEDS_MESH: Readonly<Record<string, string>> = {
  'envoy/client-dr-simple-to-strict': 'the server prints nothing; the client the same as when an application closes',
  'envoy/client-own-cert-expired': 'the same',
  'ztunnel/odd-names': '1.22 gives no reason for a rejection of plain text: STRICT or a DENY policy',
};

/** Scenarios in which the clock of a node was wrong. */
const WRONG_CLOCKS = /certificate-(?:clock-skew|expired-client)/;
/** Scenarios whose policies came while the log was written: calls before that are at odds with the mesh of later. */
const CHANGED_MEANWHILE = /selector-policy-added|strict-turned-on/;

function check(proxy: 'ztunnel' | 'envoy', folder: string, files: readonly string[], mesh?: MeshView): void {
  const paths = files.map((file) => shared(`captures/${proxy}/${folder}/${file}`)).filter((path) => existsSync(path));
  const expectation = expected?.[proxy][kindOf(folder)];
  expect(expectation, `no expectation for ${kindOf(folder)}`).toBeDefined();
  if (expectation === undefined) return;
  const report = reportOnFiles(paths, mesh);
  const found: readonly string[] = categoriesOf(report);
  const missing = expectation.must.filter((category) => !found.includes(category));
  const wrong = found.filter((category) => ![...expectation.must, ...(expectation.may ?? [])].includes(category));
  const kind = `${proxy}/${kindOf(folder)}`;
  const excused = CONTRADICTED[kind] !== undefined || (mesh === undefined && NEEDS_MESH[kind] !== undefined);
  if (!excused) expect({ missing, wrong }).toEqual({ missing: [], wrong: [] });
  for (const input of report.inputs) {
    expect(input.records + input.joined + input.skipped + input.malformed + input.truncated).toBe(input.lines);
    expect([input.name, input.malformed, input.problems]).toEqual([input.name, 0, []]);
  }
  const isTold = WRONG_CLOCKS.test(folder)
    ? /^(?:input|clocks)/
    : CHANGED_MEANWHILE.test(folder)
      ? /^(?:input|mesh)/
      : /^input/;
  expect(report.problems.filter((problem) => !isTold.test(problem.about))).toEqual([]);
}

function meta(proxy: 'ztunnel' | 'envoy', folder: string): string {
  return readFileSync(shared(`captures/${proxy}/${folder}/meta.yaml`), 'utf8');
}

describe.skipIf(!hasShared)(needsShared('captures of real ztunnels'), () => {
  describe.each(['', '.json', '.debug'])('printed as source%s.log', (suffix) => {
    const with_ = folders('ztunnel').filter((folder) =>
      existsSync(shared(`captures/ztunnel/${folder}/source${suffix}.log`)),
    );
    it.each(with_)('%s', (folder) => {
      check('ztunnel', folder, [`source${suffix}.log`, `destination${suffix}.log`]);
    });
  });

  it.each(folders('ztunnel'))('%s, with the mesh', (folder) => {
    check('ztunnel', folder, ['source.log', 'destination.log'], meshFromCapture(meta('ztunnel', folder)));
  });
});

describe.skipIf(!hasShared)(needsShared('captures of real Envoys'), () => {
  const world = hasShared ? readFileSync(shared('captures/envoy/_world.yaml'), 'utf8') : '';

  describe.each(['text', 'json', 'legacy-1.9-1.22'])('printed as %s', (format) => {
    const with_ = folders('envoy').filter((folder) => existsSync(shared(`captures/envoy/${folder}/${format}.log`)));
    it.each(with_)('%s', (folder) => {
      check('envoy', folder, [`${format}.log`, `client.${format}.log`, `server.${format}.log`]);
    });
  });

  it.each(folders('envoy'))('%s, with the mesh', (folder) => {
    check(
      'envoy',
      folder,
      ['text.log', 'client.text.log', 'server.text.log'],
      meshFromCapture(meta('envoy', folder), world),
    );
  });
});
