import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unknownMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Draft } from '../src/model/remedy.ts';
import { decide } from '../src/policy/decide.ts';
import { validateForApply } from '../src/policy/validate.ts';
import { applyChanges } from '../src/remedy/apply.ts';
import { asDryRun } from '../src/remedy/wishes/dry-run.ts';
import { decodeKubeObject } from '../src/text/kube-object.ts';
import { recordOf, valueAt } from '../src/text/untyped.ts';
import { changeOf, draftOfChanges, namespace, pod, policy, probeFrom, smallMesh } from './small-mesh.ts';

const WEB = 'cluster.local/ns/shop/sa/web';

function spec(principals: readonly string[], more: object = {}): object {
  return { selector: { matchLabels: { app: 'api' } }, rules: [{ from: [{ source: { principals } }] }], ...more };
}

const BEFORE = policy('pay', 'api', spec(['cluster.local/ns/shop/sa/cart']));
const AFTER = policy('pay', 'api', spec(['cluster.local/ns/shop/sa/cart', WEB]));
const PATCH = draftOfChanges(changeOf(BEFORE, AFTER));

function tried(draft: Draft, mesh: MeshView): Draft {
  const dry = asDryRun(draft, mesh);
  if (typeof dry === 'string') throw new Error(dry);
  return dry;
}

describe('a change in dry-run', () => {
  const mesh = smallMesh([BEFORE], 'sidecar');
  const dry = tried(PATCH, mesh);

  it('stands beside the policy, which is not touched', () => {
    const [change] = dry.changes;
    expect(dry.changes).toHaveLength(1);
    expect(change).toMatchObject({ op: 'create', before: null, jsonPatch: null, file: null });
    expect(change?.object).toEqual({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      namespace: 'pay',
      name: 'api-dry-run',
    });
    expect(valueAt(change?.after, 'metadata', 'annotations')).toEqual({ 'istio.io/dry-run': 'true' });
    expect(valueAt(change?.after, 'spec')).toEqual(AFTER['spec']);
    expect(change?.yaml).toContain('istio.io/dry-run: "true"');
  });

  it('says that nothing is enforced, tries before it applies, tells where to look, and deletes to go back', () => {
    expect(dry.risk).toContain('Nothing is enforced');
    const { apply, verify, rollback } = dry.commands;
    expect(
      apply.map((command) => [command.includes('| kubectl create '), command.includes(' --dry-run=server ')]),
    ).toEqual([
      [true, true],
      [true, false],
    ]);
    expect(verify).toEqual([
      'istioctl proxy-config log api-6d4cf56db6-x7x2p.pay --level rbac:debug',
      "kubectl -n pay logs api-6d4cf56db6-x7x2p -c istio-proxy --since=10m | grep -E 'shadow (allowed|denied), matched policy'",
      'kubectl -n pay exec api-6d4cf56db6-x7x2p -c istio-proxy -- pilot-agent request GET stats/prometheus | grep authz_dry_run_result',
    ]);
    expect(rollback).toEqual(['kubectl -n pay delete authorizationpolicy api-dry-run']);
  });

  it('leaves out what the cluster wrote, keeps the revision, and finds a free name', () => {
    const metadata = {
      ...recordOf(AFTER['metadata']),
      uid: 'u',
      resourceVersion: '7',
      labels: { 'istio.io/rev': 'canary', 'argocd.argoproj.io/instance': 'pay' },
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
    };
    const live = { ...AFTER, metadata, status: { conditions: [] } };
    const taken = smallMesh([BEFORE, policy('pay', 'api-dry-run', {})], 'sidecar');
    expect(tried(draftOfChanges(changeOf(BEFORE, live)), taken).changes[0]?.after).toEqual({
      ...AFTER,
      metadata: {
        name: 'api-dry-run-2',
        namespace: 'pay',
        labels: { 'app.kubernetes.io/managed-by': 'meshmend', 'istio.io/rev': 'canary' },
        annotations: { 'istio.io/dry-run': 'true' },
      },
    });
  });
});

describe('what is refused', () => {
  const refused = (draft: Draft, mesh: MeshView): string => {
    const dry = asDryRun(draft, mesh);
    return typeof dry === 'string' ? dry : 'made';
  };
  const sidecars = smallMesh([BEFORE], 'sidecar');

  it('everything but AuthorizationPolicies that allow or deny', () => {
    const peer = policy('pay', 'p', { mtls: { mode: 'STRICT' } }, 'PeerAuthentication');
    expect(refused(draftOfChanges(), sidecars)).toContain('no change of a policy');
    expect(refused(draftOfChanges(changeOf(null, peer)), sidecars)).toContain(
      'no dry-run for PeerAuthentication pay/p',
    );
    expect(refused(draftOfChanges(changeOf(BEFORE, AFTER), changeOf(null, peer)), sidecars)).toContain('pay/p');
    const audit = policy('pay', 'a', spec([WEB], { action: 'AUDIT' }));
    expect(refused(draftOfChanges(changeOf(null, audit)), sidecars)).toContain('action AUDIT');
    const deny = policy('pay', 'd', spec([WEB], { action: 'DENY' }));
    expect(refused(draftOfChanges(changeOf(null, deny)), sidecars)).toBe('made');
  });

  it('at ztunnel, releases before 1.29 and those that are not known: they may enforce it', () => {
    const ambient = (istioVersion?: string, ...more: readonly unknown[]): string =>
      refused(PATCH, smallMesh([BEFORE, ...more], 'ambient', istioVersion === undefined ? {} : { istioVersion }));
    expect(ambient()).toContain('which release runs is not known');
    expect(ambient('1.28')).toContain('release 1.28 has no dry-run there');
    expect([ambient('1.29'), ambient('1.31')]).toEqual(['made', 'made']);
    expect(refused(PATCH, unknownMesh)).toContain('may be enforced by a ztunnel');
    const mixed = smallMesh([BEFORE, pod('pay', 'api2', 'api', 'ambient', { app: 'api' })], 'sidecar');
    expect(refused(PATCH, mixed)).toContain('which release runs is not known');
  });

  it('at ztunnel, also where one of them is older, or istiod does not send such policies', () => {
    const deployment = (name: string, kind: string, container: object): unknown => ({
      apiVersion: 'apps/v1',
      kind,
      metadata: { name, namespace: 'istio-system' },
      spec: { template: { spec: { containers: [container] } } },
    });
    const at129 = (...more: readonly unknown[]): string =>
      refused(PATCH, smallMesh([BEFORE, ...more], 'ambient', { istioVersion: '1.29' }));
    const ztunnel = (tag: string): unknown =>
      deployment('ztunnel', 'DaemonSet', { name: 'istio-proxy', image: `docker.io/istio/ztunnel:${tag}` });
    expect(at129(ztunnel('1.28.3-distroless'))).toContain('release 1.28.3-distroless');
    expect(at129(ztunnel('1.29.0'))).toBe('made');
    const istiod = (env: readonly object[]): unknown => deployment('istiod', 'Deployment', { name: 'discovery', env });
    const flag = 'AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY';
    expect(at129(istiod([]))).toContain(flag);
    expect(at129(istiod([{ name: flag, value: 'true' }]))).toBe('made');
  });

  it('nothing at a waypoint, of whatever release', () => {
    const gateway = {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'waypoint', namespace: 'pay' },
      spec: { gatewayClassName: 'istio-waypoint' },
    };
    const target = policy('pay', 'w', {
      ...spec([WEB]),
      selector: undefined,
      targetRefs: [{ group: '', kind: 'Service', name: 'api' }],
    });
    const mesh = smallMesh([gateway, namespace('pay', { 'istio.io/use-waypoint': 'waypoint' })]);
    const dry = tried(draftOfChanges(changeOf(null, target)), mesh);
    expect(dry.commands.verify[0]).toBe('istioctl proxy-config log deploy/waypoint.pay --level rbac:debug');
  });
});

describe('at a ztunnel', () => {
  it('says what istiod needs, and where ztunnel tells', () => {
    const { risk, commands } = tried(PATCH, smallMesh([BEFORE], 'ambient', { istioVersion: '1.30' }));
    expect(risk).toContain('AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY=true');
    expect(commands.confirm.at(-1)).toContain('grep -A1 AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY');
    expect(commands.verify).toEqual([
      'istioctl ztunnel-config log --level state:debug',
      'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix --max-log-requests=100 | grep -F dry-run',
    ]);
  });
});

describe('laws', () => {
  const ACCOUNTS = ['web', 'cart'];
  const rule = fc.record({
    from: fc
      .subarray(ACCOUNTS, { minLength: 1 })
      .map((names) => [{ source: { principals: names.map((name) => `cluster.local/ns/shop/sa/${name}`) } }]),
    to: fc.subarray(['8080', '9090'], { minLength: 1 }).map((ports) => [{ operation: { ports } }]),
  });
  const policies = fc.record({
    action: fc.constantFrom('ALLOW', 'DENY'),
    rules: fc.array(rule, { minLength: 1, maxLength: 3 }),
  });

  const mode = fc.constantFrom('ambient' as const, 'sidecar' as const);

  it('a dry-run form changes no decision, whatever policy it is of', () => {
    const answers = (mesh: MeshView): unknown =>
      ACCOUNTS.flatMap((account) =>
        [8080, 9090].map((port) => decide(mesh, probeFrom(mesh, 'shop', account, { port }))),
      );
    fc.assert(
      fc.property(policies, policies, mode, (was, is, dataplane) => {
        const before = policy('pay', 'api', was);
        const mesh = smallMesh([before], dataplane, { istioVersion: '1.30' });
        const dry = tried(draftOfChanges(changeOf(before, policy('pay', 'api', is))), mesh);
        const applied = applyChanges(mesh, dry.changes);
        expect(applied === null ? null : answers(applied)).toEqual(answers(mesh));
      }),
      { numRuns: 60 },
    );
  });

  it('a dry-run form would be accepted', () => {
    fc.assert(
      fc.property(policies, mode, (is, dataplane) => {
        const mesh = smallMesh([], dataplane, { istioVersion: '1.30' });
        const dry = tried(draftOfChanges(changeOf(null, policy('pay', 'api', is))), mesh);
        const objects = dry.changes.map(({ after }) => decodeKubeObject(after, { file: '', document: 0 }));
        expect(
          objects.map((object) => (typeof object === 'string' ? object : validateForApply(object).errors)),
        ).toEqual([[]]);
      }),
    );
  });
});
