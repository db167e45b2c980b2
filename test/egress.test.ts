import { describe, expect, it } from 'vitest';
import type { MeshView } from '../src/model/mesh.ts';
import { decide } from '../src/policy/decide.ts';
import type { Way } from '../src/policy/way/probe.ts';
import { UNKNOWN_REQUEST } from '../src/policy/way/probe.ts';
import { podOf, policy, smallMesh } from './small-mesh.ts';

const STRICT = policy('pay', 'default', { mtls: { mode: 'STRICT' } }, 'PeerAuthentication');

function sidecar(home: string, spec: unknown, name = 'default', creationTimestamp = '2026-01-01T00:00:00Z'): unknown {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { name, namespace: home, creationTimestamp },
    spec,
  };
}

function config(mesh: string): unknown {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: 'istio-system' },
    data: { mesh },
  };
}

/** `shop/web` calls Service `pay/api`, at whose pods plaintext is refused. */
function call(...more: readonly unknown[]): Way {
  const mesh: MeshView = smallMesh([STRICT, ...more], 'sidecar');
  const service = mesh.serviceByHost('api.pay');
  if (service === null) throw new Error('no Service pay/api');
  const web = podOf(mesh, 'shop', 'web');
  return decide(mesh, {
    source: { kind: 'pods', name: 'shop/web', pods: [web] },
    destination: { kind: 'service', service, port: 80 },
    request: UNKNOWN_REQUEST,
  });
}

const hosts = (...names: readonly string[]): unknown => ({ egress: [{ hosts: names }] });
const HIDDEN = hosts('./*', 'istio-system/*');

describe('a Sidecar says what the proxy of a caller knows', () => {
  it.each([
    ['none', [], 'allow'],
    ['of its namespace', [sidecar('shop', HIDDEN)], 'deny'],
    ['of the root namespace', [sidecar('istio-system', HIDDEN)], 'deny'],
    ['of the namespace of the Service', [sidecar('pay', HIDDEN)], 'allow'],
    ['its own before the root namespace', [sidecar('istio-system', HIDDEN), sidecar('shop', hosts('*/*'))], 'allow'],
    ['that names the namespace', [sidecar('shop', hosts('pay/*'))], 'allow'],
    ['that names the host', [sidecar('shop', hosts('pay/api.pay.svc.cluster.local'))], 'allow'],
    ['that names hosts by their ending', [sidecar('shop', hosts('*/*.pay.svc.cluster.local'))], 'allow'],
    ['that names another host', [sidecar('shop', hosts('pay/ledger.pay.svc.cluster.local'))], 'deny'],
    ['that names no namespace', [sidecar('shop', hosts('~/*'))], 'deny'],
    ['without listeners', [sidecar('shop', {})], 'allow'],
    ['for this port', [sidecar('shop', { egress: [{ port: { number: 80 }, hosts: ['pay/*'] }] })], 'allow'],
    ['for another port', [sidecar('shop', { egress: [{ port: { number: 81 }, hosts: ['pay/*'] }] })], 'deny'],
    [
      'that selects it, before one for all',
      [
        sidecar('shop', HIDDEN),
        sidecar('shop', { workloadSelector: { labels: { app: 'web' } }, egress: [{ hosts: ['*/*'] }] }, 'web'),
      ],
      'allow',
    ],
    [
      'that selects others',
      [sidecar('shop', { workloadSelector: { labels: { app: 'cart' } }, egress: [{ hosts: ['./*'] }] })],
      'allow',
    ],
    [
      'the older of two',
      [sidecar('shop', HIDDEN, 'young', '2026-02-01T00:00:00Z'), sidecar('shop', hosts('*/*'), 'old')],
      'allow',
    ],
  ])('%s', (_name, more, outcome) => {
    expect(call(...more).outcome).toBe(outcome);
  });

  it('what it does not know it passes on in plaintext, or lets nothing out', () => {
    const passed = call(sidecar('shop', HIDDEN));
    expect(passed.routes[0]?.hops.map(({ by, outcome }) => `${by} ${outcome}`)).toEqual([
      'source allow',
      'sidecar deny',
    ]);
    expect(passed.routes[0]?.hops[0]?.determining).toEqual([{ kind: 'Sidecar', namespace: 'shop', name: 'default' }]);
    const registryOnly = { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } };
    for (const more of [
      [sidecar('shop', { egress: [{ hosts: ['./*'] }], ...registryOnly })],
      [sidecar('shop', HIDDEN), config(JSON.stringify(registryOnly))],
    ]) {
      const blocked = call(...more);
      expect(blocked.routes[0]?.hops.map(({ by, outcome }) => `${by} ${outcome}`)).toEqual(['source deny']);
    }
  });
});
