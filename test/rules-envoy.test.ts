import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { envoyParsers } from '../parsers/envoy/index.ts';
import { Analysis } from '../src/analyze.ts';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { createMesh, unknownMesh } from '../src/mesh/view.ts';
import type { Category, Match, Rule } from '../src/model/finding.ts';
import { UNKNOWN_ORIGIN } from '../src/model/line.ts';
import type { MeshView } from '../src/model/mesh.ts';
import { type EnvoyFacts, type RequestRecord, UNKNOWN_PEER } from '../src/model/record.ts';
import { NO_WISHES } from '../src/model/remedy.ts';
import type { Report } from '../src/model/report.ts';
import type { Flow } from '../src/model/traffic.ts';
import { categoriesOf, SOME_TIME } from './analysis.ts';
import { hasShared, needsShared, shared } from './shared.ts';

const rules = await loadRules();

async function loadRules(): Promise<readonly Rule[]> {
  const folder = new URL('../rules/', import.meta.url);
  const names = readdirSync(folder).filter((name) => /^(?:envoy|knative)-.*\.ts$/.test(name));
  const modules = await Promise.all(names.map((name) => import(new URL(name, folder).href)));
  return modules.map((module: { rule: Rule }) => module.rule);
}

/** Feeds texts as one input each. `claims` gets, for every flow that is judged, the rules that claim it. */
function reportOn(texts: readonly string[], mesh: MeshView, claims: string[][] = []): Report {
  const watched = rules.map((rule) => watch(rule, claims));
  const tool = { name: 'meshmend', version: 'test' };
  const analysis = new Analysis({
    parsers: envoyParsers,
    wrappings: [],
    rules: watched,
    mesh,
    tool,
    since: null,
    until: null,
    wishes: NO_WISHES,
  });
  texts.forEach((text, number) => {
    const input = `log ${number}`;
    text
      .trimEnd()
      .split('\n')
      .forEach((line, index) => {
        analysis.feed({ at: { input, line: index + 1 }, text: line, truncated: false });
      });
    analysis.end(input);
  });
  return analysis.report(SOME_TIME, false);
}

const byFlow = new WeakMap<Flow, string[]>();

function watch(rule: Rule, claims: string[][]): Rule {
  return {
    ...rule,
    match(flow, mesh) {
      const match = rule.match(flow, mesh);
      if (match === null) return null;
      const known = byFlow.get(flow) ?? [];
      if (known.length === 0) claims.push(known);
      byFlow.set(flow, known);
      known.push(`${rule.meta.id} (${match.certainty})`);
      return match;
    },
  };
}

interface Expectation {
  readonly must: readonly Category[];
  readonly may?: readonly Category[];
}

const root = shared('captures/envoy/');
const folders = hasShared ? readdirSync(root).filter((name) => !name.startsWith('_')) : [];
const expected: Record<string, Expectation> = hasShared
  ? parse(readFileSync(shared('captures/expected.yaml'), 'utf8')).envoy
  : {};

/** The scenario behind a folder name: without release, `-debug` and number behind. */
function scenarioOf(folder: string): string {
  return folder.replace(/(?:-debug)?(?:-envoy-1\.\d+)?(?:-\d)?$/, '');
}

function texts(folder: string, format: string, ends: readonly string[]): readonly string[] {
  return ends
    .map((end) => `${root}${folder}/${end}${format}.log`)
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'));
}

/** The mesh as the scenario describes it. */
function meshOf(folder: string): MeshView {
  const { policiesInForce, meshConfig } = parse(readFileSync(`${root}${folder}/meta.yaml`, 'utf8'));
  const map = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: 'istio-system' },
    data: { mesh: stringify(meshConfig ?? {}) },
  };
  const manifests = [
    readFileSync(`${root}_world.yaml`, 'utf8'),
    ...[map, ...(policiesInForce ?? [])].map((value) => stringify(value)),
  ];
  return createMesh(decodeManifests(manifests.join('\n---\n'), 'meta.yaml').objects);
}

/** What one proxy's text alone cannot tell: another scenario prints the same bytes. */
const UNDECIDABLE_WITHOUT_MESH = ['client-dr-simple-to-strict', 'client-own-cert-expired'];

describe.skipIf(!hasShared)(needsShared('captures of Envoy'), () => {
  describe.each(['text', 'json', 'legacy-1.9-1.22', 'custom-text', 'custom-json'])('%s', (format) => {
    test.each(folders)('%s', (folder) => {
      const both = texts(folder, format, ['', 'client.', 'server.']);
      const claims: string[][] = [];
      const report = reportOn(both, unknownMesh, claims);
      check(folder, report, UNDECIDABLE_WITHOUT_MESH.includes(scenarioOf(folder)));
      expect(claims.filter((claimed) => claimed.length > 1)).toEqual([]);
    });
  });

  test.each(folders)('%s with its mesh', (folder) => {
    check(folder, reportOn(texts(folder, 'text', ['', 'client.', 'server.']), meshOf(folder)), false);
  });

  test.each(folders.filter((folder) => existsSync(`${root}${folder}/debug.log`)))('%s debug log', (folder) => {
    check(folder, reportOn(texts(folder, 'debug', ['']), unknownMesh), true);
  });

  test.each(folders)('%s in formats without details is never called something else', (folder) => {
    for (const format of ['legacy-1.8', 'legacy-1.3-1.7']) {
      check(folder, reportOn(texts(folder, format, ['', 'client.', 'server.']), unknownMesh), true);
    }
  });
});

function check(folder: string, report: Report, mayBeLess: boolean): void {
  const found = categoriesOf(report);
  const { must, may = [] } = expected[scenarioOf(folder)] ?? { must: [] };
  const missing = mayBeLess ? [] : must.filter((category) => !found.includes(category));
  const wrong = found.filter((category) => !must.includes(category) && !may.includes(category));
  const seen = report.findings.map(({ ruleId, category, level, evidence }) => [
    ruleId,
    category,
    level,
    evidence[0]?.raw,
  ]);
  expect({ missing, wrong }, JSON.stringify(seen, null, 1)).toEqual({ missing: [], wrong: [] });
  expect(report.problems.filter(({ about }) => about.startsWith('rule'))).toEqual([]);
  for (const { level, ruleId, remedies } of report.findings) {
    if (level !== 'note') expect([ruleId, remedies.length]).not.toEqual([ruleId, 0]);
  }
}

const fixtures = new URL('../fixtures/rules/', import.meta.url);
const cases = rules
  .flatMap(({ meta }) => readdirSync(new URL(meta.id, fixtures)).map((name) => [meta.id, name] as const))
  // Those that need a format of their own are for test/rules.test.ts.
  .filter(([id, name]) => !existsSync(new URL(`${id}/${name}/format.txt`, fixtures)));

describe('fixtures', () => {
  test.each(cases)('%s: %s', (id, name) => {
    const folder = new URL(`${id}/${name}/`, fixtures);
    const manifest = new URL('mesh.yaml', folder);
    const mesh = existsSync(manifest)
      ? createMesh(decodeManifests(readFileSync(manifest, 'utf8'), 'mesh.yaml').objects)
      : unknownMesh;
    const report = reportOn([readFileSync(new URL('input.log', folder), 'utf8')], mesh);
    const own = report.findings.filter(({ ruleId }) => ruleId === id);
    expect([id, own.length > 0]).toEqual([id, !name.startsWith('quiet-')]);
    expect(report.inputs.map(({ skipped, malformed }) => [skipped, malformed])).toEqual([[0, 0]]);
  });
});

const words = (...values: string[]): fc.Arbitrary<string | null> =>
  fc.option(fc.constantFrom(...values), { nil: null });

/** Request facts over the vocabulary of Envoy, and over any text. */
const facts: fc.Arbitrary<EnvoyFacts> = fc.record({
  flags: fc.option(
    fc.subarray(['UH', 'UF', 'URX', 'UC', 'UR', 'NR', 'NC', 'DC', 'DPE', 'UAEX', 'RL', 'FI', 'DI', 'UPE', 'UT', 'XX']),
    { nil: null },
  ),
  details: fc.oneof(
    words(
      'via_upstream',
      'direct_response',
      'route_not_found',
      'rbac_access_denied_matched_policy[none]',
      'rbac_access_denied_matched_policy[ns[a]-pol',
      'jwt_authn_access_denied{Jwt_is_expired}',
      'ext_authz_error',
      'upstream_reset_before_response_started{overflow}',
      'upstream_reset_after_response_started{remote_reset}',
      'downstream_local_disconnect(x)',
      'http1.codec_error',
    ),
    fc.string(),
  ),
  detailsKnown: fc.boolean(),
  upstreamKnown: fc.boolean(),
  termination: fc.option(fc.string(), { nil: null }),
  transportFailure: fc.oneof(
    words(
      'TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end',
      'tunnel_response:403',
    ),
    fc.string(),
  ),
  upstreamHost: words(
    '10.0.0.1:80',
    '10.0.0.1:15008',
    'envoy://connect_originate/10.0.0.1:80',
    'envoy://main_internal/',
  ),
  cluster: words(
    'outbound|80||a.b.svc.cluster.local',
    'inbound|80||',
    'BlackHoleCluster',
    'PassthroughCluster',
    'connect_originate',
  ),
  upstreamLocal: fc.constant(null),
  downstreamLocal: words('10.0.0.2:8080'),
  downstreamRemote: words('10.0.0.3:4711', '8.8.8.8:4711'),
  downstreamDirect: fc.constant(null),
  serverName: words('outbound_.80_._.a.b.svc.cluster.local', 'example.com'),
  route: words('default', 'block_all', 'canary'),
  grpcStatus: fc.option(fc.integer({ min: 0, max: 17 }), { nil: null }),
  attempts: fc.constant(null),
  forwardedFor: fc.constant(null),
  userAgent: fc.constant(null),
  requestId: fc.constant(null),
  upstreamServiceMs: fc.option(fc.nat(), { nil: null }),
});

const requests: fc.Arbitrary<RequestRecord> = fc.record({
  kind: fc.constant('request'),
  at: fc.constant({ input: 'log', line: 1 }),
  parser: fc.constant('envoy-text'),
  proxy: fc.constant('envoy'),
  reporter: fc.constantFrom('source', 'destination', 'waypoint', 'gateway', null),
  origin: fc.constant(UNKNOWN_ORIGIN),
  time: fc.constant(null),
  raw: fc.constant(''),
  source: fc.constant(UNKNOWN_PEER),
  destination: fc.constant(UNKNOWN_PEER),
  service: fc.constant(null),
  method: words('GET', 'CONNECT'),
  path: fc.option(fc.string(), { nil: null }),
  authority: fc.option(fc.string(), { nil: null }),
  protocol: words('HTTP/1.1', 'HTTP/2'),
  status: fc.option(
    fc.constantFrom(0, 101, 200, 302, 400, 401, 403, 404, 408, 413, 426, 429, 431, 500, 502, 503, 504),
    {
      nil: null,
    },
  ),
  bytesSent: fc.option(fc.constantFrom(0, 14, 19, 32, 95), { nil: null }),
  bytesReceived: fc.constant(null),
  durationMs: fc.option(fc.nat(20_000), { nil: null }),
  envoy: facts,
});

function matchesOf(record: RequestRecord): readonly Match[] {
  const flow: Flow = {
    key: 'k',
    record,
    count: 1,
    firstSeen: null,
    lastSeen: null,
    bytesSent: null,
    bytesReceived: null,
    maxDurationMs: record.durationMs,
    samples: [{ at: record.at, time: record.time, raw: record.raw, marks: [] }],
    sourceAddresses: [],
  };
  return rules
    .filter((rule) => rule.on.includes('envoy/request'))
    .flatMap((rule) => {
      const match = rule.match(flow, unknownMesh);
      return match === null ? [] : [match];
    });
}

describe('laws', () => {
  test.each([
    '0 UF upstream_reset_before_response_started{connection_timeout} - "-" 0 0 5',
    '200 UR upstream_reset_after_response_started{remote_disconnect} - "-" 0 5 5',
    '503 UF upstream_reset_before_response_started{connection_timeout} - "-" 0 91 5',
  ])('a failure of a caller is as bad beside that of a probe: %s', (outcome) => {
    const line = (second: number, agent: string): string =>
      `[2026-01-02T12:00:0${second}.000Z] "GET / HTTP/1.1" ${outcome} - "-" "${agent}" "-" "api.pay:8080" "10.0.1.1:8080" inbound|8080|| 127.0.0.6:1 10.0.1.1:8080 10.0.0.9:5 - default`;
    const told = (...lines: readonly string[]): readonly string[] =>
      reportOn([`${lines.join('\n')}\n`], unknownMesh).findings.map(({ level }) => level);
    const [alone] = told(line(2, 'curl/8'));
    expect(told(line(1, 'kube-probe/1.27'), line(2, 'curl/8'))).toContain(alone);
    expect(told(line(2, 'curl/8'), line(1, 'kube-probe/1.27'))).toContain(alone);
  });

  test('no request has two diagnoses', () => {
    fc.assert(fc.property(requests, (record) => matchesOf(record).length <= 1));
  });

  test('no request that failed or was refused passes silently', () => {
    const failed = requests.filter(({ status }) => status === 401 || status === 403 || (status ?? 0) >= 500);
    fc.assert(fc.property(failed, (record) => matchesOf(record).length === 1));
  });
});
