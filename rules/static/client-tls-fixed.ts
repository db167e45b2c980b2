import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { nameOf } from '../../src/text/object-ref.ts';
import { textOf, valueAt } from '../../src/text/untyped.ts';

/** A DestinationRule that takes the choice of TLS from the mesh: plain text for a host, or mutual TLS for many. */
export const rule: StaticRule = {
  meta: {
    id: 'client-tls-fixed',
    category: 'mutual-tls',
    level: 'note',
    title: 'A DestinationRule overrides automatic mutual TLS',
    page: {
      meaning:
        'Without a tls block callers speak mutual TLS with every endpoint that has a proxy, and plain text with the others. DISABLE sends plain text even where the destination could do better: the caller then has no identity. ISTIO_MUTUAL for many hosts breaks calls to those without a proxy.',
      printedBy: 'Nobody while it works.',
      confirm: ['kubectl get destinationrules -A -o yaml'],
      change: 'Nothing, if it is meant. Else take the tls block out.',
      never: 'Do not answer a failing host behind a rule for many by DISABLE for all of them.',
    },
    cites: ['istio 86c9f01f pilot/pkg/networking/core/cluster_tls.go'],
  },
  check: (mesh) =>
    mesh.objectsOf('DestinationRule').flatMap((object): readonly StaticMatch[] => {
      const host = textOf(valueAt(object.raw, 'spec', 'host')) ?? '';
      const at = ['spec', 'trafficPolicy', 'tls', 'mode'];
      const mode = valueAt(object.raw, ...at);
      const told =
        mode === 'DISABLE' ? 'callers speak plain text' : 'callers speak mutual TLS with all of them, proxy or not';
      if (mode !== 'DISABLE' && !(mode === 'ISTIO_MUTUAL' && host.startsWith('*'))) return [];
      return [
        {
          object,
          at,
          certainty: 'certain',
          cause: `${nameOf(object.metadata)} has ${String(mode)} for ${host}: ${told}.`,
        },
      ];
    }),
};
