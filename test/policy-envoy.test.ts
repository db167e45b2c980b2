import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileEnvoy, type EnvoyEngine } from '../src/policy/envoy/decide.ts';
import { UNKNOWN } from '../src/policy/envoy/known.ts';
import type { EnvoyRequest } from '../src/policy/envoy/request.ts';
import { unknownRequest } from '../src/policy/envoy/request.ts';
import { DEFAULT_SETTINGS, type EnvoyInput } from '../src/policy/envoy/settings.ts';
import type { EnvoyDecision } from '../src/policy/envoy/verdict.ts';
import { printedOf } from '../src/suite/envoy-vectors.ts';
import { isSame } from '../src/suite/result.ts';
import { decodeKubeObject } from '../src/text/kube-object.ts';
import { parseSpiffeId } from '../src/text/spiffe.ts';
import { inputOf, readVectors, requestOf, type VectorCase } from './envoy-vectors.ts';
import { type NaivePolicy, type NaiveRequest, naiveDecide } from './naive-envoy.ts';
import { hasShared, needsShared } from './shared.ts';

const FILES = ['envoy-edge', 'envoy-random', 'envoy-real', 'envoy-tcp'];

describe.skipIf(!hasShared)(needsShared('what real Envoys answered'), () => {
  it.each(FILES)('%s: outcome, status, flags, details and metadata agree', (file) => {
    const vectors = readVectors(file);
    const results = vectors.flatMap(({ results: list }) => list ?? []).length;
    const disagreements = vectors.flatMap(disagreementsOf);
    process.stdout.write(`${file}: ${results} results, ${disagreements.length} disagree\n`);
    expect(results).toBeGreaterThan(1000);
    expect(disagreements.slice(0, 5)).toEqual([]);
  });

  it('says of which configurations Envoy refuses', () => {
    const vectors = FILES.flatMap(readVectors);
    const refused = vectors.filter((vector) => compileEnvoy(inputOf(vector)).problems.join().includes('Envoy refuses'));
    const wanted = vectors.filter(({ rejectedByEnvoy }) => rejectedByEnvoy !== undefined);
    expect(refused.map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
  });
});

function disagreementsOf(vector: VectorCase): readonly unknown[] {
  const engine = compileEnvoy(inputOf(vector));
  return vector.requests.flatMap((request, index) => {
    const expected = vector.results?.[index];
    if (expected === undefined) return [];
    const actual = printedOf(engine.decide(requestOf(request, vector)));
    const wanted = Object.fromEntries(Object.keys(actual).map((key) => [key, Reflect.get(expected, key)]));
    return isSame(actual, wanted) ? [] : [[vector.id, index, { wanted, actual }]];
  });
}

const POOL = {
  principals: [
    '*',
    'cluster.local/ns/shop/sa/cart',
    'old.local/ns/shop/sa/cart',
    '*/sa/cart',
    'cluster.local/ns/shop/*',
  ],
  namespaces: ['shop', 'sh*', '*', 'payments'],
  serviceAccounts: ['cart', 'shop/cart', 'payments/ledger'],
  ipBlocks: ['10.0.0.0/8', '10.244.2.20', '192.0.2.0/24', '10.244.2.20/33'],
  requestPrincipals: [
    '*',
    'https://sso.example.com/alice',
    '*/alice',
    'https://sso.example.com/*',
    '*ice',
    'https://*',
  ],
  hosts: ['example.com', '*.example.com', 'web*', '*'],
  methods: ['GET', 'P*', '*T', '*'],
  paths: ['/api', '/api/*', '*/items', '*', '/api/{*}', '/{**}/items'],
  ports: ['8080', '9000', '80x'],
} as const;

const KEYS: Readonly<Record<string, readonly string[]>> = {
  'source.principal': POOL.principals,
  'source.namespace': POOL.namespaces,
  'source.ip': POOL.ipBlocks,
  'remote.ip': POOL.ipBlocks,
  'destination.port': POOL.ports,
  'connection.sni': ['*', 'web*', 'outbound_.80_._.web'],
  'request.auth.principal': POOL.requestPrincipals,
  'request.auth.audiences': ['shop', '*'],
  'request.auth.claims[groups]': ['admin', 'a*', '*'],
  'request.auth.claims[realm][role]': ['admin'],
  'request.headers[x-tier]': ['gold', '*', 'g*'],
  'request.unknown': ['x'],
};

function listOf(values: readonly string[]): fc.Arbitrary<string[]> {
  return fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 2 });
}

function fieldsOf(names: readonly (keyof typeof POOL)[]): fc.Arbitrary<Record<string, readonly string[]>> {
  const entries = names.flatMap((name) => {
    const values = listOf(POOL[name]);
    return [
      [name, values],
      [`not${name.charAt(0).toUpperCase()}${name.slice(1)}`, values],
    ] as const;
  });
  return fc
    .subarray(entries, { minLength: 1, maxLength: 2 })
    .chain((chosen) => fc.record(Object.fromEntries(chosen.map(([name, values]) => [name, values]))));
}

const SOURCE = fieldsOf(['principals', 'namespaces', 'serviceAccounts', 'ipBlocks', 'requestPrincipals']);
const OPERATION = fieldsOf(['hosts', 'methods', 'paths', 'ports']);
const WHEN = fc.constantFrom(...Object.keys(KEYS)).chain((key) => {
  const values = listOf(KEYS[key] ?? []);
  return fc.oneof(
    values.map((list) => ({ key, values: list })),
    values.map((list) => ({ key, notValues: list })),
  );
});

const RULE = fc.record(
  {
    from: fc.array(
      SOURCE.map((source) => ({ source })),
      { minLength: 1, maxLength: 2 },
    ),
    to: fc.array(
      OPERATION.map((operation) => ({ operation })),
      { minLength: 1, maxLength: 2 },
    ),
    when: fc.array(WHEN, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: [] },
);

const POLICY: fc.Arbitrary<NaivePolicy> = fc.record({
  namespace: fc.constantFrom('shop', 'istio-system'),
  name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  action: fc.constantFrom('ALLOW', 'DENY'),
  rules: fc.array(RULE, { maxLength: 3 }),
});

const POLICIES = fc.uniqueArray(POLICY, { maxLength: 4, selector: ({ namespace, name }) => `${namespace}/${name}` });

const REQUEST: fc.Arbitrary<NaiveRequest> = fc.record({
  tcp: fc.boolean(),
  identity: fc.constantFrom(
    null,
    'spiffe://cluster.local/ns/shop/sa/cart',
    'spiffe://old.local/ns/shop/sa/cart',
    'spiffe://cluster.local/ns/payments/sa/ledger',
  ),
  ip: fc.constantFrom('10.244.2.20', '192.0.2.9', '172.16.0.1'),
  port: fc.constantFrom(8080, 9000),
  sni: fc.constantFrom('', 'outbound_.80_._.web', 'web.shop'),
  method: fc.constantFrom('GET', 'POST', 'PUT'),
  host: fc.constantFrom('example.com', 'api.Example.com', 'web.shop:80'),
  path: fc.constantFrom('/api', '/api/items', '/api/items?x=/api', '/', '/x//items'),
  headers: fc.constantFrom<readonly (readonly [string, string])[]>(
    [],
    [['x-tier', 'gold']],
    [
      ['X-Tier', 'silver'],
      ['x-tier', 'gold'],
    ],
    [['x-tier', '']],
  ),
  claims: fc.constantFrom(
    null,
    { iss: 'https://sso.example.com', sub: 'alice', aud: ['shop'] },
    { iss: 'https://sso.example.com', sub: 'bob', groups: 'admin', realm: { role: ['admin', 7] } },
  ),
});

const TRUST_DOMAINS = ['cluster.local', 'old.local'];
const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
  spec: {
    selector: { app: 'web' },
    ports: [
      { name: 'misc', port: 8080 },
      { name: 'other', port: 9000 },
    ],
  },
};
const REQUEST_AUTHENTICATION = {
  apiVersion: 'security.istio.io/v1',
  kind: 'RequestAuthentication',
  metadata: { name: 'jwt', namespace: 'shop' },
  spec: { jwtRules: [{ issuer: 'https://sso.example.com', jwksUri: 'https://sso.example.com/jwks' }] },
};

function engineFor(policies: readonly NaivePolicy[], more: readonly unknown[] = []): EnvoyEngine {
  const objects = policies.map(({ namespace, name, action, rules }) => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace },
    spec: { action, rules },
  }));
  const input: EnvoyInput = {
    proxy: { type: 'sidecar', namespace: 'shop', name: 'web-1', labels: { app: 'web' } },
    settings: { ...DEFAULT_SETTINGS, trustDomainAliases: ['old.local'] },
    objects: [SERVICE, REQUEST_AUTHENTICATION, ...objects, ...more].flatMap((object) => {
      const decoded = decodeKubeObject(object, { file: 'test', document: 0 });
      return typeof decoded === 'string' ? [] : [decoded];
    }),
  };
  return compileEnvoy(input);
}

function toRequest(naive: NaiveRequest): EnvoyRequest {
  return {
    ...unknownRequest(naive.port),
    protocol: naive.tcp ? 'tcp' : 'http',
    transport: naive.identity === null ? 'plaintext' : 'mtls',
    identity: parseSpiffeId(naive.identity),
    sourceAddress: naive.ip,
    remoteAddress: null,
    destinationAddress: '10.244.1.10',
    serverName: naive.sni === '' ? null : naive.sni,
    method: naive.method,
    host: naive.host,
    path: naive.path,
    headers: naive.headers,
    headersComplete: true,
    token: naive.claims === null ? { kind: 'none' } : { kind: 'claims', claims: naive.claims },
    authorizer: { kind: 'allow' },
    metadata: {},
    time: 1_700_000_000,
  };
}

/** What stands in the brackets; null: allowed. */
function deniedBy({ outcome, error }: EnvoyDecision): string | null {
  if (outcome === 'allow') return null;
  return /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(error ?? '')?.[1] ?? `${outcome} ${error}`;
}

describe('the engine and the naive reading', () => {
  it('agree on outcome and printed policy', () => {
    fc.assert(
      fc.property(POLICIES, REQUEST, (policies, request) => {
        const mesh = { trustDomains: TRUST_DOMAINS };
        expect(deniedBy(engineFor(policies).decide(toRequest(request)))).toBe(naiveDecide(policies, request, mesh));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('laws of the decision', () => {
  it('the order of policies does not matter', () => {
    fc.assert(
      fc.property(POLICIES, REQUEST, (policies, request) => {
        const one = engineFor(policies).decide(toRequest(request));
        const other = engineFor(policies.toReversed()).decide(toRequest(request));
        expect(other).toEqual(one);
      }),
    );
  });

  it('a matching DENY denies whatever else there is', () => {
    fc.assert(
      fc.property(POLICIES, REQUEST, (policies, request) => {
        const everything: NaivePolicy = { namespace: 'shop', name: 'zz', action: 'DENY', rules: [{}] };
        expect(engineFor([...policies, everything]).decide(toRequest(request)).outcome).toBe('deny');
      }),
    );
  });

  it('one more DENY never allows more; one more ALLOW never denies more where there is one', () => {
    fc.assert(
      fc.property(POLICIES, POLICY, REQUEST, (policies, more, request) => {
        const extra = { ...more, name: 'extra' };
        const before = engineFor(policies).decide(toRequest(request)).outcome;
        const after = engineFor([...policies, extra]).decide(toRequest(request)).outcome;
        if (extra.action === 'DENY' && before === 'deny') expect(after).toBe('deny');
        const guarded = policies.some(({ action }) => action === 'ALLOW');
        if (extra.action === 'ALLOW' && guarded && before === 'allow') expect(after).toBe('allow');
      }),
    );
  });

  it('a decision with unknowns holds for every value of them', () => {
    const hidden = fc.subarray([
      'identity',
      'transport',
      'sourceAddress',
      'serverName',
      'method',
      'host',
      'path',
      'headers',
      'token',
    ] as const);
    fc.assert(
      fc.property(POLICIES, REQUEST, hidden, (policies, naive, names) => {
        const engine = engineFor(policies);
        const known = toRequest(naive);
        const nothing = unknownRequest(naive.port);
        const forgotten = Object.fromEntries(names.map((name) => [name, nothing[name]]));
        const vague: EnvoyRequest = { ...known, ...forgotten, headersComplete: !names.includes('headers') };
        const guess = engine.decide(vague);
        const truth = engine.decide(known);
        if (guess.outcome !== 'unknown') expect(guess.outcome).toBe(truth.outcome);
        if (guess.printed?.details !== undefined && guess.outcome === 'deny') expect(guess.error).toBe(truth.error);
      }),
      { numRuns: 1000 },
    );
  });

  it('every near miss names a field of a rule that is there', () => {
    fc.assert(
      fc.property(POLICIES, REQUEST, (policies, request) => {
        const { nearMiss, error } = engineFor(policies).decide(toRequest(request));
        if (!(error?.endsWith('[none]') ?? false)) expect(nearMiss).toEqual([]);
        for (const { policy, rule, field } of nearMiss) {
          const found = policies.find(({ namespace, name }) => namespace === policy.namespace && name === policy.name);
          const path = field.split(/[.[\]]+/).filter((part) => part !== '');
          const value = path.reduce<unknown>(
            (object, part) => (typeof object === 'object' && object !== null ? Reflect.get(object, part) : undefined),
            found?.rules[rule],
          );
          expect(value, field).toBeDefined();
        }
      }),
    );
  });

  it('nothing makes it throw', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    const anything = fc.anything({ maxDepth: 4 });
    fc.assert(
      fc.property(text, text, text, fc.array(fc.tuple(text, text), { maxLength: 4 }), anything, (...given) => {
        const [method, host, path, headers, spec] = given;
        const kinds = ['AuthorizationPolicy', 'RequestAuthentication', 'PeerAuthentication', 'Service', 'Gateway'];
        const more = kinds.map((kind) => ({
          apiVersion: kind === 'Service' ? 'v1' : 'security.istio.io/v1',
          kind,
          metadata: { name: 'x', namespace: 'shop' },
          spec,
        }));
        const request = { ...unknownRequest(8080), method, host, path, headers, headersComplete: true };
        const bearer = [...headers, ['authorization', `Bearer ${path}.${host}.${method}`] as const];
        const read = { ...request, headers: bearer, token: { kind: 'read' } as const };
        for (const candidate of [request, read, { ...request, transport: 'plaintext' as const }]) {
          expect(['allow', 'deny', 'unknown']).toContain(engineFor([], more).decide(candidate).outcome);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('what is not known', () => {
  const cartOnly: NaivePolicy = {
    namespace: 'shop',
    name: 'cart-only',
    action: 'ALLOW',
    rules: [{ from: [{ source: { principals: ['cluster.local/ns/shop/sa/cart'] } }] }],
  };

  it('leaves the outcome open where it could be either', () => {
    const decision = engineFor([cartOnly]).decide(unknownRequest(8080));
    expect(decision.outcome).toBe('unknown');
    expect(decision.printed).toBeNull();
    // A token that nobody told of may be refused, too.
    expect(decision.determining.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'RequestAuthentication jwt',
      'AuthorizationPolicy cart-only',
    ]);
  });

  it('does not open what is certain: plaintext has no identity', () => {
    const decision = engineFor([cartOnly]).decide({ ...unknownRequest(8080), transport: 'plaintext' });
    expect(decision.outcome).toBe('deny');
    expect(decision.nearMiss.map(({ field, seen }) => [field, seen])).toEqual([['from[0].source.principals', 'none']]);
  });

  it('names the one field that failed', () => {
    const decision = engineFor([cartOnly]).decide({
      ...unknownRequest(8080),
      transport: 'mtls',
      identity: parseSpiffeId('spiffe://cluster.local/ns/shop/sa/web'),
      token: { kind: 'none' },
      path: '/',
      method: 'GET',
    });
    expect(decision.error).toBe('rbac_access_denied_matched_policy[none]');
    expect(decision.nearMiss).toEqual([
      {
        policy: { kind: 'AuthorizationPolicy', namespace: 'shop', name: 'cart-only' },
        rule: 0,
        field: 'from[0].source.principals',
        wanted: 'cluster.local/ns/shop/sa/cart',
        seen: 'cluster.local/ns/shop/sa/web',
      },
    ]);
  });

  it('an unknown authorizer may refuse, an unknown token may be refused', () => {
    const { outcome } = engineFor([]).decide({ ...unknownRequest(8080), transport: 'plaintext', path: '/' });
    expect(outcome).toBe('unknown');
    const known = {
      ...unknownRequest(8080),
      transport: 'plaintext' as const,
      path: '/',
      token: { kind: 'none' } as const,
    };
    expect(engineFor([]).decide({ ...known, time: UNKNOWN }).outcome).toBe('allow');
  });
});
