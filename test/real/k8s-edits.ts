import { decodeManifests } from '../../src/mesh/manifests.ts';
import { createMesh } from '../../src/mesh/view.ts';
import { draftOf, patchObject } from '../../src/remedy/edits/change.ts';
import type { Edit } from '../../src/remedy/edits/json-patch.ts';
import type { Case } from './k8s-cases.ts';

/** Changes of objects as people write them: what a manifest leaves out an API server fills in, and what it holds a shell may take for something else. */
const MANIFESTS: readonly { readonly name: string; readonly manifest: string; readonly edits: readonly Edit[] }[] = [
  {
    name: 'a Namespace without labels',
    manifest: '{apiVersion: v1, kind: Namespace, metadata: {name: shop}}',
    edits: [{ op: 'set', at: ['metadata', 'labels', 'istio.io/dataplane-mode'], value: 'ambient' }],
  },
  {
    name: 'a NetworkPolicy without protocols and types',
    manifest: `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web, namespace: shop}, spec: {
      podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 8080}, {port: http}]}]}}`,
    edits: [{ op: 'append', at: ['spec', 'ingress', 0, 'ports'], value: { protocol: 'TCP', port: 15008 } }],
  },
  {
    name: 'a Deployment as short as it may be',
    manifest: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {
      selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web}]}}}}`,
    edits: [
      { op: 'set', at: ['spec', 'template', 'metadata', 'labels', 'istio.io/dataplane-mode'], value: 'ambient' },
      { op: 'set', at: ['spec', 'template', 'metadata', 'labels', 'sidecar.istio.io/inject'], value: 'true' },
    ],
  },
  {
    name: 'an AuthorizationPolicy without an action, in an older version, and paths full of marks',
    manifest: `{apiVersion: security.istio.io/v1beta1, kind: AuthorizationPolicy, metadata: {name: web, namespace: shop}, spec: {
      rules: [{to: [{operation: {paths: ["/it's", '/"$HOME"', "/\`id\`", "/a b", "/~1/*", "/!1", "/\\\\n"]}}]}]}}`,
    edits: [{ op: 'append', at: ['spec', 'rules', 0, 'to', 0, 'operation', 'paths'], value: `/'"$(id)"' \\ ~/*` }],
  },
  {
    name: 'a PeerAuthentication of nothing but a mode',
    manifest: `{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: web, namespace: shop}, spec: {
      selector: {matchLabels: {app: web}}}}`,
    edits: [{ op: 'set', at: ['spec', 'portLevelMtls', '8080'], value: { mode: 'PERMISSIVE' } }],
  },
  {
    name: 'a RequestAuthentication',
    manifest: `{apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: {name: web, namespace: shop}, spec: {
      jwtRules: [{issuer: https://issuer.example, audiences: [shop]}]}}`,
    edits: [{ op: 'append', at: ['spec', 'jwtRules', 0, 'audiences'], value: 'batch' }],
  },
];

/** One case for each. */
export function editCases(): readonly Case[] {
  return MANIFESTS.map(({ name, manifest, edits }) => {
    const { objects } = decodeManifests(manifest, '');
    const planned = objects.map((object) => patchObject(object, edits)).filter((change) => change !== null);
    const draft = draftOf(planned, { kind: 'policy-change', summary: name, risk: null, verify: [] });
    return { name, mesh: createMesh(objects), remedies: [draft] };
  });
}
