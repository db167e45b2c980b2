import { type DestinationTls, fieldName } from '../../causes/destination-tls.ts';
import type { KubeObject, MeshView, Service } from '../../model/mesh.ts';
import type { Draft } from '../../model/remedy.ts';
import { nameOf } from '../../text/object-ref.ts';
import { shellWord } from '../../text/shell.ts';
import { recordOf, textOf, valueAt } from '../../text/untyped.ts';
import { createObject, draftOf, patchObject, refOf } from './change.ts';
import { showPolicy } from './kubectl.ts';
import { freeName, objectName } from './names.ts';
import { step } from './step.ts';

/**
 * The draft that ends what a DestinationRule prescribes about TLS: mutual TLS of the mesh where the destination has a
 * proxy (`meshed`), else plaintext. The block is replaced and not removed: a traffic policy must not be left empty
 * (istio 86c9f01f pkg/config/validation).
 */
export function changeDestinationTls(setting: DestinationTls, meshed: boolean): Draft {
  const { rule, at } = setting;
  const { namespace, name } = rule.metadata;
  const mode = meshed ? 'ISTIO_MUTUAL' : 'DISABLE';
  const summary = `Set ${fieldName(at)} of DestinationRule ${namespace}/${name} to mode ${mode}, or take that block out, so that the mesh decides by itself.`;
  const risk = meshed
    ? 'It is for every caller of that host: destinations without a proxy of the mesh no longer understand them.'
    : 'Traffic to that host is then plaintext.';
  const planned = patchObject(rule, [{ op: 'set', at, value: { mode } }]);
  if (planned === null) return step('configuration', summary, { risk, confirm: [showPolicy(refOf(rule))] });
  const verify = [`kubectl -n ${shellWord(namespace)} get destinationrule ${shellWord(name)} -o yaml`];
  return draftOf([planned], { kind: 'configuration', summary, risk, verify });
}

/**
 * The draft that makes callers speak mutual TLS with a Service where the mesh leaves that to DestinationRules: a tls block
 * in the one that is in force (`rule`), else a rule in the Service's namespace, for all hosts there if all its pods have a
 * proxy that understands them, which those of other namespaces need not have.
 */
export function demandMutualTls(service: Service, rule: KubeObject | null, mesh: MeshView): Draft {
  const tls = { mode: 'ISTIO_MUTUAL' };
  const { namespace, hostname } = service;
  const pods = mesh.pods.filter((pod) => pod.namespace === namespace);
  const isMeshed = pods.length > 0 && pods.every(({ dataplane }) => dataplane === 'sidecar');
  const host = isMeshed ? `*.${hostname.split('.').slice(1).join('.')}` : hostname;
  const name = isMeshed ? objectName(namespace, 'mutual-tls') : objectName(service.name, 'mutual-tls');
  const planned =
    rule === null
      ? createObject({
          apiVersion: 'networking.istio.io/v1',
          kind: 'DestinationRule',
          namespace,
          name: freeName(mesh, 'DestinationRule', namespace, name),
          spec: { host, trafficPolicy: { tls } },
        })
      : patchObject(rule, [{ op: 'set', at: ['spec', 'trafficPolicy', 'tls'], value: tls }]);
  const summary =
    rule === null
      ? `Create a DestinationRule in ${namespace} with tls.mode ISTIO_MUTUAL for ${host}, as the mesh has enableAutoMtls false.`
      : `Set spec.trafficPolicy.tls of DestinationRule ${nameOf(refOf(rule))} to mode ISTIO_MUTUAL, as the mesh has enableAutoMtls false.`;
  const risk =
    'It is for every caller of these hosts: destinations without a proxy of the mesh do not understand them.';
  const verify = [`kubectl -n ${shellWord(namespace)} get destinationrules -o yaml`];
  return planned === null
    ? step('configuration', summary, { risk, confirm: verify })
    : draftOf([planned], { kind: 'configuration', summary, risk, verify });
}

/** True for a rule that is for more than one host: what it says is meant for others too. */
export function isForManyHosts({ rule }: DestinationTls): boolean {
  return textOf(valueAt(rule.raw, 'spec', 'host'))?.startsWith('*') === true;
}

/**
 * The draft that excepts one host, whose pods have no proxy, from a rule for many: a rule of its own, which has the traffic
 * policy of the other but for TLS. A rule in the root namespace yields to one in the namespace of the Service, any other to a
 * more specific one beside it (istio 86c9f01f pilot/pkg/model/push_context.go destinationRule).
 */
export function exceptHost({ rule }: DestinationTls, host: string, mesh: MeshView): Draft {
  const service = mesh.serviceByHost(host);
  const own = rule.metadata.namespace;
  const namespace = own === mesh.rootNamespace ? (service?.namespace ?? own) : own;
  const { tls: _tls, portLevelSettings: _ports, ...kept } = recordOf(valueAt(rule.raw, 'spec', 'trafficPolicy'));
  const name = objectName(service?.name ?? host, 'plaintext');
  const planned = createObject({
    apiVersion: rule.apiVersion,
    kind: 'DestinationRule',
    namespace,
    name: freeName(mesh, 'DestinationRule', namespace, name),
    spec: { host, trafficPolicy: { ...kept, tls: { mode: 'DISABLE' } } },
  });
  return draftOf([planned], {
    kind: 'configuration',
    summary: `Except ${host} from DestinationRule ${own}/${rule.metadata.name} by a rule of its own with tls.mode DISABLE, if its pods can never be in the mesh.`,
    risk: `Traffic to ${host} is then plaintext; all other hosts keep what the rule for many says.`,
    verify: [`kubectl -n ${shellWord(namespace)} get destinationrules -o yaml`],
  });
}
