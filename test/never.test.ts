import { existsSync, readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { createMesh, unknownMesh } from '../src/mesh/view.ts';
import type { Finding } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import { type Draft, NO_WISHES, type ObjectChange } from '../src/model/remedy.ts';
import { forbiddenAdvice, NEVER } from '../src/remedy/guard/guard.ts';
import { askedOn } from './asked.ts';
import {
  arbitraryCall,
  arbitraryPolicies,
  logLine,
  RUNS,
  meshOf as randomMesh,
  SPACE,
  verdict,
} from './random-mesh.ts';
import { BLANK_FINDING } from './small-mesh.ts';

const WEB = 'cluster.local/ns/shop/sa/web';
const WAYPOINT = 'cluster.local/ns/pay/sa/waypoint';

const MESH = `
{apiVersion: v1, kind: Namespace, metadata: {name: pay, labels: {istio.io/use-waypoint: waypoint}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api, namespace: pay, labels: {app: api}}, spec: {serviceAccountName: api, containers: [{name: app, ports: [{containerPort: 8080}]}]}, status: {podIP: 10.0.1.1, phase: Running}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {serviceAccountName: web, containers: [{name: app}]}, status: {podIP: 10.0.0.10, phase: Running}}
---
{apiVersion: v1, kind: Service, metadata: {name: api, namespace: pay}, spec: {clusterIP: 10.1.0.1, selector: {app: api}, ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: deny, namespace: pay}, spec: {selector: {matchLabels: {app: api}}, action: DENY, rules: [{from: [{source: {notPrincipals: [a/ns/b/sa/c]}}]}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: allow, namespace: pay}, spec: {selector: {matchLabels: {app: api}}, rules: [{from: [{source: {principals: [a/ns/b/sa/c]}}]}]}}
`;
const mesh = meshOf(MESH);
const OLDER_PEER =
  '{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: old, namespace: pay, creationTimestamp: "2025-01-01T00:00:00Z"}, spec: {selector: {matchLabels: {app: api}}, mtls: {mode: STRICT}}}';
const TOKEN_CHECK =
  '{apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: {name: jwt, namespace: pay}, spec: {jwtRules: [{issuer: a}]}}';
const AT_WAYPOINT =
  '{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: at, namespace: pay}, spec: {targetRefs: [{kind: Service, group: "", name: api}], rules: [{}]}}';

function meshOf(...yaml: readonly string[]): MeshView {
  return createMesh(decodeManifests(yaml.join('\n---\n'), 'mesh.yaml').objects);
}

/** A refusal of `shop/web` at `pay/api` by ALLOW policies, unless something else is said. */
function finding(differs: Partial<Finding> = {}): Finding {
  return {
    ...BLANK_FINDING,
    ruleId: 'ztunnel-allow-missed',
    source: { identity: null, principal: WEB, workload: 'web', namespace: 'shop', addresses: ['10.0.0.10'] },
    destination: {
      identity: null,
      workload: 'api',
      namespace: 'pay',
      service: 'api.pay.svc.cluster.local',
      address: '10.0.1.1',
      port: 8080,
    },
    enforcedBy: 'ztunnel',
    ...differs,
  };
}

function draft(changes: readonly ObjectChange[], decision: string | null = null): Draft {
  const commands = { confirm: [], apply: [], verify: [], rollback: [] };
  return { kind: 'policy-change', summary: '', risk: null, decision, changes, commands };
}

function change(kind: string, name: string, after: object | null, before: object | null = null): ObjectChange {
  const metadata = { name, namespace: 'pay' };
  const whole = (part: object | null): ObjectChange['after'] =>
    part === null ? null : { apiVersion: 'security.istio.io/v1', kind, metadata, ...part };
  return {
    op: after === null ? 'delete' : before === null ? 'create' : 'patch',
    object: { apiVersion: 'security.istio.io/v1', kind, ...metadata },
    before: whole(before),
    after: whole(after),
    jsonPatch: null,
    yaml: '',
    file: null,
    diff: null,
  };
}

const api = { selector: { matchLabels: { app: 'api' } } };
const allow = (rules: readonly object[], more: object = api): object => ({ spec: { ...more, rules } });
const deny = (rules: readonly object[]): object => ({ spec: { ...api, action: 'DENY', rules } });
const from = (...sources: readonly object[]): object => ({ from: sources.map((source) => ({ source })) });
const web = from({ principals: [WEB] });
const authz = (after: object | null, before: object | null = null, name = 'new'): ObjectChange =>
  change('AuthorizationPolicy', name, after, before);
const peer = (port: number): ObjectChange =>
  change('PeerAuthentication', 'new', { spec: { ...api, portLevelMtls: { [port]: { mode: 'PERMISSIVE' } } } });
const targeted = { targetRefs: [{ kind: 'Service', group: '', name: 'api' }] };
const byDeny = finding({ policies: [{ kind: 'AuthorizationPolicy', namespace: 'pay', name: 'deny' }] });
const nobody = finding({ source: { ...finding().source, principal: null } });
const listed = from({ notPrincipals: ['a/ns/b/sa/c', WEB] });
const unlisted = from({ notPrincipals: ['a/ns/b/sa/c'] });

/** Some changes, and what they answer; what differs from the usual is given. */
interface Given {
  readonly changes: readonly ObjectChange[];
  readonly of?: Finding;
  readonly mesh?: MeshView;
  readonly callers?: readonly string[];
  readonly decision?: string;
}

/** Every kind of wrong advice, and beside it advice that is like it and right. */
const CASES: readonly (readonly [id: string, wrong: Given, right: Given])[] = [
  [
    'allow-against-deny',
    { changes: [authz(allow([web]))], of: byDeny },
    { changes: [authz(deny([listed]), deny([unlisted]), 'deny'), authz(allow([web]))], of: byDeny },
  ],
  [
    'principal-not-exact',
    { changes: [authz(allow([from({ principals: ['cluster.local/ns/shop/*'] })]))] },
    { changes: [authz(allow([web]))] },
  ],
  [
    'principal-for-nobody',
    { changes: [authz(allow([web]))], of: nobody },
    { changes: [change('Namespace', 'shop', { metadata: { name: 'shop' } }), authz(allow([web]))], of: nobody },
  ],
  [
    'plaintext-for-all',
    { changes: [change('PeerAuthentication', 'new', { spec: { mtls: { mode: 'PERMISSIVE' } } })] },
    { changes: [change('PeerAuthentication', 'new', { spec: { mtls: { mode: 'STRICT' } } })] },
  ],
  [
    'port-mode-without-selector',
    { changes: [change('PeerAuthentication', 'new', { spec: { portLevelMtls: { 8080: { mode: 'PERMISSIVE' } } } })] },
    { changes: [peer(8080)] },
  ],
  ['port-mode-without-effect', { changes: [peer(80)] }, { changes: [peer(8080)] }],
  ['port-mode-without-effect', { changes: [peer(8080)], mesh: meshOf(MESH, OLDER_PEER) }, { changes: [peer(8080)] }],
  [
    'network-rule-without-peers',
    { changes: [change('NetworkPolicy', 'n', { spec: { ingress: [{ ports: [{ port: 15008 }] }] } })] },
    { changes: [change('NetworkPolicy', 'n', { spec: { ingress: [{ from: [{ podSelector: {} }] }] } })] },
  ],
  ['network-rule-without-peers', { changes: [change('NetworkPolicy', 'n', null, {})] }, { changes: [] }],
  [
    'leaves-mesh',
    { changes: [change('Deployment', 'd', { metadata: { labels: { 'istio.io/dataplane-mode': 'none' } } })] },
    { changes: [change('Deployment', 'd', { metadata: { labels: { 'istio.io/dataplane-mode': 'ambient' } } })] },
  ],
  ['allows-everybody', { changes: [authz(allow([{}]))] }, { changes: [authz(allow([]))] }],
  [
    'operation-for-everybody',
    { changes: [authz(allow([{ to: [{ operation: { ports: ['8080'] } }] }]))] },
    { changes: [authz(allow([{ ...web, to: [{ operation: { ports: ['8080'] } }] }]))] },
  ],
  [
    'http-at-ztunnel',
    { changes: [authz(allow([{ ...web, to: [{ operation: { methods: ['GET'] } }] }]))] },
    {
      changes: [authz(allow([{ ...web, to: [{ operation: { methods: ['GET'] } }] }]))],
      of: finding({ enforcedBy: 'sidecar' }),
    },
  ],
  [
    'token-without-check',
    { changes: [authz(allow([from({ requestPrincipals: ['a/b'] })]))], of: finding({ enforcedBy: 'sidecar' }) },
    {
      changes: [authz(allow([from({ requestPrincipals: ['a/b'] })]))],
      of: finding({ enforcedBy: 'sidecar' }),
      mesh: meshOf(MESH, TOKEN_CHECK),
    },
  ],
  [
    'trusts-header',
    {
      changes: [authz(allow([{ when: [{ key: 'request.headers[a]', values: ['b'] }] }]))],
      of: finding({ enforcedBy: 'sidecar' }),
    },
    {
      changes: [authz(allow([{ ...web, when: [{ key: 'request.headers[a]', values: ['b'] }] }]))],
      of: finding({ enforcedBy: 'sidecar' }),
    },
  ],
  [
    'protection-removed',
    { changes: [authz(null, deny([unlisted]), 'deny')], of: byDeny },
    { changes: [authz(deny([listed]), deny([unlisted]), 'deny')], of: byDeny },
  ],
  ['token-check-removed', { changes: [change('RequestAuthentication', 'jwt', null, {})] }, { changes: [] }],
  [
    'mutual-tls-for-all-hosts',
    {
      changes: [
        change('DestinationRule', 'd', { spec: { host: '*.local', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } } }),
      ],
    },
    {
      changes: [
        change('DestinationRule', 'd', {
          spec: { host: 'api.pay.svc', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } },
        }),
      ],
    },
  ],
  [
    'mixed-protocols',
    {
      changes: [
        gateway(
          { port: { number: 80, protocol: 'HTTP' } },
          { port: { number: 80, protocol: 'HTTPS' }, tls: { mode: 'ISTIO_MUTUAL' } },
        ),
      ],
    },
    {
      changes: [
        gateway(
          { port: { number: 80, protocol: 'HTTP' } },
          { port: { number: 81, protocol: 'HTTPS' }, tls: { mode: 'ISTIO_MUTUAL' } },
        ),
      ],
    },
  ],
  [
    'sources-apart',
    { changes: [authz(allow([from({ principals: [WEB] }, { namespaces: ['shop'] })]))] },
    { changes: [authz(allow([from({ principals: [WEB], namespaces: ['shop'] })]))] },
  ],
  [
    'sources-apart',
    { changes: [authz(deny([unlisted, from({ notPrincipals: [WEB] })]), deny([unlisted]), 'deny')], of: byDeny },
    { changes: [authz(deny([listed]), deny([unlisted]), 'deny')], of: byDeny },
  ],
  [
    'egress-to-all',
    { changes: [change('Sidecar', 's', { spec: { egress: [{ hosts: ['*/*'] }] } })] },
    { changes: [change('Sidecar', 's', { spec: { egress: [{ hosts: ['pay/*'] }] } })] },
  ],
  [
    'captures-all-hosts',
    { changes: [change('VirtualService', 'v', { spec: { hosts: ['*'] } })] },
    { changes: [change('VirtualService', 'v', { spec: { hosts: ['a.example'] } })] },
  ],
  [
    'ignores-webhook-failure',
    { changes: [change('ValidatingWebhookConfiguration', 'w', { webhooks: [{ failurePolicy: 'Ignore' }] })] },
    { changes: [change('ValidatingWebhookConfiguration', 'w', { webhooks: [{ failurePolicy: 'Fail' }] })] },
  ],
  [
    'intended-denial',
    { changes: [authz(allow([web]))], of: finding({ intended: 'likely' }) },
    { changes: [authz(allow([web]))], of: finding({ intended: 'likely' }), callers: ['shop/web'] },
  ],
  [
    'intended-denial',
    { changes: [authz(deny([listed]), deny([unlisted]), 'deny')], of: byDeny, decision: 'x' },
    { changes: [authz(deny([listed]), deny([unlisted]), 'deny')], of: byDeny, decision: 'x', callers: [WEB] },
  ],
  [
    'policy-without-refusal',
    { changes: [authz(allow([web]))], of: finding({ category: 'upstream' }) },
    { changes: [change('DestinationRule', 'd', { spec: { host: 'a' } })], of: finding({ category: 'upstream' }) },
  ],
  [
    'waypoint-for-everybody',
    {
      changes: [
        authz(
          allow([from({ principals: ['a/ns/b/sa/c', WAYPOINT] })]),
          allow([from({ principals: ['a/ns/b/sa/c'] })]),
          'allow',
        ),
      ],
    },
    { changes: [authz(allow([from({ principals: [WAYPOINT] })])), authz(allow([web], targeted), null, 'clients')] },
  ],
  [
    'waypoint-for-everybody',
    { changes: [authz(allow([from({ principals: [WAYPOINT] })]))] },
    { changes: [authz(allow([from({ principals: [WAYPOINT] })]))], mesh: meshOf(MESH, AT_WAYPOINT) },
  ],
];

function gateway(...servers: readonly object[]): ObjectChange {
  return change('Gateway', 'g', { spec: { servers } });
}

function judged({ changes, of = finding(), mesh: view = mesh, callers = [], decision }: Given): string | null {
  const wishes = { ...NO_WISHES, allowCallers: callers };
  return forbiddenAdvice(draft(changes, decision ?? null), of, view, wishes)?.split(':')[0] ?? null;
}

describe('advice that must never be given', () => {
  it.each(CASES)('%s is refused, what is like it and right is not', (id, wrong, right) => {
    expect(judged(wrong)).toBe(id);
    expect(judged(right)).toBeNull();
  });

  it('has a case for each, and a number for all 23', () => {
    expect(NEVER.map(({ id }) => id).filter((id) => !CASES.some(([each]) => each === id))).toEqual([]);
    const numbers = [...new Set(NEVER.map(({ number }) => number))];
    expect(numbers).toEqual(Array.from({ length: 23 }, (_, index) => `N-${String(index + 1).padStart(2, '0')}`));
    expect(new Set(NEVER.map(({ id }) => id)).size).toBe(NEVER.length);
  });

  it('is refused for any change and without a mesh, and never fails', () => {
    const value = fc.anything({ maxDepth: 4, withNullPrototype: false });
    const spec = fc.record({
      spec: fc.dictionary(fc.constantFrom('rules', 'action', 'selector', 'portLevelMtls'), value),
    });
    const kinds = fc.constantFrom('AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication', 'Gateway');
    fc.assert(
      fc.property(kinds, spec, fc.option(spec), fc.boolean(), (kind, after, before, known) => {
        const answer = judged({ changes: [change(kind, 'x', after, before)], mesh: known ? mesh : unknownMesh });
        return answer === null || NEVER.some(({ id }) => id === answer);
      }),
      { numRuns: 300 },
    );
  });
});

/** What is wrong with the remedies that are printed for a log. */
function wrongIn(log: string, view: MeshView, allowCallers: readonly string[]): readonly string[] {
  const { report, findings } = askedOn(log, view, { allowCallers });
  return report.findings.flatMap(({ fingerprint, remedies }) => {
    const of = findings.get(fingerprint);
    const changing = remedies.filter(({ changes }) => changes.length > 0);
    return changing
      .map((remedy) =>
        of === undefined ? 'nobody was asked' : forbiddenAdvice(remedy, of, view, { ...NO_WISHES, allowCallers }),
      )
      .filter((wrong) => wrong !== null);
  });
}

describe('no remedy that is printed is of these', () => {
  const folder = 'fixtures/rules';
  const cases = readdirSync(folder).flatMap((rule) =>
    readdirSync(`${folder}/${rule}`).map((name) => `${folder}/${rule}/${name}`),
  );

  // What is told here is what expected.json holds: test/rules.test.ts compares them.
  it.each(cases)('%s', (place) => {
    const log = readFileSync(`${place}/input.log`, 'utf8');
    const view = existsSync(`${place}/mesh.yaml`) ? meshOf(readFileSync(`${place}/mesh.yaml`, 'utf8')) : unknownMesh;
    expect(wrongIn(log, view, [])).toEqual([]);
  });

  it('in random meshes, whether the caller is named as legitimate or not', () => {
    fc.assert(
      fc.property(arbitraryPolicies, arbitraryCall, fc.boolean(), (policies, call, isNamed) => {
        const view = randomMesh(policies);
        fc.pre(verdict(view, call) === 'deny');
        const worked = SPACE.filter((each) => verdict(view, each) === 'allow');
        const log = [call, ...worked].map((each) => logLine(view, each)).join('\n');
        expect(wrongIn(log, view, isNamed ? [call.caller] : [])).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });
});
