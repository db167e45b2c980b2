import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  AuthorizationPolicy,
  Condition,
  MtlsMode,
  PeerAuthentication,
  PolicyOperation,
  PolicyRule,
  PolicySource,
  Selector,
} from '../src/model/policy.ts';
import { compileZtunnel, type ZtunnelDecision } from '../src/policy/ambient/decide.ts';
import { explainZtunnel } from '../src/policy/ambient/explain.ts';
import type { AmbientSettings } from '../src/policy/ambient/form.ts';
import type { ZtunnelConnection } from '../src/policy/ambient/match.ts';
import { nearMisses } from '../src/policy/ambient/near-miss.ts';
import { parseSpiffeId } from '../src/text/spiffe.ts';
import { naiveDecide } from './naive-ztunnel.ts';

type Policy = AuthorizationPolicy | PeerAuthentication;

const ROOT = 'istio-system';
const SETTINGS: AmbientSettings = { rootNamespace: ROOT, revision: null, istioVersion: null };

// A small world, so that random policies meet random connections.
const namespaces = ['payments', 'shop', ROOT];
const principals = ['cluster.local/ns/shop/sa/web', 'cluster.local/ns/shop/sa/api', 'other/ns/payments/sa/web'];
const patterns = [...principals, '*', '*/sa/web', 'cluster.local/*', '*web*', `spiffe://${principals[0]}`];
const blocks = ['10.0.1.9', '10.0.1.77/24', '0.0.0.0/0', '10.0.0.0/31', 'fd00::9', 'fd00::/8', '::ffff:10.0.1.9'];
const addresses = ['10.0.1.9', '10.0.1.200', '10.0.0.1', '192.168.7.7', 'fd00::9', 'fd01::1', '::ffff:10.0.1.9'];
const ports = ['8080', '9090', '0'];
const labels = [{ app: 'ledger', version: 'v1' }, { app: 'ledger' }, { app: 'web' }, {}];

/** Mostly empty, else one to three of the values. */
function some(values: readonly string[]): fc.Arbitrary<readonly string[]> {
  const few = fc.subarray([...values], { minLength: 1, maxLength: Math.min(3, values.length) });
  return fc.oneof({ weight: 3, arbitrary: fc.constant<readonly string[]>([]) }, few);
}

/** A list that is empty nearly always: HTTP attributes and what istiod loses in silence. */
function seldom(values: readonly string[]): fc.Arbitrary<readonly string[]> {
  return fc.oneof({ weight: 15, arbitrary: fc.constant<readonly string[]>([]) }, fc.constant(values));
}

const source: fc.Arbitrary<PolicySource> = fc.record({
  principals: some(patterns),
  notPrincipals: some(patterns),
  namespaces: some(['shop', 'pay*', '*', '*op']),
  notNamespaces: some(['shop', 'pay*', '*']),
  serviceAccounts: some(['web', 'shop/web', 'payments/web']),
  notServiceAccounts: some(['web', 'shop/api']),
  ipBlocks: some(blocks),
  notIpBlocks: some(blocks),
  requestPrincipals: seldom(['*']),
  notRequestPrincipals: seldom(['*']),
  remoteIpBlocks: seldom(['10.0.0.0/8']),
  notRemoteIpBlocks: seldom(['10.0.0.0/8']),
  trustDomains: seldom(['cluster.local']),
  notTrustDomains: seldom(['cluster.local']),
});

const operation: fc.Arbitrary<PolicyOperation> = fc.record({
  ports: some(ports),
  notPorts: some(ports),
  hosts: seldom(['a']),
  notHosts: seldom(['a']),
  methods: seldom(['GET']),
  notMethods: seldom(['GET']),
  paths: seldom(['/']),
  notPaths: seldom(['/']),
});

const condition: fc.Arbitrary<Condition> = fc.oneof(
  ...(
    [
      ['source.ip', blocks],
      ['source.namespace', ['shop', 'pay*', '*']],
      ['source.principal', patterns],
      ['destination.ip', blocks],
      ['destination.port', ports],
      ['request.headers[x]', ['y']],
    ] as const
  ).map(([key, values]) => fc.record({ key: fc.constant(key), values: some(values), notValues: some(values) })),
);

const rule: fc.Arbitrary<PolicyRule> = fc.record({
  from: fc.array(fc.option(source, { freq: 20 }), { maxLength: 2 }),
  to: fc.array(fc.option(operation, { freq: 20 }), { maxLength: 2 }),
  when: fc.array(condition, { maxLength: 1 }),
});

const selector: fc.Arbitrary<Selector | null> = fc.oneof(
  fc.constant(null),
  fc.constant({ matchLabels: null }),
  fc.constantFrom(...labels).map((matchLabels) => ({ matchLabels })),
);

const authorization: fc.Arbitrary<AuthorizationPolicy> = fc.record({
  kind: fc.constant('AuthorizationPolicy'),
  ref: reference('AuthorizationPolicy', 'abcdef'),
  labels: fc.constant({}),
  annotations: fc.constant({}),
  createdAt: fc.constant(null),
  selector,
  action: fc.constantFrom('ALLOW', 'ALLOW', 'ALLOW', 'DENY', 'DENY', 'DENY', 'AUDIT', 'CUSTOM'),
  provider: fc.constant(null),
  targetRefs: fc.oneof(
    { weight: 9, arbitrary: fc.constant([]) },
    fc.constant([{ group: '', kind: 'Service', name: 'x', namespace: '' }]),
  ),
  rules: fc.array(rule, { maxLength: 3 }),
  dryRun: fc.integer({ min: 0, max: 9 }).map((number) => number === 0),
});

const mode: fc.Arbitrary<MtlsMode> = fc.constantFrom('UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT');

const peerAuthentication: fc.Arbitrary<PeerAuthentication> = fc.record({
  kind: fc.constant('PeerAuthentication'),
  ref: reference('PeerAuthentication', 'abcdefgh'),
  labels: fc.constant({}),
  annotations: fc.constant({}),
  createdAt: fc.integer({ min: 0, max: 1e9 }).map((second) => new Date(second * 1000).toISOString()),
  selector,
  mode,
  portModes: fc.array(fc.tuple(fc.constantFrom(8080, 9090, 443), mode), { maxLength: 3 }).map((list) => new Map(list)),
});

function reference(kind: string, names: string): fc.Arbitrary<{ kind: string; namespace: string; name: string }> {
  return fc.record({
    kind: fc.constant(kind),
    namespace: fc.constantFrom(...namespaces),
    name: fc.constantFrom(...names),
  });
}

const mesh: fc.Arbitrary<Policy[]> = fc
  .tuple(fc.array(authorization, { maxLength: 5 }), fc.array(peerAuthentication, { maxLength: 4 }))
  .map(([left, right]) => distinct([...left, ...right]));

/** One object per kind and name, one PeerAuthentication per second: with equal times istiod's choice is arbitrary. */
function distinct(policies: readonly Policy[]): Policy[] {
  const named = new Map(
    policies.map((policy) => [`${policy.kind} ${policy.ref.namespace}/${policy.ref.name}`, policy]),
  );
  return [...new Map([...named.values()].map((policy, index) => [policy.createdAt ?? index, policy])).values()];
}

const workload: fc.Arbitrary<{ namespace: string; labels: Record<string, string> }> = fc.record({
  namespace: fc.constantFrom(...namespaces),
  labels: fc.constantFrom(...labels),
});

const connection: fc.Arbitrary<ZtunnelConnection> = fc.record({
  sourceIp: fc.constantFrom(...addresses),
  identity: fc.constantFrom(null, ...principals.map((principal) => parseSpiffeId(`spiffe://${principal}`))),
  destinationIp: fc.constantFrom(...addresses),
  destinationPort: fc.constantFrom(8080, 9090, 443, 0),
});

function decide(
  policies: readonly Policy[],
  pod: { namespace: string; labels: Record<string, string> },
  call: ZtunnelConnection,
): ZtunnelDecision {
  return compileZtunnel(policies, SETTINGS).forWorkload(pod).decide(call);
}

describe('laws of the ambient half', () => {
  it('agrees with a second, literal reading of the same facts', () => {
    fc.assert(
      fc.property(mesh, workload, fc.array(connection, { minLength: 1, maxLength: 8 }), (policies, pod, calls) => {
        const bound = compileZtunnel(policies, SETTINGS).forWorkload(pod);
        for (const call of calls) {
          const { outcome, deniedBy } = bound.decide(call);
          const got = { outcome, deniedBy: deniedBy.map(({ key }) => key).sort(), attached: bound.attached };
          expect(got).toEqual(naiveDecide(policies, pod, call, ROOT));
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('the order of policies does not matter', () => {
    const shuffled = mesh.chain((policies) =>
      fc.tuple(
        fc.constant(policies),
        fc.shuffledSubarray(policies, { minLength: policies.length, maxLength: policies.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, workload, connection, ([left, right], pod, call) => {
        const explain = (policies: readonly Policy[]): unknown =>
          explainZtunnel(compileZtunnel(policies, SETTINGS).forWorkload(pod), call);
        expect(explain(right)).toEqual(explain(left));
      }),
      { numRuns: 300 },
    );
  });

  const everyone: AuthorizationPolicy = {
    kind: 'AuthorizationPolicy',
    ref: { kind: 'AuthorizationPolicy', namespace: 'payments', name: 'everyone' },
    labels: {},
    annotations: {},
    createdAt: null,
    selector: null,
    action: 'ALLOW',
    provider: null,
    targetRefs: [],
    rules: [{ from: [], to: [], when: [] }],
    dryRun: false,
  };
  const wide = authorization.map((policy) => ({
    ...policy,
    ref: { ...policy.ref, namespace: 'payments', name: 'added' },
    selector: null,
    targetRefs: [],
    dryRun: false,
  }));
  const payments = workload.map((pod) => ({ ...pod, namespace: 'payments' }));

  it('a DENY that matches denies, whatever else there is', () => {
    fc.assert(
      fc.property(mesh, payments, connection, (policies, pod, call) => {
        const { outcome, deniedBy } = decide([...policies, { ...everyone, action: 'DENY' }], pod, call);
        expect([outcome, deniedBy.some(({ key }) => key === 'payments/everyone')]).toEqual(['deny', true]);
      }),
      { numRuns: 200 },
    );
  });

  it('an ALLOW added to a workload that has one never denies more', () => {
    fc.assert(
      fc.property(mesh, wide, payments, connection, (policies, added, pod, call) => {
        const bound = compileZtunnel(policies, SETTINGS).forWorkload(pod);
        fc.pre(bound.allows.length > 0 && bound.decide(call).outcome === 'allow');
        expect(decide([...policies, { ...added, action: 'ALLOW' }], pod, call).outcome).toBe('allow');
      }),
      { numRuns: 200 },
    );
  });

  it('the first ALLOW may deny what was allowed', () => {
    const call: ZtunnelConnection = {
      sourceIp: '10.0.1.9',
      identity: null,
      destinationIp: '10.0.2.5',
      destinationPort: 80,
    };
    const pod = { namespace: 'payments', labels: {} };
    expect(decide([], pod, call).outcome).toBe('allow');
    expect(decide([{ ...everyone, rules: [] }], pod, call).outcome).toBe('deny');
  });

  it('a DENY never allows more', () => {
    fc.assert(
      fc.property(mesh, wide, payments, connection, (policies, added, pod, call) => {
        fc.pre(decide(policies, pod, call).outcome === 'deny');
        expect(decide([...policies, { ...added, action: 'DENY' }], pod, call).outcome).toBe('deny');
      }),
      { numRuns: 200 },
    );
  });

  it('near misses are told of denials only, of rules that exist, at most five of them', () => {
    fc.assert(
      fc.property(mesh, workload, connection, (policies, pod, call) => {
        const bound = compileZtunnel(policies, SETTINGS).forWorkload(pod);
        const near = nearMisses(bound, call);
        if (bound.decide(call).outcome === 'allow') expect(near).toEqual([]);
        expect(
          new Set(near.map(({ policy, rule: index }) => `${policy.namespace}/${policy.name} ${index}`)).size,
        ).toBeLessThanOrEqual(5);
        for (const { policy, rule: index, field } of near) {
          const object = policies.find(
            ({ kind, ref }) =>
              kind === 'AuthorizationPolicy' && ref.namespace === policy.namespace && ref.name === policy.name,
          );
          const spec = object?.kind === 'AuthorizationPolicy' ? object.rules[index] : undefined;
          expect([field, at(spec, field)]).not.toEqual([field, undefined]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('never throws, whatever the texts', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('*', '**', '/', '1.2.3.4/', '::', '%', '99999999'),
    );
    const texts = fc.array(text, { maxLength: 3 });
    const odd: fc.Arbitrary<AuthorizationPolicy> = fc
      .tuple(authorization, texts, text)
      .map(([policy, values, key]) => ({
        ...policy,
        rules: policy.rules.map((one) => ({
          from: one.from.map(
            (entry) => entry && { ...entry, principals: values, ipBlocks: values, serviceAccounts: values },
          ),
          to: one.to.map((entry) => entry && { ...entry, ports: values }),
          when: [{ key, values, notValues: values }, ...one.when.map((entry) => ({ ...entry, values }))],
        })),
      }));
    fc.assert(
      fc.property(fc.array(odd, { maxLength: 3 }), workload, text, text, (policies, pod, ip, identity) => {
        const bound = compileZtunnel(policies, { ...SETTINGS, istioVersion: ip }).forWorkload(pod);
        const call = {
          sourceIp: ip,
          identity: parseSpiffeId(`spiffe://${identity}`),
          destinationIp: ip,
          destinationPort: 1,
        };
        expect(['allow', 'deny']).toContain(explainZtunnel(bound, call).outcome);
      }),
      { numRuns: 300 },
    );
  });
});

/** What stands at the path below a rule: `from[0]` holds the source itself in the model. Undefined: nothing does. */
function at(spec: PolicyRule | undefined, path: string): unknown {
  if (path === '') return spec;
  const [, list = '', index, name = ''] =
    /^(from|to|when)\[(\d+)\](?:\.(?:source|operation))?(?:\.(.+))?$/.exec(path) ?? [];
  const entry = new Map<string, readonly unknown[]>(Object.entries(spec ?? {})).get(list)?.[Number(index)];
  return name === '' ? entry : new Map<string, unknown>(Object.entries(entry ?? {})).get(name);
}
