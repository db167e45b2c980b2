import { parse } from 'yaml';
import type { KubeObject } from '../model/mesh.ts';
import { isRecord } from '../text/kube-object.ts';
import { listOf, recordOf, textOf, textsOf, valueAt } from '../text/untyped.ts';
import { groupOf } from './kinds.ts';

type Json = Readonly<Record<string, unknown>>;

/** What holds for the whole mesh; null: the objects do not tell. */
export interface MeshSettings {
  readonly rootNamespace: string | null;
  readonly trustDomain: string | null;
  readonly trustDomainAliases: readonly string[];
  /** Release as `1.27`. */
  readonly istioVersion: string | null;
  /** The whole MeshConfig, untrusted. */
  readonly config: Json | null;
}

/**
 * Reads the mesh configuration where an installation keeps it: the `istio` ConfigMap (also of a revision), else an
 * IstioOperator or the Istio of the Sail operator, which are what such a ConfigMap is made from. Never throws.
 */
export function readSettings(objects: readonly KubeObject[]): MeshSettings {
  const config = meshConfigOf(objects);
  return {
    rootNamespace: textOf(config?.['rootNamespace']),
    trustDomain: textOf(config?.['trustDomain']),
    trustDomainAliases: textsOf(config?.['trustDomainAliases']),
    istioVersion: versionOf(objects),
    config,
  };
}

function meshConfigOf(objects: readonly KubeObject[]): Json | null {
  const maps = objects.filter((object) => object.kind === 'ConfigMap' && isMeshConfigMap(object));
  const map = maps.find((object) => object.metadata.name === 'istio') ?? maps[0];
  const config = map === undefined ? null : parseConfig(valueAt(map.raw, 'data', 'mesh'));
  if (config !== null) return config;
  for (const { kind, raw } of objects) {
    const spec = recordOf(raw['spec']);
    const helm = recordOf(spec['values']);
    if (kind === 'IstioOperator' || kind === 'Istio') {
      const { trustDomain } = recordOf(helm['global']);
      return { trustDomain, ...recordOf(helm['meshConfig']), ...recordOf(spec['meshConfig']) };
    }
  }
  return null;
}

/** `istio`, or `istio-<revision>`; other ConfigMaps may start alike but have no mesh configuration. */
function isMeshConfigMap({ metadata, raw }: KubeObject): boolean {
  const named = metadata.name === 'istio' || metadata.name.startsWith('istio-');
  return named && textOf(valueAt(raw, 'data', 'mesh')) !== null;
}

function parseConfig(text: unknown): Json | null {
  try {
    const value: unknown = parse(textOf(text) ?? '', { logLevel: 'silent', maxAliasCount: 0 });
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

const RELEASE = /^v?(1\.\d{1,3})(?:\.|-|$)/;
const VERSION_LABELS = ['operator.istio.io/version', 'app.kubernetes.io/version'];
/** Names of images that carry the release of Istio as their tag. */
const IMAGE = /(?:^|\/)(?:pilot|proxyv2|ztunnel|install-cni)(?::([^@]+))?(?:@|$)/;

function versionOf(objects: readonly KubeObject[]): string | null {
  for (const find of [statedVersion, labelledVersion, imageVersion]) {
    for (const object of objects) {
      const release = RELEASE.exec(find(object) ?? '')?.[1];
      if (release !== undefined) return release;
    }
  }
  return null;
}

function statedVersion({ kind, raw }: KubeObject): string | null {
  if (kind === 'IstioOperator') return textOf(valueAt(raw, 'spec', 'tag'));
  return kind === 'Istio' ? textOf(valueAt(raw, 'spec', 'version')) : null;
}

function labelledVersion({ apiVersion, metadata }: KubeObject): string | null {
  const labels = metadata.labels ?? {};
  const ofIstio = labels['app.kubernetes.io/part-of'] === 'istio' || labels['istio.io/rev'] !== undefined;
  if (!ofIstio || groupOf(apiVersion).includes('gateway')) return null;
  for (const label of VERSION_LABELS) {
    const version = labels[label];
    if (version !== undefined) return version;
  }
  return null;
}

function imageVersion({ kind, raw }: KubeObject): string | null {
  const spec = kind === 'Pod' ? raw['spec'] : valueAt(raw, 'spec', 'template', 'spec');
  for (const container of listOf(valueAt(spec, 'containers'))) {
    const tag = IMAGE.exec(textOf(valueAt(container, 'image')) ?? '')?.[1];
    if (tag !== undefined) return tag;
  }
  return null;
}
