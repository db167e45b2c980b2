import { isRecord } from '../../text/kube-object.ts';
import { listOf, recordOf } from '../../text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * An object as an API server keeps it: with what that fills in where a manifest leaves it out, as far as a patch of ours may
 * state it. An object that an API server answered comes back as it is. Untrusted; never throws.
 */
export function asStored(object: Json): Json {
  const fillIn = FILLED_IN.get(`${object['apiVersion']} ${object['kind']}`);
  return fillIn === undefined ? object : fillIn(object);
}

/** Kubernetes 1.35 pkg/apis/core/v1/defaults.go and pkg/apis/networking/v1/defaults.go. Istio's resources have no defaults. */
const FILLED_IN: ReadonlyMap<string, (object: Json) => Json> = new Map([
  ['v1 Namespace', withName],
  ['networking.k8s.io/v1 NetworkPolicy', withProtocols],
]);

/** Every Namespace carries its name as a label. */
function withName(namespace: Json): Json {
  const metadata = recordOf(namespace['metadata']);
  const labels = { ...recordOf(metadata['labels']), 'kubernetes.io/metadata.name': metadata['name'] };
  return { ...namespace, metadata: { ...metadata, labels } };
}

/** A port is of TCP unless it says otherwise. */
function withProtocols(policy: Json): Json {
  const spec = recordOf(policy['spec']);
  const directions = ['ingress', 'egress'].flatMap((direction) => {
    const rules = spec[direction];
    return Array.isArray(rules) ? [[direction, rules.map(withProtocolsIn)] as const] : [];
  });
  return directions.length === 0 ? policy : { ...policy, spec: { ...spec, ...Object.fromEntries(directions) } };
}

function withProtocolsIn(rule: unknown): unknown {
  if (!isRecord(rule) || !Array.isArray(rule['ports'])) return rule;
  const ports = listOf(rule['ports']).map((port) =>
    isRecord(port) && (port['protocol'] ?? null) === null ? { ...port, protocol: 'TCP' } : port,
  );
  return { ...rule, ports };
}
