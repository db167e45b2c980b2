import type { MeshView } from '../../model/mesh.ts';
import type { AmbientSettings } from '../ambient/form.ts';

/** What a mesh says of istiod's conversion for ztunnel. */
export function ambientSettings({ rootNamespace, istioVersion }: MeshView): AmbientSettings {
  return { rootNamespace, revision: null, istioVersion };
}

/** What to give so that it can be told who enforces a policy. */
export const GIVE_DATAPLANE =
  'Whether a ztunnel or sidecars enforce it: give the pods and the labels of the namespace (kubectl get pods,namespaces -A -o yaml).';
