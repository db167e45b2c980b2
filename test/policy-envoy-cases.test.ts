import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { compileEnvoy } from '../src/policy/envoy/decide.ts';
import { type Claims, type EnvoyRequest, unknownRequest } from '../src/policy/envoy/request.ts';
import { DEFAULT_SETTINGS, type EnvoyProxy } from '../src/policy/envoy/settings.ts';
import { decodeKubeObject } from '../src/text/kube-object.ts';
import { parseSpiffeId } from '../src/text/spiffe.ts';

/** One request of a case. `request`: HTTP to port 8080; `tcp`: a connection to that port. */
interface Probe {
  readonly probe: string;
  readonly from: { readonly identity?: string; readonly tls?: boolean; readonly claims?: Claims };
  readonly request?: string;
  readonly tcp?: number;
  readonly wanted: string;
  readonly status?: number;
  readonly flags?: readonly string[];
  readonly details?: string;
  readonly determining?: readonly string[];
  readonly nearMiss?: readonly unknown[];
}

interface PolicyCase {
  readonly about: string;
  readonly proxy: EnvoyProxy;
  readonly objects: readonly unknown[];
  readonly probes: readonly Probe[];
}

function requestOf({ from, request = '', tcp }: Probe): EnvoyRequest {
  const [method = '', path = ''] = request.split(' ');
  return {
    ...unknownRequest(tcp ?? 8080),
    protocol: tcp === undefined ? 'http' : 'tcp',
    transport: from.identity !== undefined ? 'mtls' : from.tls === true ? 'tls' : 'plaintext',
    identity: parseSpiffeId(from.identity ?? null),
    sourceAddress: '10.244.2.20',
    remoteAddress: null,
    serverName: null,
    method,
    path,
    host: 'web.shop',
    headersComplete: true,
    token: from.claims === undefined ? { kind: 'none' } : { kind: 'claims', claims: from.claims },
  };
}

const folder = fileURLToPath(new URL('../fixtures/policy/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.startsWith('envoy-'));

describe.each(files)('%s', (file) => {
  const { proxy, objects, probes }: PolicyCase = parse(readFileSync(folder + file, 'utf8'));
  const decoded = objects.map((object, document) => decodeKubeObject(object, { file, document }));
  const engine = compileEnvoy({
    proxy,
    settings: DEFAULT_SETTINGS,
    objects: decoded.filter((object) => typeof object !== 'string'),
  });

  it('holds objects that can be read', () => {
    expect(decoded.filter((object) => typeof object === 'string')).toEqual([]);
    expect(engine.problems).toEqual([]);
  });

  it.each(probes.map((probe) => [probe.probe, probe] as const))('%s', (_name, probe) => {
    const decision = engine.decide(requestOf(probe));
    const { printed } = decision;
    expect({
      wanted: decision.outcome,
      status: probe.status === undefined ? undefined : printed?.status,
      flags: probe.flags === undefined ? undefined : printed?.flags,
      details: probe.details === undefined ? undefined : (printed?.details ?? printed?.termination),
      determining:
        probe.determining && decision.determining.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`),
      nearMiss: probe.nearMiss && decision.nearMiss.map(({ policy: _policy, ...miss }) => miss),
    }).toEqual({
      wanted: probe.wanted,
      status: probe.status,
      flags: probe.flags,
      details: probe.details,
      determining: probe.determining,
      nearMiss: probe.nearMiss,
    });
  });
});
