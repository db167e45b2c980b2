import { describe, expect, it } from 'vitest';
import { createMesh, unknownMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { ObjectChange, Reach } from '../src/model/remedy.ts';
import { reachOf } from '../src/remedy/reach/reach.ts';
import { reachText } from '../src/render/reach.ts';
import { fullLength } from '../src/text/shortened.ts';
import { changeOf, draftOfChanges, namespace, pod, policy, smallMesh } from './small-mesh.ts';

const WEB = 'cluster.local/ns/shop/sa/web';

function admitting(...principals: readonly string[]): unknown {
  return { selector: { matchLabels: { app: 'api' } }, rules: [{ from: [{ source: { principals } }] }] };
}

function reach(mesh: MeshView, ...changes: readonly ObjectChange[]): Reach {
  const found = reachOf(draftOfChanges(...changes), mesh);
  if (found === null) throw new Error('no reach');
  return found;
}

describe('who runs as what a change brings in', () => {
  it('names only principals that were not there before, with all workloads of each', () => {
    const mesh = smallMesh([pod('shop', 'cron', 'web')]);
    const change = changeOf(
      policy('pay', 'api', admitting('cluster.local/ns/shop/sa/cart')),
      policy('pay', 'api', admitting('cluster.local/ns/shop/sa/cart', WEB)),
    );
    expect(reach(mesh, change).callers).toEqual([{ principal: WEB, workloads: ['shop/cron', 'shop/web'] }]);
  });

  it('reads service accounts, namespaces and conditions as principals, and exceptions alike', () => {
    const rules = [
      { from: [{ source: { serviceAccounts: ['ledger', 'shop/web'] } }, { source: { notPrincipals: [WEB] } }] },
      { from: [{ source: { namespaces: ['batch'] } }], when: [{ key: 'source.principal', values: ['*/sa/cart'] }] },
    ];
    expect(reach(smallMesh([]), changeOf(null, policy('pay', 'api', { rules }))).callers).toEqual([
      { principal: '*/sa/cart', workloads: ['shop/cart'] },
      { principal: 'cluster.local/ns/batch/sa/*', workloads: ['batch/report'] },
      { principal: 'cluster.local/ns/pay/sa/ledger', workloads: ['pay/ledger'] },
      { principal: WEB, workloads: ['shop/web'] },
    ]);
  });

  it('knows nothing of the pods of another trust domain', () => {
    const change = changeOf(null, policy('pay', 'api', admitting('other.example/ns/shop/sa/web')));
    expect(reach(smallMesh([]), change).callers).toEqual([
      { principal: 'other.example/ns/shop/sa/web', workloads: null },
    ]);
  });
});

describe('what a change applies to', () => {
  const selected = (mesh: MeshView, object: ReturnType<typeof policy>): unknown =>
    reach(mesh, changeOf(null, object)).selected;

  it('follows selectors, in the root namespace through the whole mesh', () => {
    const mesh = smallMesh([]);
    expect(selected(mesh, policy('pay', 'a', admitting(WEB)))).toEqual(['pay/api']);
    expect(selected(mesh, policy('pay', 'a', { rules: [] }))).toEqual(['pay/api', 'pay/ledger']);
    expect(selected(mesh, policy('istio-system', 'a', admitting(WEB)))).toEqual(['pay/api']);
    expect(selected(mesh, policy('istio-system', 'a', {}))).toHaveLength(5);
  });

  it('knows that istiod attaches an empty selector to no ambient pod, and that an Envoy takes it for all', () => {
    const empty = policy('pay', 'a', { selector: {}, rules: [{}] });
    expect(selected(smallMesh([]), empty)).toEqual([]);
    expect(selected(smallMesh([], 'sidecar'), empty)).toEqual(['pay/api', 'pay/ledger']);
    const bare = smallMesh([pod('pay', 'bare', 'bare', 'ambient', {})]);
    expect(selected(bare, policy('pay', 'a', admitting(WEB)))).toEqual(['pay/api', 'pay/bare']);
  });

  it('takes a PeerAuthentication with labels in the root namespace for nothing', () => {
    const spec = { selector: { matchLabels: { app: 'api' } }, mtls: { mode: 'STRICT' } };
    expect(selected(smallMesh([]), policy('istio-system', 'p', spec, 'PeerAuthentication'))).toEqual([]);
    expect(selected(smallMesh([]), policy('pay', 'p', spec, 'PeerAuthentication'))).toEqual(['pay/api']);
  });

  it('reads expressions of NetworkPolicies, hosts of DestinationRules, namespaces, workloads', () => {
    const mesh = smallMesh([]);
    const podSelector = { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['api'] }] };
    expect(selected(mesh, policy('pay', 'n', { podSelector }, 'NetworkPolicy'))).toEqual(['pay/ledger']);
    const rule = (host: string): ReturnType<typeof policy> => ({
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata: { name: 'r', namespace: 'pay' },
      spec: { host },
    });
    for (const host of ['api', 'api.pay', 'api.pay.svc.cluster.local', '*.pay.svc.cluster.local'])
      expect(selected(mesh, rule(host))).toEqual(['pay/api']);
    expect(selected(mesh, rule('ledger'))).toEqual([]);
    expect(selected(mesh, namespace('shop'))).toEqual(['shop/cart', 'shop/web']);
    const gateway = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: 'g', namespace: 'shop' },
    };
    expect(selected(mesh, { ...gateway, spec: { selector: { app: 'cart' } } })).toEqual(['shop/cart']);
    const sidecar = { ...gateway, kind: 'Sidecar', spec: { workloadSelector: { labels: { app: 'web' } } } };
    expect(selected(mesh, sidecar)).toEqual(['shop/web']);
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app' }] } };
    const metadata = { name: 'web', namespace: 'shop' };
    expect(selected(mesh, { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { template } })).toEqual([
      'shop/web',
    ]);
  });

  it('follows targets to Services, and through waypoints to whom they serve', () => {
    const gateway = {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: 'waypoint', namespace: 'pay' },
      spec: { gatewayClassName: 'istio-waypoint' },
    };
    const labels = { 'istio.io/use-waypoint': 'waypoint' };
    const mesh = createMesh([
      namespace('pay', labels),
      pod('pay', 'api', 'api'),
      pod('pay', 'ledger', 'ledger'),
      gateway,
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'api', namespace: 'pay' },
        spec: { selector: { app: 'api' }, ports: [{ port: 80 }] },
      },
    ]);
    const target = (kind: string, name: string): unknown =>
      selected(
        mesh,
        policy('pay', 'a', {
          targetRefs: [{ group: kind === 'Service' ? '' : 'gateway.networking.k8s.io', kind, name }],
        }),
      );
    expect(target('Service', 'api')).toEqual(['pay/api']);
    expect(target('Gateway', 'waypoint')).toEqual(['pay/api']);
    expect(target('Service', 'other')).toEqual([]);
  });

  it('counts both where a policy was and where it goes', () => {
    const moved = { targetRefs: [{ group: '', kind: 'Service', name: 'api' }], rules: [] };
    const change = changeOf(
      policy('pay', 'a', { selector: { matchLabels: { app: 'ledger' } } }),
      policy('pay', 'a', moved),
    );
    expect(reach(smallMesh([]), change).selected).toEqual(['pay/api', 'pay/ledger']);
  });
});

describe('which other policies apply there', () => {
  it('lists the four kinds, and neither the changed policy nor what decides nothing', () => {
    const changed = policy('pay', 'api', admitting(WEB));
    const rehearsal = policy('pay', 'try', {});
    const mesh = smallMesh([
      changed,
      policy('istio-system', 'all', {}, 'PeerAuthentication'),
      policy('pay', 'deny', { action: 'DENY', rules: [{ to: [{ operation: { ports: ['9'] } }] }] }),
      policy('pay', 'net', { podSelector: {} }, 'NetworkPolicy'),
      policy('pay', 'other', { selector: { matchLabels: { app: 'ledger' } } }),
      policy('shop', 'elsewhere', {}),
      { ...rehearsal, metadata: { name: 'try', namespace: 'pay', annotations: { 'istio.io/dry-run': 'true' } } },
    ]);
    expect(reach(mesh, changeOf(changed, changed)).others).toEqual([
      { kind: 'AuthorizationPolicy', namespace: 'pay', name: 'deny' },
      { kind: 'NetworkPolicy', namespace: 'pay', name: 'net' },
      { kind: 'PeerAuthentication', namespace: 'istio-system', name: 'all' },
    ]);
  });
});

describe('what is not known, and what is much', () => {
  it('is null without changes, and in its members without pods', () => {
    expect(reachOf(draftOfChanges(), smallMesh([]))).toBeNull();
    const change = changeOf(null, policy('pay', 'api', admitting(WEB)));
    const nothing = { callers: [{ principal: WEB, workloads: null }], selected: null, others: null };
    expect(reach(unknownMesh, change)).toEqual(nothing);
    expect(reach(createMesh([namespace('pay')]), change)).toEqual(nothing);
  });

  it('names at most fifty and counts the others', () => {
    const pods = Array.from({ length: 80 }, (_, index) => pod('pay', `w${index}`, 'web'));
    const policies = Array.from({ length: 70 }, (_, index) => policy('pay', `p${index}`, {}));
    const { selected, others } = reach(smallMesh([...pods, ...policies]), changeOf(null, policy('pay', 'new', {})));
    expect([selected?.length, selected?.at(-1), fullLength(selected ?? [])]).toEqual([50, '… and 33 more', 82]);
    expect([others?.length, others?.at(-1)]).toEqual([50, { kind: '…', namespace: '', name: 'and 21 more' }]);
  });

  it('is told in one sentence, of what is known only', () => {
    const mesh = smallMesh([pod('shop', 'cron', 'web'), policy('pay', 'wide', {})]);
    const change = changeOf(null, policy('pay', 'new', admitting(WEB)));
    expect(reachText(reach(mesh, change))).toBe(
      `2 workloads run as ${WEB}; also selecting: AuthorizationPolicy pay/wide`,
    );
    expect(reachText(reach(unknownMesh, change))).toBeNull();
  });
});
