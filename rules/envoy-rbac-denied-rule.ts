import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { enforcerOf, requestName, unseenIdentity } from '../src/causes/envoy-record.ts';
import { parseRbacId } from '../src/causes/rbac-id.ts';
import type { Rule } from '../src/model/finding.ts';
import { observedProxy } from '../src/policy/envoy/observed.ts';
import { exceptCaller, showPolicy, step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';

/** A rule of a DENY policy matched; Envoy names policy and rule. */
export const rule: Rule = {
  meta: {
    id: 'envoy-rbac-denied-rule',
    category: 'authorization',
    level: 'error',
    title: 'A DENY policy matched the request',
    page: {
      meaning:
        'The named rule of a DENY AuthorizationPolicy matched the request. DENY is evaluated before ALLOW, so no ALLOW policy can admit it. Where several rules match, Envoy prints the id that sorts first as text, not the most specific one.',
      printedBy:
        'The proxy that enforces: the sidecar of the destination, a waypoint or a gateway, in the response code details (TCP: the connection termination details).',
      confirm: [
        'kubectl -n NAMESPACE get authorizationpolicy NAME -o yaml # confirmed if a rule of it fits the caller and the request',
        'istioctl x authz check POD.NAMESPACE',
      ],
      change:
        'First ask whether the denial is wanted: somebody wrote a rule against exactly this. If it is not, narrow that one rule: exempt the caller (notPrincipals, notNamespaces) or the operation (notPaths, notMethods) and leave the rest as it is.',
      never:
        'Do not answer a DENY with an ALLOW policy: it has no effect, and it locks out everybody else. Do not delete the policy to admit one caller.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/common/rbac/utility.cc',
      'istio 86c9f01f pilot/pkg/security/authz/builder/builder.go',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }, mesh) {
    const failure = envoyFailure(record);
    if (failure?.kind !== 'rbac-rule' || record.kind === 'diagnostic') return null;
    const { policy, rule: index, id } = parseRbacId(failure.text);
    const which = index === null ? '' : `rule ${index} of `;
    const by =
      policy === null
        ? `a DENY policy whose name the log cut short (${id})`
        : `${which}the DENY policy ${policy.namespace}/${policy.name}`;
    return {
      certainty: 'certain',
      cause: `${requestName(record)} from ${sourceName(record)} was denied by ${by}.`,
      enforcedBy: observedProxy(record, mesh)?.type ?? enforcerOf(record),
      policies: policy === null ? [] : [policy],
      intended: 'unknown',
      unchecked: [
        ...(policy === null
          ? ['Which policy denied: the log format limits the length of the details. Raise or remove that limit.']
          : []),
        ...unseenIdentity(record),
      ],
      subject: [id],
    };
  },
  propose(finding, mesh) {
    const commands = finding.policies.map(showPolicy);
    return [
      ...exceptCaller(finding, mesh),
      step('none', 'If the rule says what you want, leave it: the denial is its purpose. Tell the caller.', {
        confirm: commands,
      }),
      step('investigate', 'Read the rule that matched and narrow it only if this caller or operation was not meant.', {
        risk: 'Whatever the rule no longer matches is decided by the ALLOW policies alone.',
        confirm: commands.length > 0 ? commands : ['kubectl get authorizationpolicies -A'],
      }),
    ];
  },
};
