import { envoyFailure } from '../src/causes/envoy-failure.ts';
import { envoyFacts } from '../src/causes/envoy-record.ts';
import type { Level, Rule } from '../src/model/finding.ts';
import type { RequestRecord } from '../src/model/record.ts';
import { showService } from '../src/remedy/commands/proxy.ts';
import { step } from '../src/remedy/edits/index.ts';
import { sourceName } from '../src/text/ends.ts';
import { isPrivateAddress } from '../src/text/private-address.ts';

/** DPE and its relatives: the proxy could not or would not read the request. */
export const rule: Rule = {
  meta: {
    id: 'envoy-request-malformed',
    category: 'client',
    level: 'warning',
    title: 'The proxy refused the request as malformed',
    page: {
      meaning:
        'The caller sent something the proxy does not take as HTTP: other bytes than HTTP (TLS to a plaintext port, a port scan), an old version, headers that are too large, no Host, or a path with forbidden characters. Method, path and request id are often missing on the line even if they were sent.',
      printedBy: 'The first proxy that reads the request: a gateway, or the sidecar of the destination.',
      confirm: [
        'kubectl -n NAMESPACE get service SERVICE -o custom-columns=PORTS:.spec.ports[*].port,NAMES:.spec.ports[*].name,PROTOCOLS:.spec.ports[*].appProtocol # confirmed if the name or protocol of the port promises HTTP, and it is none',
        'curl -v http://HOST:PORT/',
      ],
      change:
        'Correct the caller: https or http as the port speaks, HTTP/1.1 or later, smaller headers or cookies. If callers rightly speak another protocol, correct name or appProtocol of the Service port.',
      never: 'Do not loosen the proxy for scanners. No policy needs a change.',
    },
    cites: ['envoy 1.37 source/common/http/http1/codec_impl.cc', 'envoy 1.37 source/common/http/conn_manager_impl.cc'],
  },
  on: ['envoy/request'],
  match({ record }) {
    const failure = envoyFailure(record);
    if (record.kind !== 'request' || failure?.kind !== 'request-malformed') return null;
    const [, level, what] = CAUSES.find(([pattern]) => pattern.test(failure.text)) ?? byStatus(record.status);
    return {
      certainty: failure.certainty,
      level: level === 'note' && isFromCluster(record) ? 'warning' : level,
      cause: `${envoyFacts(record)?.downstreamLocal ?? 'This proxy'} got ${what}, for example from ${sourceName(record)}.`,
      intended: 'likely',
      subject: [failure.text],
      anyCaller: true,
    };
  },
  propose({ destination }) {
    return [
      step(
        'investigate',
        'Find the caller and let it speak what the port speaks; compare with the protocol the Service port declares.',
        {
          confirm: [showService(destination)],
        },
      ),
    ];
  },
};

/** A pod that does not speak what the port speaks is worth a look; anybody outside may knock. */
function isFromCluster({ source }: RequestRecord): boolean {
  return source.address !== null && isPrivateAddress(source.address);
}

/** What was wrong, by details. Bytes that are no HTTP at all come from scanners and wrong ports every day: a note. */
const CAUSES: readonly (readonly [RegExp, Level, string])[] = [
  [/headers_too_large|too_many_headers/, 'warning', 'headers that are larger than the proxy takes'],
  [/^low_version$/, 'warning', 'HTTP/1.0 or an unknown version (HTTP/1.1 is the least)'],
  [/^missing_host_header$|^empty_host_header$/, 'warning', 'a request without Host'],
  [/invalid_authority/, 'warning', 'a Host with forbidden characters'],
  [/path|invalid_url/, 'warning', 'a path that the proxy does not accept'],
  [/content_length/, 'warning', 'contradicting lengths of the body'],
  [/^upgrade_failed$/, 'warning', 'a request to upgrade to a protocol that the proxy does not offer'],
  [/^websocket_handshake_unsuccessful$/, 'warning', 'a request to upgrade to WebSocket, whose handshake failed'],
  [/^request_headers_failed_strict_check|^IH$/, 'warning', 'x-envoy headers that are not valid'],
  [/^http1\.codec_error|^codec_error|detection_failed/, 'note', 'bytes that are no valid HTTP'],
  [/^http[23]?\./, 'warning', 'a request that breaks the rules of HTTP'],
];

/** For formats without details. */
function byStatus(status: number | null): readonly [null, Level, string] {
  if (status === 431) return [null, 'warning', 'headers that are larger than the proxy takes'];
  if (status === 426) return [null, 'warning', 'HTTP/1.0 or an unknown version (HTTP/1.1 is the least)'];
  return [null, 'note', 'a request that the proxy could not read'];
}
