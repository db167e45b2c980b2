import type { KubeObject } from '../../model/mesh.ts';
import { metadataShape } from './metadata-shape.ts';
import { networkPolicyShape } from './network-shape.ts';
import { SECURITY_SHAPES } from './security-shapes.ts';
import { objectShape, type Shape } from './shape.ts';

const anything: Shape = () => [];

/**
 * What an API server says before any webhook: structure, unknown fields (as `kubectl apply` asks for), value rules, CEL
 * rules. Of kinds other than NetworkPolicy and those of security.istio.io only the metadata is looked at. One line each,
 * starting with the path; values are untrusted.
 */
export function crdErrors(object: KubeObject): readonly string[] {
  const { raw } = object;
  const metadata = metadataShape(raw['metadata'], 'metadata');
  const spec = specShape(object);
  if (spec === null) return metadata;
  if (typeof spec === 'string') return [spec];
  const root = { apiVersion: anything, kind: anything, metadata: anything, spec, status: anything };
  return [...metadata, ...objectShape(root)(raw, '').map((problem) => problem.replace(/^\./, ''))];
}

/** The shape of the spec, what is wrong with the version, or null: nothing known about the kind. */
function specShape({ apiVersion, kind }: KubeObject): Shape | string | null {
  const [group = '', version = ''] = apiVersion.split('/', 2);
  if (group === 'networking.k8s.io' && kind === 'NetworkPolicy') {
    return version === 'v1' ? networkPolicyShape : unserved(apiVersion);
  }
  const shape = Object.hasOwn(SECURITY_SHAPES, kind) ? SECURITY_SHAPES[kind] : undefined;
  if (shape === undefined) return null;
  return ['security.istio.io/v1', 'security.istio.io/v1beta1'].includes(apiVersion) ? shape : unserved(apiVersion);
}

function unserved(apiVersion: string): string {
  return `apiVersion: ${JSON.stringify(apiVersion)} is not served`;
}
