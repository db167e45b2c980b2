import { type DestinationTls, fieldName } from '../../causes/destination-tls.ts';
import type { Draft } from '../../model/remedy.ts';
import { shellWord } from '../../text/shell.ts';
import { draftOf, patchObject, refOf } from './change.ts';
import { showPolicy } from './kubectl.ts';
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
