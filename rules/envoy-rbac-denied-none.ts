import { envoyFailure } from '../src/causes/envoy-failure.ts';
import {
  cameInPlaintext,
  enforcerOf,
  requestName,
  unknownGateway,
  unseenIdentity,
} from '../src/causes/envoy-record.ts';
import type { Finding, NearMiss, Rule } from '../src/model/finding.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { LogRecord } from '../src/model/record.ts';
import type { Draft } from '../src/model/remedy.ts';
import { actionOf } from '../src/policy/action.ts';
import { decideObserved, type EnvoyRecord, observedProxy } from '../src/policy/envoy/observed.ts';
import type { EnvoyDecision } from '../src/policy/envoy/verdict.ts';
import { enforcerNamespace, enforcerPod } from '../src/remedy/commands/enforcer.ts';
import { allowCaller, showPolicy, step } from '../src/remedy/edits/index.ts';
import { ownSideOf } from '../src/remedy/edits/own-side.ts';
import { sourceName } from '../src/text/ends.ts';
import { listOf, valueAt } from '../src/text/untyped.ts';

/** ALLOW policies apply to the workload and no rule of any of them matched the request. */
export const rule: Rule = {
  meta: {
    id: 'envoy-rbac-denied-none',
    category: 'authorization',
    level: 'error',
    title: 'No ALLOW policy admitted the request',
    page: {
      meaning:
        'At least one ALLOW AuthorizationPolicy applies to this proxy, and no rule of any of them matched the request: caller, port, method, path, host or token claim differ from what the rules want. As soon as one ALLOW policy applies, everything that none admits is denied. gRPC clients see status 7 and the log prints HTTP 200; TCP connections are closed.',
      printedBy:
        "The proxy that enforces: the sidecar of the destination, a waypoint or a gateway, in the response code details (TCP: the connection termination details). The caller's own sidecar prints 403 via_upstream with the same request id.",
      confirm: [
        'istioctl x authz check POD.NAMESPACE # ALLOW rows, none of which has a rule for this caller',
        'kubectl -n NAMESPACE get authorizationpolicies -o yaml',
        'istioctl proxy-config log POD.NAMESPACE --level rbac:debug',
      ],
      change:
        'Admit the caller in one of the ALLOW policies, with exactly its identity and the operation it needs, or add an ALLOW policy of its own: ALLOW policies are OR-ed. A caller that came in plaintext has no identity and must join the mesh first. A missing token also ends here, when the rule wants request principals: then the caller must send its token.',
      never:
        'Do not delete the policy and do not admit everybody (rules: [{}]). Do not name a principal for a caller that came in plaintext: it never matches. Do not replace identities by addresses or headers, which callers can choose. Debug lines of the proxy hold request headers, tokens and cookies among them: set the level back afterwards, and do not pass those lines on.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/rbac/rbac_filter.cc',
      'istio 86c9f01f pilot/pkg/security/authz/builder/builder.go',
      'istio/istio#26559',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }, mesh) {
    if (envoyFailure(record)?.kind !== 'rbac-none' || record.kind === 'diagnostic') return null;
    const plaintext = cameInPlaintext(record);
    const decision = decideObserved(record, mesh);
    const isMiss = decision !== null && decision.outcome !== 'allow';
    const own = ownSideOf(record, mesh);
    const policies = isMiss ? decision.determining.filter((ref) => actionOf(ref, mesh) === 'ALLOW') : [];
    const nearMiss = isMiss ? decision.nearMiss.filter(({ policy }) => actionOf(policy, mesh) === 'ALLOW') : [];
    return {
      certainty: 'certain',
      cause: `${causeOf(record, plaintext)}${tokenRemark(nearMiss, mesh)}${own === null ? '' : ` ${own.because}`}`,
      enforcedBy: observedProxy(record, mesh)?.type ?? enforcerOf(record),
      policies: [...policies, ...(own?.policies ?? [])],
      nearMiss,
      intended: 'unknown',
      unchecked: [
        ...(plaintext ? [] : unseenIdentity(record)),
        ...unknownGateway(record, mesh),
        ...uncheckedPolicies(record, decision, policies.length, mesh),
      ],
    };
  },
  propose(finding, mesh) {
    if (wantsToken(finding.nearMiss, mesh)) return [sendToken(finding), findPolicies(finding)];
    // Where its own side takes the caller's identity away, no rule can give it back.
    const [flow] = finding.flows;
    const own = flow === undefined ? null : ownSideOf(flow.record, mesh);
    return [...(own === null ? allowCaller(finding, mesh) : [own.repair]), findPolicies(finding)];
  },
};

function causeOf(record: LogRecord, plaintext: boolean): string {
  const what = `${requestName(record)} from ${sourceName(record)} was denied: ALLOW policies apply here and no rule of any of them matched.`;
  return plaintext
    ? `${what} The connection came without mutual TLS, so the caller has no identity and rules on principals or namespaces cannot match.`
    : what;
}

/** True where all that the closest rules missed is a token. */
function wantsToken(nearMiss: readonly NearMiss[], mesh: MeshView): boolean {
  return nearMiss.length > 0 && nearMiss.every((miss) => isAboutToken(miss, mesh));
}

/** `requestPrincipals`, or a condition on a claim. */
function isAboutToken({ policy, rule: index, field }: NearMiss, mesh: MeshView): boolean {
  if (/\.(?:notR|r)equestPrincipals$/.test(field)) return true;
  const condition = /^when\[(\d+)\]/.exec(field)?.[1];
  if (condition === undefined) return false;
  const written = listOf(valueAt(mesh.object(policy)?.raw, 'spec', 'rules'))[index];
  const key = valueAt(listOf(valueAt(written, 'when'))[Number(condition)], 'key');
  return typeof key === 'string' && key.startsWith('request.auth.');
}

function tokenRemark(nearMiss: readonly NearMiss[], mesh: MeshView): string {
  if (!wantsToken(nearMiss, mesh)) return '';
  const names = [...new Set(nearMiss.map(({ policy }) => `${policy.namespace}/${policy.name}`))].join(', ');
  const wanted = [...new Set(nearMiss.map((miss) => miss.wanted))].join('; ');
  return ` ${names} requires a valid token (${wanted}), and the request brought none that fits.`;
}

/** What the mesh that was given leaves open about the policies. */
function uncheckedPolicies(
  record: EnvoyRecord,
  decision: EnvoyDecision | null,
  found: number,
  mesh: MeshView,
): readonly string[] {
  if (!mesh.known)
    return ['Which ALLOW policies apply: Envoy does not name them. Give the policies of the mesh with --mesh.'];
  if (decision === null) return ['Which ALLOW policies apply: the pod of this proxy is not among the objects given.'];
  if (observedProxy(record, mesh) === null)
    return ['Whether policies with a selector apply as well: the pod of this proxy is not among the objects given.'];
  return decision.outcome === 'allow' || found === 0
    ? [
        'Which ALLOW policies applied: by the objects given this proxy would decide otherwise, so they are newer or older than the log.',
      ]
    : [];
}

function sendToken(finding: Finding): Draft {
  return step(
    'investigate',
    'Let the caller send a valid token: an ALLOW policy would admit it with one, and refuses it without.',
    {
      risk: 'A rule that admits the caller by its identity alone excuses it from the token.',
      confirm: finding.policies.map(showPolicy),
    },
  );
}

function findPolicies(finding: Finding): Draft {
  const namespace = enforcerNamespace(finding);
  return step(
    'investigate',
    'List the ALLOW policies that apply to the destination, compare them with the request, and decide which should name the caller.',
    {
      confirm: [
        `istioctl x authz check ${enforcerPod(finding)}`,
        `kubectl -n ${namespace} get authorizationpolicies -o yaml`,
        'kubectl get authorizationpolicies -A',
      ],
    },
  );
}
