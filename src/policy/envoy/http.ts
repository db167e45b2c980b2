import type { IpAddress } from '../match-ip.ts';
import { clientAddress } from './client-address.ts';
import { addressOf, type Facts } from './facts.ts';
import type { Filters } from './filters.ts';
import { type Amendment, HeaderView } from './headers.ts';
import { grpcStatusOf, isGrpc, readRequestLine } from './http-codec.ts';
import { type JwtOutcome, runJwt } from './jwt.ts';
import { JWT_STATUS } from './jwt-token.ts';
import { type Known, type Tri, UNKNOWN } from './known.ts';
import { normalizePath } from './path.ts';
import { deniedText, type Notes, passed, type Refusal, runCustom, runRbac, verdictOf } from './rbac.ts';
import type { Claims, EnvoyRequest } from './request.ts';
import type { EnvoyProxy, EnvoySettings } from './settings.ts';
import { deny, PRINTED_NOTHING, type Printed, type Verdict } from './verdict.ts';

/** Where an HTTP request is looked at. */
export interface HttpChain {
  readonly proxy: EnvoyProxy;
  readonly settings: EnvoySettings;
  readonly filters: Filters;
  /** Envoy ended the TLS itself. */
  readonly secure: boolean;
  /** What of the connection the filters see. */
  /** The TCP peer, or at a waypoint the one behind the tunnel. */
  readonly client: Known<IpAddress | null>;
  readonly connection: Pick<Facts, 'identity' | 'peer' | 'destination' | 'port' | 'serverName'>;
  /** Whether there is a route; false: 404. */
  readonly route: (facts: Facts) => Tri;
}

/** Runs a request through an HTTP filter chain. All verdicts that are possible; the last holds if nothing else is unknown. */
export function runHttp(chain: HttpChain, request: EnvoyRequest): readonly Verdict[] {
  return new HttpRun(chain, request).run();
}

class HttpRun {
  readonly #chain: HttpChain;
  readonly #request: EnvoyRequest;
  readonly #possible: Verdict[] = [];
  readonly #notes: Notes = { metadata: {}, audit: false };
  #headers: HeaderView;
  /** Path with query as it goes on. */
  #target: Known<string> = UNKNOWN;
  #path: Known<string> = UNKNOWN;
  #host: Known<string>;
  #claims: Known<Claims | null> = null;

  constructor(chain: HttpChain, request: EnvoyRequest) {
    this.#chain = chain;
    this.#request = request;
    this.#headers = new HeaderView(request.headers, request.headersComplete, amendment(chain, request));
    this.#host = request.host;
  }

  run(): readonly Verdict[] {
    const final = this.#read() ?? this.#custom() ?? this.#jwt() ?? this.#rbac();
    if (final !== null) this.#possible.push(final);
    return this.#possible;
  }

  /** Request line and path. */
  #read(): Verdict | null {
    const { method, path, http2 } = this.#request;
    const { settings } = this.#chain;
    if (path === UNKNOWN) return null;
    const line = http2
      ? ({ ok: true, path, host: null } as const)
      : readRequestLine(method === UNKNOWN ? null : method, path);
    if (!line.ok) {
      const printed = { ...PRINTED_NOTHING, status: 400, flags: ['DPE'], details: line.details, body: 'Bad Request' };
      return deny('codec', 'the request line is not valid HTTP/1', printed);
    }
    if (line.host !== null) this.#host = line.host;
    const normal = normalizePath(line.path, settings.pathNormalization, settings.envoyVersion);
    if (normal === null) {
      return deny('path', 'the path cannot be normalised', this.#answer(400, 'path_normalization_failed', null));
    }
    this.#path = normal.path;
    this.#target = normal.forwarded;
    return null;
  }

  #custom(): Verdict | null {
    const { custom } = this.#chain.filters;
    if (custom.length === 0) return null;
    const { refusals, final } = runCustom(custom, this.#facts(), this.#request.authorizer, false, this.#notes);
    const verdicts = refusals.map((refusal) => this.#refused(refusal));
    const last = final ? verdicts.pop() : null;
    this.#possible.push(...verdicts);
    return last ?? null;
  }

  #jwt(): Verdict | null {
    const { filters, settings } = this.#chain;
    if (filters.jwt.length === 0) return null;
    const { method, token, time } = this.#request;
    const headers = this.#headers;
    const target = this.#target;
    const origin = headers.joined('origin');
    const preflight =
      method === 'OPTIONS' && isThere(origin) && isThere(headers.joined('access-control-request-method'));
    const outcome = runJwt(filters.jwt, { token, headers, target, time, preflight }, settings.verifySignature);
    if (outcome.kind === 'deny') return this.#refuseToken(outcome);
    if (!outcome.certain) this.#possible.push(this.#refuseToken({ kind: 'deny', status: null }));
    this.#headers = outcome.headers;
    this.#target = outcome.target;
    this.#claims = outcome.claims;
    return null;
  }

  #refuseToken({ status }: Extract<JwtOutcome, { kind: 'deny' }>): Verdict {
    const { tokenPolicies } = this.#chain.filters;
    if (status === null) return deny('authentication', 'a token in the request may be refused', null, tokenPolicies);
    const code = status === JWT_STATUS.audience ? 403 : 401;
    const answer = this.#answer(code, `jwt_authn_access_denied{${status.replaceAll(' ', '_')}}`, status);
    const printed = { ...answer, wwwAuthenticate: this.#challenge() };
    return deny('authentication', `the token is refused: ${status}`, printed, tokenPolicies);
  }

  /** Envoy cuts the path at 256 characters (envoy 1.40 source/extensions/filters/http/jwt_authn/filter.cc). */
  #challenge(): string | null {
    const scheme = this.#request.scheme ?? this.#headers.joined('x-forwarded-proto');
    if (scheme === UNKNOWN || scheme === null || this.#host === UNKNOWN || this.#target === UNKNOWN) return null;
    return `Bearer realm="${scheme}://${this.#host}${this.#target.slice(0, 256)}", error="invalid_token"`;
  }

  #rbac(): Verdict | null {
    const { filters, route } = this.#chain;
    const facts = this.#facts();
    const { refusals, final, allowedBy } = runRbac(filters.rbac, facts, false, this.#notes);
    for (const refusal of refusals) this.#possible.push(this.#refused(refusal));
    if (final) return null;
    const routed = route(facts);
    if (routed !== true) {
      const verdict = deny('route', 'no route fits host and path', this.#answer(404, 'route_not_found', null, ['NR']));
      if (routed === false) return verdict;
      this.#possible.push(verdict);
    }
    return passed(allowedBy, this.#passed());
  }

  #refused(refusal: Refusal): Verdict {
    const { answer } = refusal;
    if (answer === null) return verdictOf(refusal, null);
    if (typeof answer === 'string') {
      return verdictOf(refusal, this.#answer(403, deniedText(answer), 'RBAC: access denied'));
    }
    return verdictOf(refusal, this.#answer(answer.status, answer.details, answer.body, ['UAEX']));
  }

  #passed(): Printed {
    const changed = this.#target !== UNKNOWN && this.#target !== this.#request.path;
    return {
      ...PRINTED_NOTHING,
      status: 200,
      details: 'via_upstream',
      backendPath: changed && this.#target !== UNKNOWN ? this.#target : null,
      rbacMetadata: this.#notes.metadata,
      auditHint: this.#notes.audit,
    };
  }

  #facts(): Facts {
    return new HttpFacts(this.#chain, this.#request, {
      host: this.#host,
      path: this.#path,
      headers: this.#headers,
      claims: this.#claims,
    });
  }

  /** An answer of Envoy's own: to gRPC it is 200 with a gRPC status, to HEAD it has no body. */
  #answer(status: number, details: string, body: string | null, flags: readonly string[] = []): Printed {
    const grpc = this.#request.headers.some((line) => isContentType(line[0]) && isGrpc(line[1]));
    return {
      ...PRINTED_NOTHING,
      status: grpc ? 200 : status,
      flags,
      details,
      grpcStatus: grpc ? grpcStatusOf(status) : null,
      body: grpc || this.#request.method === 'HEAD' ? null : body,
      rbacMetadata: this.#notes.metadata,
      auditHint: this.#notes.audit,
    };
  }
}

const CONTENT_TYPE = 'content-type';

function isContentType(name: string): boolean {
  return name.length === CONTENT_TYPE.length && name.toLowerCase() === CONTENT_TYPE;
}

/** The facts of a request; the client's address is worked out when a rule first asks for it. */
class HttpFacts implements Facts {
  readonly identity: Facts['identity'];
  readonly peer: Facts['peer'];
  readonly destination: Facts['destination'];
  readonly port: number;
  readonly serverName: Facts['serverName'];
  readonly method: Facts['method'];
  readonly host: Facts['host'];
  readonly path: Facts['path'];
  readonly headers: HeaderView;
  readonly claims: Facts['claims'];
  readonly metadata: Facts['metadata'];
  readonly #chain: HttpChain;
  readonly #request: EnvoyRequest;
  #remote: Known<IpAddress | null> | undefined;

  constructor(chain: HttpChain, request: EnvoyRequest, seen: Pick<Facts, 'host' | 'path' | 'headers' | 'claims'>) {
    const { connection } = chain;
    this.identity = connection.identity;
    this.peer = connection.peer;
    this.destination = connection.destination;
    this.port = connection.port;
    this.serverName = connection.serverName;
    this.method = request.method;
    this.host = seen.host;
    this.path = seen.path;
    this.headers = seen.headers;
    this.claims = seen.claims;
    this.metadata = request.metadata;
    this.#chain = chain;
    this.#request = request;
  }

  get remote(): Known<IpAddress | null> {
    this.#remote ??= this.#clientAddress();
    return this.#remote;
  }

  #clientAddress(): Known<IpAddress | null> {
    const { remoteAddress, headers, headersComplete } = this.#request;
    if (remoteAddress !== null) return addressOf(remoteAddress);
    const { proxy, settings, client } = this.#chain;
    return clientAddress(proxy, settings.numTrustedProxies, new HeaderView(headers, headersComplete), client);
  }
}

function isThere(value: Known<string | null>): boolean {
  return value !== UNKNOWN && value !== null && value !== '';
}

type Came = Known<readonly string[] | null>;

/** What Envoy sets before the filters run (envoy 1.40 source/common/http/conn_manager_utility.cc; Istio's settings). */
const AMENDMENTS: ReadonlyMap<string, (came: Came, chain: HttpChain, request: EnvoyRequest) => Came> = new Map([
  [
    'x-forwarded-proto',
    (came, { proxy, secure }) => (proxy.type === 'gateway' || came === null ? [secure ? 'https' : 'http'] : came),
  ],
  ['x-request-id', (came) => came ?? UNKNOWN],
  [
    'x-forwarded-client-cert',
    (_came, { proxy, connection }) => (connection.identity === null || proxy.type === 'waypoint' ? null : UNKNOWN),
  ],
  [
    'x-forwarded-for',
    (came, { proxy }, { sourceAddress }) => {
      if (proxy.type !== 'gateway') return came;
      return came === UNKNOWN || sourceAddress === UNKNOWN ? UNKNOWN : [...(came ?? []), sourceAddress];
    },
  ],
]);

function amendment(chain: HttpChain, request: EnvoyRequest): Amendment {
  return (name, came) => {
    const amend = AMENDMENTS.get(name);
    return amend === undefined ? came : amend(came, chain, request);
  };
}
