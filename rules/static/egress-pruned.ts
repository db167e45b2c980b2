import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { nameOf } from '../../src/text/object-ref.ts';
import { listOf, textsOf, valueAt } from '../../src/text/untyped.ts';

/** A Sidecar object that leaves hosts out of what proxies know. */
export const rule: StaticRule = {
  meta: {
    id: 'egress-pruned',
    category: 'routing',
    level: 'note',
    title: 'Sidecars know the listed hosts only',
    page: {
      meaning:
        'A Sidecar object limits what the proxies of its namespace (in the root namespace: of the mesh) know. A call to a Service that is not listed goes out as plain text without identity (PassthroughCluster), or not at all (REGISTRY_ONLY): a STRICT destination resets it, and rules that name the caller do not match.',
      printedBy: 'The sidecar of the caller: a line with PassthroughCluster or BlackHoleCluster.',
      confirm: ['kubectl get sidecars.networking.istio.io -A -o yaml'],
      change:
        'Nothing, if all that is called is listed. Else add the one namespace or host for the workload that calls it.',
      never: 'Do not add */* to the object of the mesh: it undoes the limit for all.',
    },
    cites: ['istio 86c9f01f pilot/pkg/model/sidecar.go'],
  },
  check: (mesh) =>
    mesh.objectsOf('Sidecar').flatMap((object): readonly StaticMatch[] => {
      const egress = listOf(valueAt(object.raw, 'spec', 'egress'));
      const hosts = egress.flatMap((entry) => textsOf(valueAt(entry, 'hosts')));
      if (hosts.length === 0 || hosts.includes('*/*')) return [];
      return [
        {
          object,
          at: ['spec', 'egress'],
          certainty: 'certain',
          cause: `${nameOf(object.metadata)} lets proxies know ${hosts.slice(0, 8).join(', ')}${hosts.length > 8 ? ', …' : ''} only.`,
        },
      ];
    }),
};
