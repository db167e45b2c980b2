import type { KubeObject, MeshView } from '../../src/model/mesh.ts';
import type { AuthorizationPolicy, PolicyRule } from '../../src/model/policy.ts';
import type { Draft } from '../../src/model/remedy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { authorizationPolicies, type Written } from '../../src/policy/survey/policies.ts';
import { onlyPaths } from '../../src/policy/survey/rule-shape.ts';
import { draftOf, patchObject } from '../../src/remedy/edits/change.ts';
import { showPolicy, step } from '../../src/remedy/edits/index.ts';
import { principalParts } from '../../src/remedy/edits/names.ts';
import { nameOf, refText } from '../../src/text/object-ref.ts';
import { remembered } from '../../src/text/remembered.ts';
import { shellWord } from '../../src/text/shell.ts';
import { valueAt } from '../../src/text/untyped.ts';

const KNATIVE = 'knative-serving';
/** Paths by which Knative probes and scrapes a revision (knative/serving pkg/queue). */
const SYSTEM_PATHS = ['/metrics', '/healthz', '/ready', '/wait-for-drain'];

/** Knative's own namespace may call any path: through the activator everybody can. */
export const rule: StaticRule = {
  meta: {
    id: 'knative-isolation-bypassed',
    category: 'authorization',
    level: 'warning',
    title: 'Any caller comes in through the Knative activator',
    page: {
      meaning:
        "With the activator on the path the workload sees the activator's identity, not the caller's, and nothing in Istio can restore it. An ALLOW for namespace knative-serving without paths therefore opens the workload to everybody who may call the activator, whatever other rules say of namespaces.",
      printedBy: 'Nobody: the proxy of the workload prints an answer 200 to a peer that is the activator.',
      confirm: ['kubectl -n NAMESPACE get sks', 'kubectl -n NAMESPACE get authorizationpolicies -o yaml'],
      change:
        'Take the activator off the path (annotation autoscaling.knative.dev/targetBurstCapacity "0" with a minScale of at least 1, ConfigMap inferenceservice-config disableIstioVirtualHost true for KServe), and leave to knative-serving only the paths of probes and metrics.',
      never:
        'Do not take knative-serving out of the policy (revisions never become ready), do not take the sidecar off the activator, and do not check x-forwarded-client-cert or remoteIpBlocks: the activator replaces them.',
    },
    cites: [
      'knative-extensions/net-istio#554',
      'knative/serving#14988',
      'kserve/website docs/admin-guide/serverless/servicemesh',
    ],
  },
  check: (mesh) =>
    authorizationPolicies(mesh)
      .filter(({ policy }) => policy.action === 'ALLOW' && policy.ref.namespace !== KNATIVE)
      .flatMap((written) => {
        const { object, policy } = written;
        const isolates = policy.rules.some((one) => namesOther(one));
        const onPath = activatorIsOnPath(policy.ref.namespace, mesh);
        return policy.rules.flatMap((one, index): readonly StaticMatch[] => {
          const isOpen = one.to.length === 0 && one.when.length === 0 && one.from.some(isKnative);
          if (!isOpen || !isolates || onPath === false) return [];
          return [
            {
              object,
              at: ['spec', 'rules', index],
              certainty: onPath === true ? 'likely' : 'possible',
              level: onPath === true ? 'warning' : 'note',
              cause: `Rule ${index} of ${nameOf(policy.ref)} admits ${KNATIVE} to every path. The activator there forwards requests of any namespace under its own identity, so they pass.`,
              unchecked: onPath === true ? [] : [GIVE_SERVICES],
              drafts: draftsFor(written, index),
            },
          ];
        });
      }),
};

const GIVE_SERVICES =
  'Whether the activator is on the path: kubectl -n NAMESPACE get sks shows mode Proxy; give the InferenceServices or Knative Services with the policies.';
const BURST = 'autoscaling.knative.dev/targetBurstCapacity';
/** Objects that say for a revision when the activator forwards to it. */
const SERVED = [
  { kind: 'InferenceService', at: ['metadata', 'annotations', BURST] },
  { kind: 'Service', at: ['spec', 'template', 'metadata', 'annotations', BURST] },
  { kind: 'Revision', at: ['metadata', 'annotations', BURST] },
  { kind: 'PodAutoscaler', at: ['metadata', 'annotations', BURST] },
];

/** Whether the activator forwards requests to some revision of a namespace: always without burst capacity 0. Null: not known. */
function activatorIsOnPath(namespace: string, mesh: MeshView): boolean | null {
  const served = servedObjects(mesh).filter(({ metadata }) => metadata.namespace === namespace);
  if (served.length === 0) return null;
  return served.some((object) =>
    SERVED.some(({ kind, at }) => kind === object.kind && String(valueAt(object.raw, ...at) ?? '') !== '0'),
  );
}

/** A Knative Service shares its kind with one of Kubernetes, and KServe's has the annotation at its own metadata. */
const servedObjects = remembered((mesh: MeshView): readonly KubeObject[] =>
  mesh.objects.filter(
    ({ kind, apiVersion }) => SERVED.some((one) => one.kind === kind) && /\.(?:kserve|knative)\./.test(apiVersion),
  ),
);

type Source = PolicyRule['from'][number];

function isKnative(source: Source): boolean {
  if (source === null || source.notPrincipals.length + source.notNamespaces.length > 0) return false;
  return (
    source.namespaces.includes(KNATIVE) ||
    source.principals.some((principal) => principalParts(principal)?.namespace === KNATIVE)
  );
}

/** Whether a rule admits certain callers that are not Knative's: only then is there something to isolate. */
function namesOther({ from }: PolicyRule): boolean {
  return from.some(
    (source) => source !== null && !isKnative(source) && source.namespaces.length + source.principals.length > 0,
  );
}

function draftsFor({ object, policy }: Written<AuthorizationPolicy>, index: number): readonly Draft[] {
  const one = policy.rules[index];
  const hasNarrow = policy.rules.some(
    (other, at) => at !== index && onlyPaths(other) !== null && other.from.some(isKnative),
  );
  const isAlone = one?.from.every(isKnative) === true;
  const planned = !isAlone
    ? null
    : patchObject(object, [
        hasNarrow
          ? { op: 'unset', at: ['spec', 'rules', index] }
          : { op: 'set', at: ['spec', 'rules', index, 'to'], value: [{ operation: { paths: SYSTEM_PATHS } }] },
      ]);
  const what = hasNarrow
    ? `Take rule ${index} out of ${refText(policy.ref)}: another one leaves ${KNATIVE} the paths of probes and metrics.`
    : `Limit rule ${index} of ${refText(policy.ref)} to the paths of probes and metrics.`;
  const summary = `${what} First take the activator off the path: annotation autoscaling.knative.dev/targetBurstCapacity "0", and a minScale of at least 1.`;
  const risk =
    'Requests that still go through the activator (from zero, or with burst capacity) are refused, those of its own namespace too.';
  const look = `kubectl -n ${shellWord(policy.ref.namespace)} get sks`;
  return [
    planned === null
      ? step('policy-change', summary, { risk, confirm: [showPolicy(policy.ref)] })
      : draftOf([planned], { kind: 'policy-change', summary, risk, verify: [look] }),
  ];
}
