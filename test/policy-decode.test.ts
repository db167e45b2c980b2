import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../src/model/mesh.ts';
import {
  type Decoded,
  decodeAuthorizationPolicy,
  decodePeerAuthentication,
  decodeRequestAuthentication,
} from '../src/policy/decode.ts';
import { decodeNetworkPolicy } from '../src/policy/decode-network-policy.ts';
import { decodeKubeObject } from '../src/text/kube-object.ts';
import { admissions, vectorFiles } from './admission-vectors.ts';
import { hasShared, needsShared } from './shared.ts';

const KINDS = {
  AuthorizationPolicy: decodeAuthorizationPolicy,
  PeerAuthentication: decodePeerAuthentication,
  RequestAuthentication: decodeRequestAuthentication,
  NetworkPolicy: decodeNetworkPolicy,
} as const;

type Kind = keyof typeof KINDS;

function kube(kind: Kind, spec: unknown, annotations: Readonly<Record<string, string>> = {}): KubeObject {
  const apiVersion = kind === 'NetworkPolicy' ? 'networking.k8s.io/v1' : 'security.istio.io/v1';
  const object = decodeKubeObject(
    { apiVersion, kind, metadata: { name: 'p', namespace: 'shop', annotations }, spec },
    { file: 'test', document: 0 },
  );
  if (typeof object === 'string') throw new Error(object);
  return object;
}

/** The decoded value; a refusal fails the test. */
function accepted<T>(decoded: Decoded<T>): T {
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.value;
}

const authorization = (spec: unknown) => accepted(decodeAuthorizationPolicy(kube('AuthorizationPolicy', spec)));
const peer = (spec: unknown) => accepted(decodePeerAuthentication(kube('PeerAuthentication', spec)));
const request = (spec: unknown) => accepted(decodeRequestAuthentication(kube('RequestAuthentication', spec)));

describe('what the API types accept', () => {
  it('an absent selector, an empty one and one with no labels are three things', () => {
    expect(authorization({}).selector).toBeNull();
    expect(authorization({ selector: null }).selector).toBeNull();
    expect(authorization({ selector: {} }).selector).toEqual({ matchLabels: null });
    expect(authorization({ selector: { matchLabels: null } }).selector).toEqual({ matchLabels: null });
    expect(authorization({ selector: { matchLabels: {} } }).selector).toEqual({ matchLabels: {} });
  });

  it('an absent spec is an empty one', () => {
    expect(authorization(undefined)).toEqual(authorization({}));
    expect(authorization({})).toMatchObject({ action: 'ALLOW', provider: null, rules: [], targetRefs: [] });
  });

  it('an item without source is null, one with an empty source is not', () => {
    const { rules } = authorization({ rules: [{ from: [{}, null, { source: null }, { source: {} }] }] });
    expect(rules[0]?.from.map((source) => source === null)).toEqual([true, true, true, false]);
  });

  it('an empty rule and a null rule are the same', () => {
    const empty = { from: [], to: [], when: [] };
    expect(authorization({ rules: [{}, null] }).rules).toEqual([empty, empty]);
  });

  it('fields may be written as in the .proto file; camelCase wins', () => {
    const source = { ip_blocks: ['1.1.1.1'], not_principals: ['a'], notPrincipals: ['b'] };
    const [entry] = authorization({ rules: [{ from: [{ source }] }] }).rules[0]?.from ?? [];
    expect(entry).toMatchObject({ ipBlocks: ['1.1.1.1'], notPrincipals: ['b'] });
    expect(peer({ port_level_mtls: { 80: { mode: 'STRICT' } } }).portModes).toEqual(new Map([[80, 'STRICT']]));
  });

  it('enums by name or number, null is the default', () => {
    expect(authorization({ action: 1 }).action).toBe('DENY');
    expect(authorization({ action: null }).action).toBe('ALLOW');
    expect(peer({ mtls: { mode: 3 } }).mode).toBe('STRICT');
    expect(peer({ mtls: null }).mode).toBe('UNSET');
    expect(peer({}).mode).toBe('UNSET');
  });

  it('unknown fields are ignored, null in a list of texts is empty text', () => {
    const { rules } = authorization({ hello: 1, rules: [{ to: [{ operation: { ports: [null, '80'], port: 5 } }] }] });
    expect(rules[0]?.to[0]?.ports).toEqual(['', '80']);
  });

  it('port keys are JSON texts of their own', () => {
    const ports = Object.fromEntries([' 80', '"81"', 'null'].map((key) => [key, { mode: 'STRICT' }]));
    expect([...peer({ portLevelMtls: ports }).portModes.keys()]).toEqual([80, 81, 0]);
    expect(peer({ portLevelMtls: { 82: null } }).portModes).toEqual(new Map([[82, 'UNSET']]));
  });

  it('targetRef counts only without targetRefs', () => {
    const ref = (name: string) => ({ group: '', kind: 'Service', name, namespace: '' });
    expect(authorization({ targetRef: ref('a') }).targetRefs).toEqual([ref('a')]);
    expect(authorization({ targetRef: ref('a'), targetRefs: [ref('b')] }).targetRefs).toEqual([ref('b')]);
  });

  it('dry-run as Go reads it', () => {
    const dryRun = (text: string) =>
      accepted(decodeAuthorizationPolicy(kube('AuthorizationPolicy', {}, { 'istio.io/dry-run': text }))).dryRun;
    expect(['1', 't', 'T', 'TRUE', 'true', 'True'].map(dryRun)).not.toContain(false);
    expect(['0', 'false', 'yes', 'tRUE', '', ' true'].map(dryRun)).not.toContain(true);
  });

  it('empty texts of a JWT rule are absent ones', () => {
    expect(request({ jwtRules: [{ issuer: 'a', jwks: '' }] }).jwtRules[0]).toMatchObject({
      jwks: null,
      jwksUri: null,
      outputPayloadToHeader: null,
    });
  });

  it('a NetworkPolicy isolates for ingress unless it says otherwise, for egress too if it has egress rules', () => {
    const types = (spec: unknown) => accepted(decodeNetworkPolicy(kube('NetworkPolicy', spec))).policyTypes;
    expect(types({ podSelector: {} })).toEqual(['Ingress']);
    expect(types({ podSelector: {}, egress: [{}] })).toEqual(['Ingress', 'Egress']);
    expect(types({ podSelector: {}, egress: [{}], policyTypes: ['Egress'] })).toEqual(['Egress']);
  });
});

describe('what the API types refuse, with the path', () => {
  it.each<[Kind, unknown, string]>([
    ['AuthorizationPolicy', { action: 'allow' }, 'spec.action'],
    ['AuthorizationPolicy', { action: '' }, 'spec.action'],
    ['AuthorizationPolicy', { rules: {} }, 'spec.rules'],
    ['AuthorizationPolicy', { rules: ['x'] }, 'spec.rules[0]'],
    ['AuthorizationPolicy', { rules: [{ from: [{ source: { principals: 'a' } }] }] }, '.source.principals'],
    ['AuthorizationPolicy', { rules: [{ to: [{ operation: { ports: [80] } }] }] }, '.operation.ports[0]'],
    ['AuthorizationPolicy', { selector: { matchLabels: { a: 1 } } }, 'spec.selector.matchLabels[a]'],
    ['PeerAuthentication', { portLevelMtls: { '080': {} } }, 'spec.portLevelMtls[080]'],
    ['PeerAuthentication', { portLevelMtls: { '-1': {} } }, 'spec.portLevelMtls[-1]'],
    ['PeerAuthentication', { portLevelMtls: { 4294967296: {} } }, 'spec.portLevelMtls[4294967296]'],
    ['PeerAuthentication', { mtls: 'STRICT' }, 'spec.mtls'],
    ['RequestAuthentication', { jwtRules: [{ forwardOriginalToken: 'true' }] }, '.forwardOriginalToken'],
    ['RequestAuthentication', { jwtRules: [{ timeout: '5' }] }, '.timeout'],
    ['NetworkPolicy', { ingress: [{ ports: [{ port: 1.5 }] }] }, 'spec.ingress[0].ports[0].port'],
  ])('%s %j', (kind, spec, path) => {
    const decoded = KINDS[kind](kube(kind, spec));
    expect(decoded.ok ? '' : decoded.reason).toContain(path);
  });

  it('another kind or group', () => {
    expect(decodePeerAuthentication(kube('AuthorizationPolicy', {})).ok).toBe(false);
    const foreign = { ...kube('AuthorizationPolicy', {}), apiVersion: 'v1' };
    expect(decodeAuthorizationPolicy(foreign).ok).toBe(false);
  });
});

describe('laws', () => {
  it('decoding never throws', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Kind>('AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication'),
        fc.jsonValue(),
        (kind, spec) => {
          const decoded = KINDS[kind](kube(kind, spec));
          return typeof decoded.ok === 'boolean';
        },
      ),
    );
  });
});

describe.skipIf(!hasShared)(needsShared('every object of the vectors'), () => {
  it('is decoded exactly if the API types accept it', () => {
    const rows = vectorFiles.flatMap(admissions);
    const wrong = rows.filter(({ object, stage }) => KINDS[object.kind as Kind](object).ok !== (stage !== 'decode'));
    console.info(`decode: ${rows.length - wrong.length} of ${rows.length}`);
    expect(wrong).toEqual([]);
    expect(rows.length).toBeGreaterThan(15_000);
  });
});
