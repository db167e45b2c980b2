import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Remedy } from '../src/model/remedy.ts';
import type { Report } from '../src/model/report.ts';
import { decide } from '../src/policy/decide.ts';
import type { Probe } from '../src/policy/way/probe.ts';
import { applyChanges } from '../src/remedy/apply.ts';
import { identityOf } from '../src/text/spiffe.ts';
import { listOf, recordOf, textOf } from '../src/text/untyped.ts';
import { reportOn } from './analysis.ts';
import { loadScenario, meshFromScenario, scenarioLines } from './scenario.ts';
import { answer } from './scenario-attempts.ts';
import { hasShared, needsShared, shared } from './shared.ts';

function changing(report: Report): readonly Remedy[] {
  return report.findings.flatMap(({ remedies }) => remedies.filter(({ changes }) => changes.length > 0));
}

function applied(mesh: MeshView, remedy: Remedy): MeshView {
  const changed = applyChanges(mesh, remedy.changes);
  if (changed === null) throw new Error(`cannot apply: ${remedy.summary}`);
  return changed;
}

describe.skipIf(!hasShared)(needsShared('what is called verified, in whole incidents'), () => {
  const names = hasShared ? readdirSync(shared('scenarios')) : [];
  const incidents = names.map((name) => {
    const path = shared(`scenarios/${name}`);
    const scenario = loadScenario(path);
    const mesh = meshFromScenario(path);
    const report = reportOn({ log: `${scenarioLines(scenario).join('\n')}\n` }, mesh);
    return { name, mesh, attempts: listOf(scenario['attempts']).map(recordOf), remedies: changing(report) };
  });

  it.each(incidents)('$name: keeps what works, leaves denied what must stay denied', ({ mesh, attempts, remedies }) => {
    for (const remedy of remedies.filter(({ verification }) => verification.status === 'verified')) {
      for (const attempt of attempts) {
        const role = textOf(attempt['role']);
        const [was, is] = [answer(attempt, mesh).outcome, answer(attempt, applied(mesh, remedy)).outcome];
        if (role === 'control' && was === 'deny')
          expect([remedy.summary, attempt['id'], is]).toEqual([remedy.summary, attempt['id'], 'deny']);
        if (role === 'must-keep' && was === 'allow')
          expect([remedy.summary, attempt['id'], is]).toEqual([remedy.summary, attempt['id'], 'allow']);
      }
    }
  });

  it('says how many symptoms verified changes repair', () => {
    const repaired = incidents.filter(({ mesh, attempts, remedies }) =>
      remedies.some(
        (remedy) =>
          remedy.verification.status === 'verified' &&
          attempts.some(
            (attempt) =>
              attempt['role'] === 'symptom' &&
              answer(attempt, mesh).outcome === 'deny' &&
              answer(attempt, applied(mesh, remedy)).outcome === 'allow',
          ),
      ),
    );
    console.log(
      `incidents with a verified change that repairs a symptom: ${repaired.map(({ name }) => name.slice(0, 3)).join(' ')}`,
    );
    expect(repaired.length).toBeGreaterThanOrEqual(5);
  });
});

const ACCOUNTS = ['web', 'cart', 'batch', 'debug'];
const PORTS = [8080, 9090];

/** A small ambient mesh: four callers in `shop`, the destination `pay/api`, and random policies. */
function meshOf(policies: readonly unknown[]): MeshView {
  const namespace = (name: string): unknown => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'istio.io/dataplane-mode': 'ambient' } },
  });
  const pod = (name: string, ns: string, account: string, podIP: string): unknown => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: ns, labels: { app: name } },
    spec: {
      serviceAccountName: account,
      containers: [{ name: 'app', ports: PORTS.map((containerPort) => ({ containerPort })) }],
    },
    status: { podIP, phase: 'Running' },
  });
  return createMesh([
    namespace('shop'),
    namespace('pay'),
    ...ACCOUNTS.map((account, index) => pod(account, 'shop', account, `10.0.0.${index + 10}`)),
    pod('api', 'pay', 'api', '10.0.1.1'),
    ...policies,
  ]);
}

const principal = (account: string): string => `cluster.local/ns/shop/sa/${account}`;

const arbitrarySource = fc.oneof(
  fc.subarray(ACCOUNTS, { minLength: 1 }).map((accounts) => ({ principals: accounts.map(principal) })),
  fc.subarray(ACCOUNTS, { minLength: 1 }).map((accounts) => ({ notPrincipals: accounts.map(principal) })),
  fc.constantFrom(
    { namespaces: ['shop'] },
    { namespaces: ['pay'] },
    { notNamespaces: ['pay'] },
    { ipBlocks: ['10.0.0.10/31'] },
  ),
);
const arbitraryRule = fc
  .record({
    source: fc.option(arbitrarySource, { nil: null }),
    ports: fc.option(fc.subarray(PORTS, { minLength: 1 }), { nil: null }),
  })
  .map(({ source, ports }) => ({
    ...(source === null ? {} : { from: [{ source }] }),
    ...(ports === null ? {} : { to: [{ operation: { ports: ports.map(String) } }] }),
  }));
const arbitraryPolicies = fc
  .array(
    fc.record({
      action: fc.constantFrom('ALLOW', 'ALLOW', 'DENY'),
      rules: fc.array(arbitraryRule, { minLength: 1, maxLength: 3 }),
      selected: fc.boolean(),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((policies) =>
    policies.map(({ action, rules, selected }, index) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: `p${index}`, namespace: 'pay' },
      spec: { action, rules, ...(selected ? { selector: { matchLabels: { app: 'api' } } } : {}) },
    })),
  );

function probe(mesh: MeshView, account: string, port: number): Probe {
  const source = mesh.podByName('shop', account);
  const destination = mesh.podByName('pay', 'api');
  if (source === null || destination === null) throw new Error('pods are missing');
  return {
    source: {
      kind: 'identity',
      identity: identityOf('cluster.local', 'shop', account),
      ip: source.ips[0] ?? null,
      pods: [source],
    },
    destination: { kind: 'pods', name: 'pay/api', pods: [destination], port },
    request: {
      protocol: 'tcp',
      method: null,
      host: null,
      path: null,
      headers: [],
      headersComplete: true,
      token: { kind: 'none' },
      authorizer: null,
      timeSeconds: null,
    },
  };
}

function logLine(mesh: MeshView, account: string, port: number, error: string): string {
  const ip = mesh.podByName('shop', account)?.ips[0];
  return `2026-01-02T03:04:05.000000Z\terror\taccess\tconnection complete\tsrc.addr=${ip}:40000 src.workload="${account}" src.namespace="shop" src.identity="spiffe://cluster.local/ns/shop/sa/${account}" dst.addr=10.0.1.1:15008 dst.hbone_addr=10.0.1.1:${port} dst.workload="api" dst.namespace="pay" dst.identity="spiffe://cluster.local/ns/pay/sa/api" direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" error="${error}"`;
}

const SPACE = ACCOUNTS.flatMap((account) => PORTS.map((port) => ({ account, port })));

/** Over every call of the space: the caller is repaired, nothing else changes unsaid, a second application changes nothing. */
function checkLaws(mesh: MeshView, remedy: Remedy, caller: { account: string; port: number }): void {
  const once = applied(mesh, remedy);
  const twice = applied(once, remedy);
  const outcomes = (view: MeshView): string[] =>
    SPACE.map(({ account, port }) => decide(view, probe(view, account, port)).outcome);
  const [was, is] = [outcomes(mesh), outcomes(once)];
  expect(outcomes(twice)).toEqual(is);
  SPACE.forEach(({ account, port }, index) => {
    const listed = remedy.verification.newlyAllows.join('\n');
    if (account === caller.account && port === caller.port) expect(is[index]).toBe('allow');
    else if (was[index] === 'allow') expect(is[index]).toBe('allow');
    else if (is[index] === 'allow') expect(listed).toContain(port === caller.port ? principal(account) : String(port));
  });
}

describe('a verified change', () => {
  it('repairs what it says, denies nothing that worked, opens only what it lists, and applied twice equals once', () => {
    let verified = 0;
    fc.assert(
      fc.property(
        arbitraryPolicies,
        fc.constantFrom(...ACCOUNTS),
        fc.constantFrom(...PORTS),
        (policies, account, port) => {
          const mesh = meshOf(policies);
          const denied = decide(mesh, probe(mesh, account, port));
          const error = denied.routes[0]?.hops.find(({ outcome }) => outcome === 'deny')?.error;
          fc.pre(denied.outcome === 'deny' && typeof error === 'string');
          const report = reportOn({ log: `${logLine(mesh, account, port, error ?? '')}\n` }, mesh);
          for (const remedy of changing(report)) {
            expect(remedy.verification.status).not.toBe('refuted');
            if (remedy.verification.status !== 'verified') continue;
            verified++;
            checkLaws(mesh, remedy, { account, port });
          }
        },
      ),
      { numRuns: 300 },
    );
    expect(verified).toBeGreaterThan(50);
  });
});
