import type { KubeObject, MeshView } from '../../src/model/mesh.ts';
import type { PeerAuthentication } from '../../src/model/policy.ts';
import type { Draft } from '../../src/model/remedy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { enforcersOf } from '../../src/policy/survey/enforcers.ts';
import { peerLevelsFor } from '../../src/policy/survey/modes.ts';
import { peerAuthentications, type Written } from '../../src/policy/survey/policies.ts';
import { wantedLabels } from '../../src/policy/survey/selection.ts';
import { draftOf, patchObject } from '../../src/remedy/edits/change.ts';
import { showPolicy } from '../../src/remedy/edits/index.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';

/** DISABLE where a ztunnel enforces: it is PERMISSIVE there, or nothing. */
export const rule: StaticRule = {
  meta: {
    id: 'peer-disable-at-ztunnel',
    category: 'mutual-tls',
    level: 'note',
    title: 'DISABLE means something else at ztunnel',
    page: {
      meaning:
        'ztunnel always accepts mutual TLS: DISABLE is read as PERMISSIVE. One case has no effect at all: a port with DISABLE in an object without a mode of its own, under an inherited STRICT. Plain text to that port is then refused.',
      printedBy:
        'The ztunnel of the destination, where the exception has no effect: explicitly denied by istio_converted_static_strict.',
      confirm: ['istioctl ztunnel-config policies', 'kubectl -n NAMESPACE get peerauthentication NAME -o yaml'],
      change: 'Write PERMISSIVE.',
      never: 'Do not open the whole workload or namespace because the port stays closed.',
    },
    cites: ['istio 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go'],
  },
  check: (mesh) =>
    peerAuthentications(mesh).flatMap((written): readonly StaticMatch[] => {
      const { object, policy } = written;
      const ports = disabledPorts(policy);
      const { ztunnel } = enforcersOf(policy, mesh);
      if (ztunnel === false || (policy.mode !== 'DISABLE' && ports.length === 0)) return [];
      const [port] = ports;
      const at = port === undefined ? ['spec', 'mtls', 'mode'] : ['spec', 'portLevelMtls', String(port), 'mode'];
      const overruling = ztunnel === true ? strictOver(policy, mesh) : null;
      const where = port === undefined ? 'its mode' : `port ${ports.join(', ')}`;
      const told = { object, at, name: nameOf(policy.ref), where };
      return [
        overruling === null ? permissive(told, ztunnel === true) : idle(told, overruling, draftsFor(written, ports)),
      ];
    }),
};

interface Told {
  readonly object: KubeObject;
  readonly at: readonly (string | number)[];
  readonly name: string;
  readonly where: string;
}

function permissive({ object, at, name, where }: Told, isCertain: boolean): StaticMatch {
  const cause = `${name} has DISABLE at ${where}. ${isCertain ? 'ztunnel reads' : 'A ztunnel would read'} that as PERMISSIVE.`;
  return { object, at, certainty: isCertain ? 'certain' : 'possible', cause };
}

function idle({ object, at, name, where }: Told, { ref }: PeerAuthentication, drafts: readonly Draft[]): StaticMatch {
  const cause = `${name} excepts ${where} with DISABLE from the STRICT of ${nameOf(ref)}. ztunnel does not take that for an exception: plain text stays refused.`;
  return { object, at, certainty: 'certain', level: 'warning', enforcedBy: 'ztunnel', others: [ref], cause, drafts };
}

function disabledPorts({ portModes }: PeerAuthentication): readonly number[] {
  return [...portModes].filter(([, mode]) => mode === 'DISABLE').map(([port]) => port);
}

/** The object whose STRICT an exception without a mode of its own does not except from; null: the exception counts. */
function strictOver(policy: PeerAuthentication, mesh: MeshView): PeerAuthentication | null {
  const { ref, mode, portModes } = policy;
  const labels = wantedLabels(policy);
  const isBare = mode === 'UNSET' && Object.keys(labels).length > 0 && ![...portModes.values()].includes('PERMISSIVE');
  if (!isBare) return null;
  const levels = peerLevelsFor({ namespace: ref.namespace, labels }, mesh);
  const inherited = levels.namespace !== null && levels.namespace.mode !== 'UNSET' ? levels.namespace : levels.mesh;
  return inherited?.mode === 'STRICT' ? inherited : null;
}

function draftsFor({ object, policy }: Written<PeerAuthentication>, ports: readonly number[]): readonly Draft[] {
  const edits = ports.map(
    (port) => ({ op: 'set', at: ['spec', 'portLevelMtls', String(port), 'mode'], value: 'PERMISSIVE' }) as const,
  );
  const planned = patchObject(object, edits);
  if (planned === null) return [];
  return [
    draftOf([planned], {
      kind: 'policy-change',
      summary: `Write PERMISSIVE at port ${ports.join(', ')} of ${refText(policy.ref)}.`,
      risk: 'Plain text is accepted at that port of these pods, as was meant.',
      verify: [showPolicy(policy.ref)],
    }),
  ];
}
