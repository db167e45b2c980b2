import { parseRbacVerdict } from '../src/causes/rbac-verdict.ts';
import type { Rule } from '../src/model/finding.ts';
import { showPolicy, step } from '../src/remedy/edits/index.ts';

/** The verdict of an enforcing RBAC filter in the debug log. Where the access line is there too, that one has the finding. */
export const rule: Rule = {
  meta: {
    id: 'envoy-debug-denied',
    category: 'authorization',
    level: 'error',
    title: 'The RBAC filter denied a request (debug log)',
    page: {
      meaning:
        'The debug log of the RBAC filter says that a request or connection was denied, and by which rule: "none" means that ALLOW policies apply and none matched. The dump before it names the identity of the caller (uriSanPeerCertificate) and all headers; both belong together by their thread.',
      printedBy: 'The proxy that enforces, with logger rbac at debug.',
      confirm: ['istioctl x authz check POD.NAMESPACE', 'kubectl -n NAMESPACE get authorizationpolicies -o yaml'],
      change:
        'As for the denial in the access log: admit the caller in an ALLOW policy, or narrow the DENY rule that matched.',
      never:
        'Do not leave the logger at debug: the dump holds tokens and cookies. Do not answer a DENY with an ALLOW policy.',
    },
    cites: [
      'envoy 1.37 source/extensions/filters/http/rbac/rbac_filter.cc',
      'envoy 1.37 source/extensions/filters/network/rbac/rbac_filter.cc',
    ],
  },
  on: ['envoy/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic') return null;
    const verdict = parseRbacVerdict(record.message);
    if (verdict === null || !verdict.enforced || verdict.allowed) return null;
    const { kind, policy, id } = verdict.rule;
    const asked = askedFor(record.fields);
    return {
      certainty: 'certain',
      category: kind === 'custom' ? 'external-authorization' : 'authorization',
      cause:
        kind === 'none'
          ? `The RBAC filter denied ${asked}: ALLOW policies apply and no rule of any of them matched.`
          : `The RBAC filter denied ${asked} by ${id === '' ? 'a policy that this line does not name' : id}.`,
      policies: policy === null ? [] : [policy],
      intended: kind === 'rule' ? 'likely' : 'unknown',
      unchecked:
        record.fields['localAddress'] === undefined
          ? ['Who called: the dump before this line, of the same thread, names it (uriSanPeerCertificate, headers).']
          : [],
      subject: [id],
    };
  },
  propose({ policies }) {
    return [
      step('investigate', 'Compare the dump before this line with the rules of the policies that apply.', {
        confirm:
          policies.length > 0
            ? policies.map(showPolicy)
            : ['kubectl get authorizationpolicies -A', 'istioctl x authz check POD.NAMESPACE'],
        rollback: ['istioctl proxy-config log POD.NAMESPACE --level rbac:warning'],
      }),
    ];
  },
};

/** What was denied, as the dump before the verdict tells it. Untrusted. */
function askedFor(fields: Readonly<Record<string, string>>): string {
  const { ':method': method, ':path': path, ':authority': authority, 'x-request-id': id } = fields;
  const local = fields['localAddress'];
  if (local === undefined) return 'a request';
  const from = fields['directRemoteIP'] ?? fields['sourceIP'] ?? 'an unknown address';
  const caller = fields['uriSanPeerCertificate'] ?? (fields['ssl'] === 'none' ? 'a caller without mutual TLS' : null);
  const what =
    path === undefined ? `a connection to ${local}` : `${method ?? 'a request'} ${authority ?? local}${path}`;
  const named = id === undefined ? '' : `, request ${id}`;
  return `${what} from ${from}${caller === null ? '' : ` (${caller})`}${named}`;
}
