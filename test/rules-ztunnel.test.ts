import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ztunnelParsers } from '../parsers/ztunnel/index.ts';
import { readZtunnelError } from '../src/causes/ztunnel-error.ts';
import { createMesh, unknownMesh } from '../src/mesh/view.ts';
import type { Category, Match, Rule } from '../src/model/finding.ts';
import { type Envelope, UNKNOWN_ORIGIN } from '../src/model/line.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { LogRecord } from '../src/model/record.ts';
import type { Flow } from '../src/model/traffic.ts';
import { joinEnds } from '../src/traffic/join/join.ts';
import { emptyTraffic, fold } from '../src/traffic/traffic.ts';
import { hasShared, needsShared, shared } from './shared.ts';

const rules: readonly Rule[] = await loadRules();

async function loadRules(): Promise<readonly Rule[]> {
  const folder = new URL('../rules/', import.meta.url);
  const names = readdirSync(folder).filter((name) => /^(?:ztunnel|platform)-.*\.ts$/.test(name));
  const modules: { rule: Rule }[] = await Promise.all(names.map((name) => import(new URL(name, folder).href)));
  return modules.map(({ rule }) => rule);
}

interface Verdict {
  readonly rule: Rule;
  readonly match: Match;
  readonly record: LogRecord;
}

function parseLine(payload: string): LogRecord | null {
  const at = { input: 'log', line: 1 };
  const envelope: Envelope = { at, wrappings: [], time: null, origin: UNKNOWN_ORIGIN, payload };
  for (const parser of ztunnelParsers) {
    const parsed = parser.parse(envelope);
    if (parsed === null) continue;
    return parsed.kind === 'malformed' || parsed.kind === 'unfinished' ? null : parsed;
  }
  return null;
}

function flowsOf(text: string): readonly Flow[] {
  const traffic = emptyTraffic();
  for (const payload of text.split('\n')) {
    const record = parseLine(payload);
    if (record !== null) fold(traffic, record);
  }
  return [...traffic.flows.values()];
}

function judgeFlow(flow: Flow, mesh: MeshView): readonly Verdict[] {
  return rules.flatMap((rule) => {
    if (!rule.on.includes(`${flow.record.proxy}/${flow.record.kind}`)) return [];
    const match = rule.match(flow, mesh);
    return match === null ? [] : [{ rule, match, record: flow.record }];
  });
}

function reportedCategories(verdicts: readonly Verdict[]): readonly Category[] {
  const loud = verdicts.filter(({ rule, match }) => (match.level ?? rule.meta.level) !== 'note');
  return [...new Set(loud.map(({ rule, match }) => match.category ?? rule.meta.category))].sort();
}

/** An access line of the destination with this error. */
function failed(error: string, direction = 'inbound'): string {
  return `2026-01-02T03:04:05.006007Z\terror\taccess\tconnection complete\tsrc.addr=10.244.1.8:40000 src.workload="web-1" src.namespace="shop" dst.addr=10.244.2.9:8080 dst.workload="db-0" dst.namespace="data" direction="${direction}" bytes_sent=0 bytes_recv=0 duration="1ms" error=${JSON.stringify(error)}`;
}

interface Expectation {
  readonly must: readonly Category[];
  readonly may?: readonly Category[];
}

/**
 * Captures in which more happens than their expectation says, and what the lines prove beyond it. In `ipv6` one caller
 * speaks plain text into STRICT and one tunnel is dropped; in `waypoint-in-path` one caller bypasses the waypoint and is
 * denied. Without policies, the plain text in `_1.22-odd-names` looks like that in `_1.22-strict-mtls-plaintext-source`.
 */
const PROVEN_BEYOND: Readonly<Record<string, readonly Category[]>> = {
  ipv6: ['mutual-tls', 'network'],
  'waypoint-in-path': ['authorization'],
};
const UNDECIDABLE_WITHOUT_MESH = '_1.22-odd-names';
/** In this run the release dialled an IPv4 address from an IPv6 pod, so that the caller to be denied never arrived. */
const NOTHING_DENIED = '_1.22-ipv6/json.log';

const root = shared('captures/ztunnel/');
const folders = hasShared ? readdirSync(root).filter((name) => name !== '_mixed') : [];
const expected: Readonly<Record<string, Expectation>> = hasShared
  ? parse(readFileSync(shared('captures/expected.yaml'), 'utf8')).ztunnel
  : {};

/** The kind of scenario behind a folder: without release in front and number behind. */
function scenarioOf(folder: string): string {
  return folder.replace(/^_\d\.\d+-/, '').replace(/-\d$/, '');
}

function readEnds(folder: string, suffix: string): string | null {
  const files = ['source', 'destination'].map((end) => `${root}${folder}/${end}.${suffix}`);
  return files.every((file) => existsSync(file)) ? files.map((file) => readFileSync(file, 'utf8')).join('\n') : null;
}

function judgeEnds(folder: string, suffix: string, mesh: MeshView): readonly Verdict[] {
  return joinEnds(flowsOf(readEnds(folder, suffix) ?? '')).flatMap(({ flow }) => judgeFlow(flow, mesh));
}

/** The mesh behind a capture, from its description. */
function meshOf(folder: string): MeshView {
  const { istio = [], workloads = [] } = parse(readFileSync(`${root}${folder}/meta.yaml`, 'utf8'));
  const pods = workloads.map((pod: Readonly<Record<string, unknown>>) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: pod['name'], namespace: pod['namespace'], labels: pod['labels'] },
    spec: { serviceAccountName: pod['serviceAccount'] },
    status: { phase: 'Running', podIP: pod['ip'], podIPs: [{ ip: pod['ip'] }] },
  }));
  return createMesh([...istio, ...pods]);
}

function check(folder: string, verdicts: readonly Verdict[]): void {
  const scenario = scenarioOf(folder);
  const { must, may = [] } = expected[scenario] ?? { must: [] };
  const allowed = [...must, ...may, ...(PROVEN_BEYOND[scenario] ?? [])];
  const found = reportedCategories(verdicts);
  const missing = must.filter((category) => !found.includes(category));
  const wrong = found.filter((category) => !allowed.includes(category));
  expect({ missing, wrong }).toEqual({ missing: [], wrong: [] });
}

describe.skipIf(!hasShared)(needsShared('captures of real ztunnels'), () => {
  describe.each(['log', 'json.log', 'debug.log'])('source.%s and destination of it', (suffix) => {
    const captured = folders.filter(
      (folder) => readEnds(folder, suffix) !== null && `${folder}/${suffix}` !== NOTHING_DENIED,
    );
    test.each(captured.filter((folder) => folder !== UNDECIDABLE_WITHOUT_MESH))('%s', (folder) => {
      check(folder, judgeEnds(folder, suffix, unknownMesh));
    });
  });

  test.each(folders)('%s, with its policies', (folder) => {
    check(folder, judgeEnds(folder, 'log', meshOf(folder)));
  });

  test('every failed connection has one diagnosis, every other none', () => {
    const logs = readdirSync(root).flatMap((folder) =>
      readdirSync(`${root}${folder}`)
        .filter((file) => file.endsWith('.log') && !file.endsWith('.json.log'))
        .map((file) => `${root}${folder}/${file}`),
    );
    const flows = logs.flatMap((log) => flowsOf(readFileSync(log, 'utf8')));
    for (const flow of flows) {
      const { record } = flow;
      const isFailure =
        (record.kind === 'connection' && record.error !== null) ||
        (record.kind === 'diagnostic' && (record.severity === 'error' || record.severity === 'warning'));
      const ids = judgeFlow(flow, unknownMesh).map(({ rule }) => rule.meta.id);
      if (isFailure) expect(ids, record.raw).toHaveLength(1);
      else if (record.kind === 'connection') expect(ids, record.raw).toEqual([]);
      else expect(ids.length, record.raw).toBeLessThan(2);
    }
    expect(flows.length).toBeGreaterThan(1000);
  });
});

describe('texts that are in no capture', () => {
  test.each([
    ['connection failed: deadline has elapsed', 'inbound', 'ztunnel-application-unreachable'],
    ['connection failed: Connection reset by peer (os error 104)', 'inbound', 'ztunnel-application-unreachable'],
    ['connection closed due to policy rejection: workload not found', 'inbound', 'ztunnel-policy-rejected'],
    ['connection tracking failed', 'inbound', 'ztunnel-connection-failed'],
    ['pool draining', 'outbound', 'ztunnel-connection-drained'],
    ['no service for target address: 172.30.1.2:9080', 'outbound', 'ztunnel-destination-unroutable'],
    ['send: io error: stream error received: stream no longer needed', 'inbound', 'ztunnel-stream-interrupted'],
    ['receive: destination disconnected before all data was written', 'outbound', 'ztunnel-stream-interrupted'],
    [
      'send: io error: stream error received: unexpected internal error encountered',
      'inbound',
      'ztunnel-stream-aborted',
    ],
    ['h2 failed: protocol error: refused stream before processing', 'outbound', 'ztunnel-tunnel-failed'],
    ['http status: 418 I am a teapot', 'outbound', 'ztunnel-gateway-failed'],
    ['identity error: the identity is no longer needed', 'outbound', 'ztunnel-connection-drained'],
    ['identity error: chain returned from CA is empty for: x', 'outbound', 'ztunnel-certificate-unavailable'],
    ['io error: invalid peer certificate: ExpiredRevocationList', 'outbound', 'ztunnel-certificate-refused'],
    ['connection timed out maybe a NetworkPolicy is blocking HBONE port 15008', 'outbound', 'ztunnel-hbone-blocked'],
  ])('%s (%s) is %s', (error, direction, id) => {
    const [flow] = flowsOf(failed(error, direction));
    expect(flow === undefined ? [] : judgeFlow(flow, unknownMesh).map(({ rule }) => rule.meta.id)).toEqual([id]);
  });
});

describe('laws', () => {
  const words = [
    'connection closed due to policy rejection',
    ': explicitly denied by: ',
    'a/b',
    'io error: ',
    'invalid peer certificate: ',
    'tls handshake error: ',
    'Custom { kind: InvalidData, error: ',
    'InvalidCertificate(',
    'Other(OtherError(',
    'expected SAN (',
    '), got ',
    'h2 failed: ',
    'received fatal alert: ',
    'while closing connection: ',
    'receive: ',
    '(os error 111)',
    'unknown waypoint: waypoint ',
    'GatewayAddress ',
    'http status: ',
    '401 ',
    '\n',
  ];
  const texts = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom(...words), { maxLength: 12 }).map((parts) => parts.join('')),
  );

  test('every failed connection, whatever its text, has exactly one diagnosis', () => {
    fc.assert(
      fc.property(texts, fc.constantFrom('inbound', 'outbound'), (error, direction) => {
        for (const flow of flowsOf(failed(error, direction))) {
          if (flow.record.kind !== 'connection' || flow.record.error === null) continue;
          expect(judgeFlow(flow, unknownMesh)).toHaveLength(1);
        }
      }),
    );
  });

  test('reading a text takes time in proportion to its length', () => {
    for (const word of words) {
      const text = `${word}${word.repeat(20_000)}`;
      const before = performance.now();
      readZtunnelError(text, 'hbone');
      expect(performance.now() - before).toBeLessThan(500);
    }
  });
});
