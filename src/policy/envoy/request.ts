import type { ObjectRef } from '../../model/mesh.ts';
import type { SpiffeId } from '../../model/record.ts';
import { type Known, UNKNOWN } from './known.ts';

/** How the bytes of a connection are protected: mutual TLS of the mesh, TLS without client certificate, or not at all. */
export type Transport = 'mtls' | 'tls' | 'plaintext';

/** The payload of a token. Untrusted. */
export type Claims = Readonly<Record<string, unknown>>;

/**
 * What is known of the request's tokens. `read`: they stand in the headers and the path, where a RequestAuthentication
 * looks. `claims`: a token with this payload and a good signature, wherever it stood. `unknown`: there may be one.
 */
export type Token =
  | { readonly kind: 'read' }
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'claims'; readonly claims: Claims };

/** What an external authorizer says. `unreachable`: it gives no answer, or not in time. */
export type AuthorizerAnswer =
  | { readonly kind: 'allow' }
  | { readonly kind: 'deny'; readonly status: number; readonly body: string }
  | { readonly kind: 'unreachable' };

/**
 * One request, or one connection, as it arrives at a proxy. Everything is untrusted text. `UNKNOWN` where nobody told;
 * null where it is known to be absent.
 */
export interface EnvoyRequest {
  /** What the client speaks. */
  readonly protocol: 'http' | 'tcp';
  readonly transport: Known<Transport>;
  /** From the client certificate; null: it has none. */
  readonly identity: Known<SpiffeId | null>;
  /** Address of the TCP peer, without port. At a waypoint: of the pod behind the tunnel. */
  readonly sourceAddress: Known<string>;
  /** What Envoy takes for the client; null: worked out from X-Forwarded-For as Envoy does. */
  readonly remoteAddress: Known<string> | null;
  /** What the listener sees: the pod's address at a sidecar and gateway, the addressed VIP at a waypoint. */
  readonly destinationAddress: Known<string>;
  /** What the listener sees: the container's port at a sidecar and gateway, the Service's port at a waypoint. */
  readonly destinationPort: number;
  /** At a waypoint: the Service that was addressed, where that is known otherwise than by its address; else null. */
  readonly service: ObjectRef | null;
  /** SNI; null: none was sent. */
  readonly serverName: Known<string | null>;
  readonly method: Known<string>;
  /** The Host header or `:authority`, verbatim. */
  readonly host: Known<string>;
  /** With query, verbatim. */
  readonly path: Known<string>;
  /** Name and value of each line, in order. */
  readonly headers: readonly (readonly [string, string])[];
  /** False: there may be other headers than those listed. */
  readonly headersComplete: boolean;
  readonly http2: boolean;
  /** `:scheme` as the client of HTTP/2 sent it; null: follows from the transport. */
  readonly scheme: string | null;
  readonly token: Token;
  readonly authorizer: Known<AuthorizerAnswer>;
  /** Dynamic metadata that filters of the user's own set: filter name, then key. */
  readonly metadata: Known<Readonly<Record<string, Claims>>>;
  /** Now, in seconds since 1970, for the times in a token. */
  readonly time: Known<number>;
}

/** A request about which nothing is known but that it is HTTP to `port`. Spread it and fill in. */
export function unknownRequest(port: number): EnvoyRequest {
  return {
    protocol: 'http',
    transport: UNKNOWN,
    identity: UNKNOWN,
    sourceAddress: UNKNOWN,
    remoteAddress: UNKNOWN,
    destinationAddress: UNKNOWN,
    destinationPort: port,
    service: null,
    serverName: UNKNOWN,
    method: UNKNOWN,
    host: UNKNOWN,
    path: UNKNOWN,
    headers: [],
    headersComplete: false,
    http2: false,
    scheme: null,
    token: { kind: 'unknown' },
    authorizer: UNKNOWN,
    metadata: UNKNOWN,
    time: UNKNOWN,
  };
}
