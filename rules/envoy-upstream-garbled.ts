import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { calledName } from '../src/causes/envoy-record.ts';
import type { Rule } from '../src/model/finding.ts';
import { applicationLogs, showService } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';

/** UPE before a response. */
export const rule: Rule = {
  meta: {
    id: 'envoy-upstream-garbled',
    category: 'upstream',
    level: 'error',
    title: 'The destination did not speak the expected HTTP',
    page: {
      meaning:
        'What came back is no valid HTTP of the version the proxy expects: the port is named http but speaks another protocol, the application speaks HTTP/2 where HTTP/1.1 is expected or the reverse, or its response headers are larger than the proxy takes (60 KiB).',
      printedBy: 'The proxy next to the application: mostly the sidecar of the destination. The answer is 502.',
      confirm: [
        'kubectl -n NAMESPACE get service SERVICE -o custom-columns=PORTS:.spec.ports[*].port,NAMES:.spec.ports[*].name,PROTOCOLS:.spec.ports[*].appProtocol # confirmed if the name or protocol of the port promises HTTP, and it is none',
        'kubectl -n NAMESPACE exec POD -- curl -sv http://127.0.0.1:PORT/',
      ],
      change:
        'Correct the name or appProtocol of the Service port (http, http2, grpc, tcp), or let the application send smaller headers.',
      never: 'Do not change policies: nothing was denied; both ends talk, but not the same protocol.',
    },
    cites: ['envoy 1.37 source/common/router/router.cc'],
  },
  on: ['envoy/request', 'envoy/connection'],
  match({ record }) {
    if (envoyFailure(record)?.kind !== 'protocol-error') return null;
    return {
      certainty: 'certain',
      cause: `${calledName(record)} answered something that is not the HTTP expected there: another protocol, another HTTP version, or headers that are too large.`,
      intended: 'no',
    };
  },
  propose({ destination }) {
    return [
      step(
        'configuration',
        'Compare the protocol that the Service port declares (name, appProtocol) with what the application speaks.',
        {
          confirm: [showService(destination), applicationLogs(destination)],
        },
      ),
    ];
  },
};
