import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeManifests } from '../../src/mesh/manifests.ts';
import { createMesh, unknownMesh } from '../../src/mesh/view.ts';
import type { KubeObject, MeshView } from '../../src/model/mesh.ts';
import type { Remedy } from '../../src/model/remedy.ts';
import { listOf, recordOf } from '../../src/text/untyped.ts';
import { reportOn, reportOnFiles } from '../analysis.ts';
import { loadScenario, meshFromCapture, meshFromScenario, scenarioLines } from '../scenario.ts';
import { hasShared, shared } from '../shared.ts';

/** A mesh, and the remedies for the failures in its logs. */
export interface Case {
  readonly name: string;
  readonly mesh: MeshView;
  readonly remedies: readonly Printed[];
}

/** What is tried of a remedy. */
export type Printed = Pick<Remedy, 'changes' | 'commands'>;

/**
 * All cases that have something to apply, each remedy once: fixtures, and scenarios and captures where they lie beside the
 * project.
 */
export function allCases(): readonly Case[] {
  const cases = [...ruleCases(), demoCase(), ...(hasShared ? [...scenarioCases(), ...captureCases()] : [])];
  const seen = new Set<string>();
  const isNew = ({ changes, commands }: Printed): boolean => {
    const size = seen.size;
    return commands.apply.length > 0 && seen.add(JSON.stringify([changes, commands.apply])).size > size;
  };
  return cases
    .map((each) => ({ ...each, remedies: each.remedies.filter(isNew) }))
    .filter(({ remedies }) => remedies.length > 0);
}

function remediesOf({ findings }: ReturnType<typeof reportOn>): readonly Remedy[] {
  return findings.flatMap(({ remedies }) => remedies);
}

function ruleCases(): readonly Case[] {
  const root = 'fixtures/rules';
  const folders = readdirSync(root).flatMap((rule) => readdirSync(join(root, rule)).map((name) => join(rule, name)));
  return folders.map((name) => {
    const mesh = meshOfFile(join(root, name, 'mesh.yaml'));
    return { name, mesh, remedies: remediesOf(reportOnFiles([join(root, name, 'input.log')], mesh)) };
  });
}

function demoCase(): Case {
  const mesh = meshOfFile('fixtures/demo/mesh.yaml');
  const logs = ['a', 'b'].map((node) => `fixtures/demo/ztunnel-worker-${node}.log`);
  return { name: 'demo', mesh, remedies: remediesOf(reportOnFiles(logs, mesh)) };
}

function meshOfFile(path: string): MeshView {
  if (!existsSync(path)) return unknownMesh;
  return whole(createMesh(decodeManifests(readFileSync(path, 'utf8'), path).objects));
}

/** The mesh with pods that an API server takes; those of cases hold what matters there only. */
function whole(mesh: MeshView): MeshView {
  const { rootNamespace, trustDomain } = mesh;
  return createMesh(mesh.objects.map(wholeObject), { rootNamespace, trustDomain });
}

function wholeObject(object: KubeObject): KubeObject {
  if (object.kind !== 'Pod') return object;
  const spec = recordOf(object.raw['spec']);
  const containers = listOf(spec['containers'] ?? [{}]).map((container, index) => ({
    name: `app-${index}`,
    image: 'app',
    ...recordOf(container),
  }));
  return { ...object, raw: { ...object.raw, spec: { ...spec, containers } } };
}

function scenarioCases(): readonly Case[] {
  return readdirSync(shared('scenarios')).map((file) => {
    const path = shared(`scenarios/${file}`);
    const mesh = whole(meshFromScenario(path));
    const log = `${scenarioLines(loadScenario(path)).join('\n')}\n`;
    return { name: `scenarios/${file}`, mesh, remedies: remediesOf(reportOn({ log }, mesh)) };
  });
}

const CAPTURED: Readonly<Record<string, readonly string[]>> = {
  ztunnel: ['source.log', 'destination.log'],
  envoy: ['text.log', 'client.text.log', 'server.text.log'],
};

function captureCases(): readonly Case[] {
  const world = readFileSync(shared('captures/envoy/_world.yaml'), 'utf8');
  return Object.entries(CAPTURED).flatMap(([proxy, logs]) => {
    const root = shared(`captures/${proxy}`);
    const folders = readdirSync(root).filter((name) => existsSync(join(root, name, 'meta.yaml')));
    return folders.map((name) => {
      const mesh = whole(
        meshFromCapture(readFileSync(join(root, name, 'meta.yaml'), 'utf8'), proxy === 'envoy' ? world : ''),
      );
      const files = logs.map((file) => join(root, name, file)).filter((path) => existsSync(path));
      return { name: `captures/${proxy}/${name}`, mesh, remedies: remediesOf(reportOnFiles(files, mesh)) };
    });
  });
}
