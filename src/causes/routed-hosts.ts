import type { MeshView, ObjectRef } from '../model/mesh.ts';

import { textsOf, valueAt } from '../text/untyped.ts';

/** Hosts of more routes than this are not looked at: they only serve to name what was meant. */
const MAX_ROUTES = 2000;

/** The hosts that VirtualServices and HTTPRoutes are for, each with one of them. Untrusted text, in lower case. */
export function routedHosts(mesh: MeshView): ReadonlyMap<string, ObjectRef> {
  const hosts = new Map<string, ObjectRef>();
  const routes = [...mesh.objectsOf('VirtualService'), ...mesh.objectsOf('HTTPRoute'), ...mesh.objectsOf('GRPCRoute')];
  for (const { kind, metadata, raw } of routes.slice(0, MAX_ROUTES)) {
    const { namespace, name } = metadata;
    for (const host of [...textsOf(valueAt(raw, 'spec', 'hosts')), ...textsOf(valueAt(raw, 'spec', 'hostnames'))]) {
      const known = host.toLowerCase();
      if (!hosts.has(known)) hosts.set(known, { kind, namespace, name });
    }
  }
  return hosts;
}

/** A Host header without its port, in lower case. */
export function withoutPort(host: string): string {
  return host.toLowerCase().replace(/:\d{1,5}$/, '');
}

/** The routes that have a host, literally or by a star for its first parts. */
export function routesFor(host: string, routed: ReadonlyMap<string, ObjectRef>): readonly ObjectRef[] {
  const asked = withoutPort(host);
  return [...routed].flatMap(([known, ref]) => {
    const fits = known.startsWith('*') ? asked.endsWith(known.slice(1)) : known === asked;
    return fits ? [ref] : [];
  });
}
