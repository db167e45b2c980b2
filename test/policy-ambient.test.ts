import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { AuthorizationPolicy, PeerAuthentication } from '../src/model/policy.ts';
import { compileZtunnel, type ZtunnelPolicies } from '../src/policy/ambient/decide.ts';
import type { AmbientSettings, Constraint, ZtunnelPolicy } from '../src/policy/ambient/form.ts';
import { behaves } from '../src/policy/ambient/release.ts';
import { decodeAuthorizationPolicy, decodePeerAuthentication } from '../src/policy/decode.ts';
import { blockHolds, type IpBlock, parseIpBlock, parsePeerIp } from '../src/policy/match-ip.ts';
import { readStringMatch } from '../src/policy/match-string.ts';
import { decodeKubeObject, isRecord } from '../src/text/kube-object.ts';
import { parseSpiffeId } from '../src/text/spiffe.ts';
import { hasShared, needsShared, shared } from './shared.ts';

interface Vector {
  readonly id: string;
  readonly mesh: { readonly rootNamespace: string; readonly revision?: string };
  readonly objects: readonly unknown[];
  readonly workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> };
  readonly attached: readonly string[];
  readonly converted: readonly { readonly object: string; readonly authorization: unknown; readonly status?: string }[];
  readonly validation: readonly { readonly valid: boolean }[];
  readonly connections: readonly {
    readonly srcIp: string;
    readonly srcIdentity: string | null;
    readonly dstIp: string;
    readonly dstPort: number;
  }[];
  readonly verdicts: readonly {
    readonly outcome: string;
    readonly error: string | null;
    readonly deniedBy?: readonly string[];
    readonly nameUncertain?: boolean;
  }[];
}

describe.skipIf(!hasShared)(needsShared('the answers of the real istiod and ztunnel'), () => {
  for (const family of ['ambient-edge', 'ambient-random', 'ambient-real']) {
    it(family, () => {
      const disagreements: string[] = [];
      const cases = readFileSync(shared(`vectors/${family}.jsonl`), 'utf8')
        .trimEnd()
        .split('\n');
      let verdicts = 0;
      for (const text of cases) {
        const vector: Vector = JSON.parse(text);
        verdicts += vector.verdicts.length;
        disagreements.push(...disagreementsOf(vector));
      }
      console.log(`${family}: ${cases.length} cases, ${verdicts} verdicts, ${disagreements.length} disagree`);
      expect(disagreements.slice(0, 20)).toEqual([]);
    });
  }
});

describe('IP addresses and blocks as Go reads them', () => {
  const holds = (block: string, address: string): boolean | null => {
    const [left, right] = [parseIpBlock(block), parsePeerIp(address)];
    return left === null || right === null ? null : blockHolds(left, right);
  };
  it.each([
    ['10.0.1.9', '10.0.1.9', true],
    ['10.0.1.77/24', '10.0.1.9', true],
    ['10.0.1.128/25', '10.0.1.9', false],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['128.0.0.0/1', '200.1.2.3', true],
    ['0.0.0.0/0', 'fd00::9', false],
    ['::/0', 'fd00::9', true],
    ['::/0', '10.0.1.9', false],
    ['fd00::/8', 'fdff:1::', true],
    ['fd00:0:0::8/127', 'fd00::9', true],
    ['2001:db8::1:0:0:1/64', '2001:db8::2', true],
    ['2001:db8:1::/48', '2001:db8:2::1', false],
    ['2001:db8:0:1::/64', '2001:db8:0:2::1', false],
    ['fd00::1:0:0/96', 'fd00::2:0:0', false],
    ['fe80::1%eth0', 'fe80::1', true],
    ['::1.2.3.4', '::102:304', true],
    ['::ffff:10.0.1.9', '::ffff:10.0.1.9', false],
    ['::ffff:0:0/96', '10.0.1.9', false],
    ['10.0.1.9', '::FFFF:10.0.1.9', true],
  ])('%s and %s: %s', (block, address, wanted) => {
    expect(holds(block, address)).toBe(wanted);
  });

  it.each([
    ...[
      '',
      'x',
      '1',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.256',
      '01.2.3.4',
      '1.2.3.00',
      '1.2..4',
      '.1.2.3',
      '1.2.3.',
      '1.2.3.4%z',
    ],
    ...['1.2.3.4/33', '1.2.3.4/', '1.2.3.4/08', '1.2.3.4/+8', '1.2.3.4/-1', '1.2.3.4/8/8', '/8', '10.0.0/8'],
    ...[':', ':::', '1:2', '1::2::3', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '12345::', 'g::', '::1%', '%eth0::1'],
    ...['::1.2.3', '1.2.3.4::', '::1.2.3.4:5', '1:2:3:4:5:6:7:1.2.3.4', '::1/129', 'fe80::1%eth0/64', '1:2:3:4:5:6:7:'],
  ])('refuses %j', (text) => {
    expect(parseIpBlock(text)).toBeNull();
  });
});

describe('what releases have', () => {
  it.each([
    ['1.22', 'mergedStrict', false],
    ['1.23.4', 'mergedStrict', false],
    ['1.23.5', 'mergedStrict', true],
    ['1.24.2', 'mergedStrict', false],
    ['1.24', 'mergedStrict', true],
    ['1.25.0', 'mergedStrict', true],
    ['1.23.9', 'rejectionReason', false],
    ['1.24.0', 'rejectionReason', true],
    ['1.28.10-distroless', 'dryRunStatus', false],
    ['1.31.1', 'noEffectStatus', false],
    ['latest', 'noEffectStatus', true],
    [null, 'rejectionReason', true],
  ] as const)('%s %s: %s', (version, behaviour, wanted) => {
    expect(behaves(version, behaviour)).toBe(wanted);
  });
});

/** One line for each answer that is not the real one's. */
function disagreementsOf(vector: Vector): readonly string[] {
  const settings: AmbientSettings = {
    rootNamespace: vector.mesh.rootNamespace,
    revision: vector.mesh.revision ?? null,
    istioVersion: null,
  };
  const compiled = compileZtunnel(admitted(vector), settings);
  const workload = compiled.forWorkload(vector.workload);
  const wrong: string[] = [];
  const compare = (what: string, wanted: unknown, got: unknown): void => {
    const [left, right] = [canonical(wanted), canonical(got)];
    if (left !== right) wrong.push(`${vector.id} ${what}: wanted ${left}, got ${right}`);
  };
  compare('attached', vector.attached, workload.attached);
  compare('converted', convertedWanted(vector), convertedGot(compiled));
  for (const [index, connection] of vector.connections.entries()) {
    const verdict = vector.verdicts[index];
    const { srcIp, srcIdentity, dstIp, dstPort } = connection;
    const decision = workload.decide({
      sourceIp: srcIp,
      identity: parseSpiffeId(srcIdentity),
      destinationIp: dstIp,
      destinationPort: dstPort,
    });
    const named = decision.deniedBy.map(({ key }) => key);
    const uncertain = verdict?.nameUncertain === true;
    compare(`outcome ${index}`, verdict?.outcome, decision.outcome);
    compare(`deniedBy ${index}`, [...(verdict?.deniedBy ?? [])].sort(), [...named].sort());
    compare(`nameUncertain ${index}`, uncertain, decision.nameUncertain);
    compare(
      `error ${index}`,
      uncertain ? named.includes(verdict?.error?.split(': ').at(-1) ?? '') : verdict?.error,
      uncertain ? true : decision.error,
    );
  }
  return wrong;
}

function admitted(vector: Vector): readonly (AuthorizationPolicy | PeerAuthentication)[] {
  return vector.objects.filter((_, index) => vector.validation[index]?.valid === true).map(decoded);
}

function decoded(object: unknown): AuthorizationPolicy | PeerAuthentication {
  const read = decodeKubeObject(object, { file: '', document: 0 });
  if (typeof read === 'string') throw new Error(read);
  const result = read.kind === 'PeerAuthentication' ? decodePeerAuthentication(read) : decodeAuthorizationPolicy(read);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

function convertedWanted(vector: Vector): unknown {
  return vector.converted
    .map(({ object, authorization, status }) => [
      object.startsWith('Peer') ? null : object,
      status ?? null,
      authorization,
    ])
    .sort(byJson);
}

function convertedGot(compiled: ZtunnelPolicies): unknown {
  const authorization = [...compiled.conversions].map(([key, { policy, status }]) => [
    `AuthorizationPolicy ${key}`,
    status,
    policy === null ? null : protoOf(policy),
  ]);
  const peer = [...compiled.policies.values()]
    .filter(({ source }) => source?.kind !== 'AuthorizationPolicy')
    .map((policy) => [null, null, protoOf(policy)]);
  return [...authorization, ...peer].sort(byJson);
}

function byJson(left: unknown, right: unknown): number {
  return canonical(left) < canonical(right) ? -1 : 1;
}

/** JSON with the keys of objects in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isRecord(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

/** The policy as protobuf's JSON: defaults left out. */
function protoOf({ name, namespace, scope, action, rules }: ZtunnelPolicy): unknown {
  return {
    name,
    namespace,
    ...(scope === 'GLOBAL' ? {} : { scope }),
    ...(action === 'ALLOW' ? {} : { action }),
    ...omitEmpty(
      'groups',
      rules.map(({ clauses }) =>
        omitEmpty(
          'rules',
          clauses.map((matches) =>
            omitEmpty(
              'matches',
              matches.map(({ constraints }) => protoFields(constraints)),
            ),
          ),
        ),
      ),
    ),
  };
}

function protoFields(constraints: readonly Constraint[]): unknown {
  const fields = new Map<string, unknown[]>();
  for (const constraint of constraints) {
    const { field, negated } = constraint;
    const name = negated ? `not${field.charAt(0).toUpperCase()}${field.slice(1)}` : field;
    fields.set(name, protoValues(constraint));
  }
  return Object.fromEntries(fields);
}

function protoValues(constraint: Constraint): unknown[] {
  switch (constraint.field) {
    case 'principals':
    case 'namespaces':
      return constraint.written
        .map(readStringMatch)
        .map(({ kind, value }) => ({ [kind]: kind === 'presence' ? {} : value }));
    case 'serviceAccounts':
      return constraint.values.map(({ namespace, name }) => ({ namespace, serviceAccount: name }));
    case 'sourceIps':
    case 'destinationIps':
      return constraint.values.map(protoAddress);
    case 'destinationPorts':
      return [...constraint.values];
  }
}

function protoAddress({ network, bits }: IpBlock): unknown {
  const bytes = Buffer.alloc(network.family === 4 ? 4 : 16);
  const words = network.family === 4 ? [network.a] : [network.a, network.b, network.c, network.d];
  for (const [index, word] of words.entries()) bytes.writeUInt32BE(word >>> 0, index * 4);
  return { address: bytes.toString('base64'), ...(bits === 0 ? {} : { length: bits }) };
}

function omitEmpty(name: string, list: readonly unknown[]): Record<string, unknown> {
  return list.length === 0 ? {} : { [name]: list };
}
