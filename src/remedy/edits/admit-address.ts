import type { Finding } from '../../model/finding.ts';
import type { MeshView } from '../../model/mesh.ts';
import type { AuthorizationPolicy } from '../../model/policy.ts';
import type { Draft } from '../../model/remedy.ts';
import { plainAddress } from '../../text/address.ts';
import { ownAddresses } from './caller-proof.ts';
import { draftOf, patchObject } from './change.ts';
import { destinationOf } from './destination.ts';
import type { Edit } from './json-patch.ts';
import { policiesFor } from './policies.ts';
import { watchLogs } from './watch.ts';

/** More addresses than this are no list of who calls, but a sample of it. */
const MAX_ADDRESSES = 4;

/**
 * The draft that lets plain text from outside the mesh past AuthorizationPolicies of one action, by the caller's addresses:
 * a rule of their own with the port in an ALLOW policy, or an exception beside every list of those whom a DENY policy does not
 * deny. Only for callers that are no pods, as the addresses of those change. May be empty.
 */
export function admitAddress(finding: Finding, mesh: MeshView, action: 'ALLOW' | 'DENY'): readonly Draft[] {
  const addresses = ownAddresses(finding);
  const destination = destinationOf(finding, mesh);
  const isListable = addresses.length > 0 && addresses.length <= MAX_ADDRESSES;
  if (!isListable || !areOutside(addresses, mesh) || destination === null || destination.port === null) return [];
  const blocks = addresses.map((address) => `${plainAddress(address)}/${address.includes(':') ? 128 : 32}`);
  const { port } = destination;
  const planned = policiesFor(finding, mesh, destination, action)
    .map(({ object, policy }) =>
      patchObject(object, action === 'ALLOW' ? [ruleFor(blocks, port)] : exceptionsFor(blocks, policy)),
    )
    .filter((change) => change !== null);
  const changes = action === 'ALLOW' ? planned.slice(0, 1) : planned;
  if (changes.length === 0) return [];
  const names = changes.map(({ change }) => `${change.object.namespace}/${change.object.name}`).join(' and ');
  return [
    draftOf(changes, {
      kind: 'policy-change',
      summary: `Admit plain text from ${blocks.join(', ')} in AuthorizationPolicy ${names}.`,
      risk: `An address proves nobody: whatever sends from ${blocks.join(', ')} is admitted.`,
      decision: 'The policy asks for an identity, and this caller has none.',
      verify: watchLogs(finding, mesh, destination),
    }),
  ];
}

/** With no pods known, any address may be a pod's. */
function areOutside(addresses: readonly string[], mesh: MeshView): boolean {
  return mesh.pods.length > 0 && addresses.every((address) => mesh.podByIp(address) === null);
}

function ruleFor(ipBlocks: readonly string[], port: number): Edit {
  const rule = { from: [{ source: { ipBlocks } }], to: [{ operation: { ports: [String(port)] } }] };
  return { op: 'append', at: ['spec', 'rules'], value: rule };
}

function exceptionsFor(blocks: readonly string[], policy: AuthorizationPolicy): readonly Edit[] {
  const lists = policy.rules.flatMap(({ from }, rule) =>
    from.flatMap((source, entry) =>
      source === null || source.notPrincipals.length === 0
        ? []
        : [['spec', 'rules', rule, 'from', entry, 'source', 'notIpBlocks']],
    ),
  );
  return lists.flatMap((at) => blocks.map((value) => ({ op: 'append' as const, at, value })));
}
