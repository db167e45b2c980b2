import type { Rule } from '../src/model/finding.ts';
import { step } from '../src/remedy/edits/index.ts';

/** The script that logs in to Kubeflow with name and password got no session. */
export const rule: Rule = {
  meta: {
    id: 'kubeflow-login-failed',
    category: 'external-authorization',
    level: 'warning',
    title: 'A script could not log in to Kubeflow',
    page: {
      meaning:
        'The script follows the redirects of the gateway to Dex, sends name and password there, and takes a cookie from the answer. It is made for static passwords and LDAP, and for gateways that redirect. Since Kubeflow 1.9 oauth2-proxy shows a page of its own instead (403), and the cookie has another name (oauth2_proxy_kubeflow, before authservice_session). No redirect after the password was sent means that Dex did not take it.',
      printedBy:
        'The client, as the last line of a Python traceback. The gateway prints UAEX ext_authz_denied, or 302.',
      confirm: [
        'curl -sS -o /dev/null -w "%{http_code} %{redirect_url}\\n" URL',
        'kubectl -n oauth2-proxy logs deploy/oauth2-proxy --since=10m',
        'kubectl -n auth logs deploy/dex --since=10m',
      ],
      change:
        'Let programs send a token of a service account: kubectl -n PROFILE create token default-editor --audience=istio-ingressgateway.istio-system.svc.cluster.local, as Authorization: Bearer. It passes oauth2-proxy, and needs its issuer in a RequestAuthentication of the gateway.',
      never:
        'Do not exempt paths such as /v1* from the policies of the gateway, and do not delete them: every model would answer everybody.',
    },
    cites: [
      'kserve/kserve docs/samples/istio-dex/README.md',
      'kserve/kserve#4011',
      'kubeflow/manifests common/oauth2-proxy/README.md',
    ],
  },
  on: ['client/diagnostic'],
  match({ record }) {
    if (record.kind !== 'diagnostic' || record.scope !== 'login-script') return null;
    const { url = '', status = '' } = record.fields;
    return {
      certainty: 'likely',
      category: status === '' ? 'authentication' : 'external-authorization',
      cause:
        status === ''
          ? `${url} did not take name and password: Dex knows no such user, or its log-in is none of static passwords or LDAP.`
          : `${url} answered ${status} where the script expects a page after redirects to the log-in: oauth2-proxy shows its own sign-in page (403), or the address is wrong.`,
      intended: 'likely',
      intendedBecause: 'Whoever does not log in is meant to be kept out.',
      subject: [url, status],
    };
  },
  propose() {
    return [
      step(
        'none',
        'Let the program send a token of a service account in the header Authorization: Bearer, which needs no cookie and no password. No policy needs a change.',
        {
          risk: 'Do not exempt the path from the policies of the gateway: it would be open to everybody.',
          verify: [
            'TOKEN=$(kubectl -n PROFILE create token default-editor --audience=istio-ingressgateway.istio-system.svc.cluster.local --duration=1h)',
            'curl -sS -o /dev/null -w "%{http_code}\\n" -H "Authorization: Bearer $TOKEN" URL',
          ],
        },
      ),
    ];
  },
};
