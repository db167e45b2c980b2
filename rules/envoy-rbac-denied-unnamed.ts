import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { enforcerOf, envoyFacts, requestName, unknownGateway, unseenIdentity } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import type { LogRecord } from '../src/model/record.ts';
import { decideObserved, observedProxy } from '../src/policy/envoy/observed.ts';
import { enforcerPod } from '../src/remedy/commands/enforcer.ts';
import { step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';

/** An RBAC denial whose policy the line does not name, or a 403 that looks like one in a format without details. */
export const rule: Rule = {
  meta: {
    id: 'envoy-rbac-denied-unnamed',
    category: 'authorization',
    level: 'error',
    title: 'The proxy denied the request, the policy is not known',
    page: {
      meaning:
        'The proxy answered with the text of an RBAC denial, but the log does not tell which policy: the log format has no response code details, the id was cut, or it was made by an EnvoyFilter and not by an AuthorizationPolicy.',
      printedBy:
        'The proxy that enforces: the sidecar of the destination, a waypoint or a gateway. Formats of Istio up to 1.8 have no column for the details; there the size of the answer (19 bytes, "RBAC: access denied") and the missing upstream host are the only signs.',
      confirm: [
        'istioctl x authz check POD.NAMESPACE',
        'kubectl get authorizationpolicies -A',
        'istioctl proxy-config log POD.NAMESPACE --level rbac:debug',
      ],
      change:
        'Add %RESPONSE_CODE_DETAILS% and %CONNECTION_TERMINATION_DETAILS% to meshConfig.accessLogFormat. Then the line says whether a DENY rule matched or no ALLOW rule did, and the change follows from that.',
      never:
        'Do not change a policy before you know which one it was. Debug lines of the proxy hold request headers, tokens and cookies among them: set the level back afterwards, and do not pass those lines on.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/rbac/rbac_filter.cc',
      'istio 1.8 pilot/pkg/networking/core/v1alpha3/accesslog.go',
    ],
  },
  on: ['envoy/request', 'envoy/connection'],
  match(flow, mesh) {
    const failure = envoyFailure(flow.record);
    if (failure?.kind !== 'rbac-unnamed' || flow.record.kind === 'diagnostic') return null;
    const decision = decideObserved(flow.record, mesh);
    const isDenial = decision?.outcome === 'deny' && decision.stage === 'authorization';
    const by = isDenial ? ` By the policies given it would be denied: ${decision.because}.` : '';
    return {
      certainty: failure.certainty,
      cause: `${requestName(flow.record)} from ${sourceName(flow.record)} was denied by ${whose(flow.record)} as an AuthorizationPolicy does it.${printed(failure.text)}${by}`,
      enforcedBy: observedProxy(flow.record, mesh)?.type ?? enforcerOf(flow.record),
      policies: isDenial ? decision.determining : [],
      nearMiss: isDenial ? decision.nearMiss : [],
      intended: 'unknown',
      unchecked: [
        ...unknownGateway(flow.record, mesh),
        'Which policy denied. Add %RESPONSE_CODE_DETAILS% and %CONNECTION_TERMINATION_DETAILS% to meshConfig.accessLogFormat to see it.',
        ...unseenIdentity(flow.record),
      ],
      subject: [failure.text],
    };
  },
  propose(finding) {
    const pod = enforcerPod(finding);
    return [
      step('investigate', 'Find the policy: list what applies to the destination, and let the log print the details.', {
        confirm: [`istioctl x authz check ${pod}`, 'kubectl get authorizationpolicies -A'],
        risk: 'At level debug the proxy logs request headers, tokens and cookies among them.',
        verify: [`istioctl proxy-config log ${pod} --level rbac:debug`],
        rollback: [`istioctl proxy-config log ${pod} --level rbac:warning`],
      }),
    ];
  },
};

/** Without a column of the upstream the denial may as well be that of the next proxy. */
function whose(record: LogRecord): string {
  return envoyFacts(record)?.upstreamKnown === false ? 'this proxy or the one of the destination' : 'this proxy';
}

function printed(text: string): string {
  if (text === '') return '';
  return text.startsWith('downstream_local_disconnect')
    ? ' It closed the connection without naming the policy.'
    : ` It printed the id ${text}, which names no AuthorizationPolicy.`;
}
