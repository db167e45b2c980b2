import type { Category, Certainty, Finding, Level, Rule } from '../src/model/finding.ts';
import type { LogRecord } from '../src/model/record.ts';
import { wordOr } from '../src/remedy/commands/kubectl.ts';
import { step } from '../src/remedy/edits/index.ts';
import { isPrivateAddress } from '../src/text/private-address.ts';

/** agentgateway answered a request itself, or could not pass it on; its reason says which of its parts did so. */
export const rule: Rule = {
  meta: {
    id: 'agentgateway-request-failed',
    category: 'upstream',
    level: 'error',
    title: 'agentgateway refused a request or could not pass it on',
    page: {
      meaning:
        'agentgateway, as a gateway or waypoint of the mesh, answered a request itself. The field reason says why: JwtAuth, BasicAuth, APIKeyAuth and Oidc are credentials, Authorization and ExtAuth are policies of agentgateway, RateLimit is a limit, NotFound a missing route, UpstreamFailure a destination that could not be asked. A connection that was reset as soon as the request was sent into the mesh is what plaintext towards a STRICT workload looks like: the namespace of the proxy is not part of the mesh, or the route leads to a backend that it dials without the mesh.',
      printedBy:
        'agentgateway, at info (newer releases: error). Where ztunnel refused the connection, the ztunnel at the destination names the policy: explicitly denied by istio_converted_static_strict.',
      confirm: [
        'kubectl -n NAMESPACE get gateways,httproutes,agentgatewaypolicies,agentgatewaybackends -o yaml',
        'kubectl get namespace NAMESPACE -L istio.io/dataplane-mode # an egress waypoint needs to be in the mesh to speak mutual TLS',
        'kubectl -n istio-system logs -l app=ztunnel --tail=-1 --prefix --max-log-requests=100 | grep -F ADDRESS',
      ],
      change:
        'By the reason: the token or policy that it names, the route, or the destination. For a reset connection into the mesh: put the namespace of the proxy into the mesh, or route to the Service instead of an address.',
      never:
        'Do not set the destination to PERMISSIVE for the proxy: it would come without identity and the next policy would refuse it.',
    },
    cites: [
      'agentgateway crates/agentgateway/src/proxy/mod.rs',
      'agentgateway crates/agentgateway/src/telemetry/log.rs',
    ],
  },
  on: ['agentgateway/request', 'agentgateway/connection'],
  match({ record }) {
    const failure = failureOf(record);
    if (failure === null || record.kind === 'diagnostic') return null;
    const called = record.service ?? record.destination.address ?? 'a destination that the line does not name';
    return {
      certainty: failure.certainty,
      category: failure.category,
      level: failure.level,
      cause: `A request to ${called}: ${failure.cause}.`,
      intended: 'unknown',
      unchecked:
        failure.category === 'mutual-tls'
          ? ['Who reset the connection: the log of the ztunnel or sidecar at the destination says so.']
          : [],
      subject: [failure.cause, called],
    };
  },
  propose(finding) {
    return [investigate(finding)];
  },
};

interface Failure {
  readonly category: Category;
  readonly level: Level;
  readonly certainty: Certainty;
  /** Ends a sentence about the request. Untrusted text. */
  readonly cause: string;
}

/** What each reason means (`ProxyResponseReason`); the others are told as they are. */
const REASONS: Readonly<Record<string, readonly [Category, Level, string]>> = {
  JwtAuth: ['authentication', 'warning', 'its token was refused or missing'],
  Oidc: ['authentication', 'warning', 'the log-in with OpenID Connect failed'],
  BasicAuth: ['authentication', 'warning', 'its password was refused or missing'],
  APIKeyAuth: ['authentication', 'warning', 'its API key was refused or missing'],
  Authorization: ['authorization', 'error', 'an authorization policy of agentgateway refused it'],
  ExtAuth: ['external-authorization', 'warning', 'the external authorizer refused it or could not be asked'],
  NotFound: ['routing', 'warning', 'no listener or route fits it'],
  NoHealthyBackend: ['upstream', 'error', 'its destination has no endpoint that is ready'],
  Timeout: ['upstream', 'warning', 'its destination did not answer in time'],
  RateLimit: ['traffic-control', 'warning', 'a rate limit refused it'],
  Overload: ['traffic-control', 'error', 'agentgateway had no room for it'],
  Guardrail: ['traffic-control', 'warning', 'a guardrail refused it'],
  DirectResponse: ['traffic-control', 'warning', 'its route answers by itself'],
  InvalidRequest: ['client', 'warning', 'it is malformed'],
  ExtProc: ['platform', 'error', 'the external processor failed'],
  UpstreamFailure: ['upstream', 'error', 'its destination could not be asked'],
};

function failureOf(record: LogRecord): Failure | null {
  if (record.kind === 'connection') return record.error === null ? null : unreached(record, record.error);
  if (record.kind === 'diagnostic' || (record.status ?? 0) < 400) return null;
  const { details, transportFailure } = record.envoy;
  if (details === 'via_upstream') return answered(record.status ?? 0);
  if (details === null) return unexplained(record.status ?? 0);
  if (details === 'UpstreamFailure' && transportFailure !== null) return unreached(record, transportFailure);
  const [category, level, what] = REASONS[details] ?? ['platform', 'error', `agentgateway gave up (${details})`];
  const said = transportFailure === null ? '' : ` (${transportFailure})`;
  return { category, level, certainty: 'certain', cause: `${what}${said}` };
}

/** Only refusals and errors of the application are told, as for other proxies. */
function answered(status: number): Failure | null {
  if (status !== 401 && status !== 403 && status < 500) return null;
  return {
    category: 'application',
    level: 'warning',
    certainty: 'likely',
    cause: `its destination answered ${status}`,
  };
}

/** An answer without endpoint and reason, as early releases print it: only the status is left. */
function unexplained(status: number): Failure {
  const [category, level, what] = REASONS[BY_STATUS[status] ?? ''] ?? [
    'platform',
    'warning',
    'agentgateway answered it',
  ];
  return { category, level, certainty: 'possible', cause: `${what} (status ${status})` };
}

const BY_STATUS: Readonly<Record<number, string>> = {
  400: 'InvalidRequest',
  401: 'JwtAuth',
  403: 'Authorization',
  404: 'NotFound',
  429: 'RateLimit',
  503: 'UpstreamFailure',
  504: 'Timeout',
};

const RESET = /Connection reset by peer|connection closed before message completed/i;

/** A destination in the mesh that resets what was just sent to it takes no plaintext; one outside of it has other reasons. */
function unreached(record: LogRecord, error: string): Failure {
  if (RESET.test(error) && !/: Connect: /.test(error) && mayBeInMesh(record)) {
    return {
      category: 'mutual-tls',
      level: 'error',
      certainty: 'possible',
      cause: `its destination ended the connection as soon as it was sent (${error}), as ztunnel does with plaintext where mutual TLS is demanded (STRICT)`,
    };
  }
  const isSilent = /deadline has elapsed|timed out/i.test(error);
  const category = isSilent ? 'network' : /certificate|UnknownIssuer/i.test(error) ? 'identity' : 'upstream';
  return { category, level: 'error', certainty: 'likely', cause: `its destination could not be asked (${error})` };
}

/** A Service, an address of the cluster, or nothing that would tell. */
function mayBeInMesh(record: LogRecord): boolean {
  const { address = null } = record.kind === 'diagnostic' ? {} : record.destination;
  return address === null || isPrivateAddress(address) || /\.svc(?:\.|$)|^[^.:]+$|\.(?:local|internal)$/.test(address);
}

function investigate({ destination }: Finding): ReturnType<typeof step> {
  const place = `kubectl -n ${wordOr(destination.namespace, 'NAMESPACE')}`;
  return step(
    'investigate',
    'Read the policies and routes of the Gateway, and what the proxies at the destination say.',
    {
      confirm: [
        'kubectl get gateways,httproutes,agentgatewaypolicies -A -o yaml',
        `${place} get pods -o wide`,
        'kubectl -n istio-system logs -l app=ztunnel --tail=200 --prefix',
      ],
    },
  );
}
