import type { Match, Rule } from '../src/model/finding.ts';
import { showPolicy, step } from '../src/remedy/edits/index.ts';

const MESSAGE = /^skipping unknown policy ([^/\s]+)\/(\S+)/;
const CONVERTED = 'converted_peer_authentication_';

/** A workload lists a policy that ztunnel never got. */
export const rule: Rule = {
  meta: {
    id: 'platform-policy-skipped',
    category: 'platform',
    level: 'warning',
    title: 'A policy was not in force because ztunnel never got it',
    page: {
      meaning:
        'istiod listed a policy on the workload and did not send the policy itself, so ztunnel decides without it: a missing DENY does not deny, and a missing only ALLOW lets everything in. For converted_peer_authentication_NAME this is a known combination of PeerAuthentications with ports: the port, or the whole workload, accepts plain text.',
      printedBy: 'The ztunnel of the workload, with each connection that it judges.',
      confirm: [
        'kubectl -n POLICY_NAMESPACE get peerauthentication,authorizationpolicy -o yaml',
        'istioctl ztunnel-config policies',
        'istioctl ztunnel-config workloads -o json',
      ],
      change:
        'PeerAuthentication: give the workload an explicit mode (STRICT) and list the exceptions as PERMISSIVE ports. AuthorizationPolicy: see that istiod and ztunnel are connected and of matching releases.',
      never: 'Do not take the absence of denials for a proof that the policy allows: it is not asked.',
    },
    cites: ['istio/ztunnel 62d82653 src/state.rs', 'istio 86c9f01f pilot/pkg/serviceregistry/ambient/authorization.go'],
  },
  on: ['ztunnel/diagnostic'],
  match(flow) {
    const { record } = flow;
    const found = record.kind === 'diagnostic' ? MESSAGE.exec(record.message) : null;
    if (record.kind !== 'diagnostic' || found === null) return null;
    const [, namespace = '', name = ''] = found;
    const isConverted = name.startsWith(CONVERTED);
    const policy = {
      kind: isConverted ? 'PeerAuthentication' : 'AuthorizationPolicy',
      namespace,
      name: isConverted ? name.slice(CONVERTED.length) : name,
    };
    const where = record.fields['wl'] ?? 'a workload';
    return {
      certainty: 'certain',
      cause: `ztunnel judges connections of ${where} without the policy ${namespace}/${name}, which istiod lists there and never sent.`,
      policies: [policy],
      subject: [where, namespace, name],
    } satisfies Match;
  },
  propose(finding) {
    return [
      step(
        'investigate',
        'Compare the policy with what ztunnel has; give a PeerAuthentication with ports an explicit mode.',
        {
          confirm: [...finding.policies.map(showPolicy), 'istioctl ztunnel-config policies', 'istioctl proxy-status'],
        },
      ),
    ];
  },
};
