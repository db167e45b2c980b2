import type { Pod, Service } from '../../model/mesh.ts';
import type { SpiffeId } from '../../model/record.ts';
import type { AuthorizerAnswer, Token } from '../envoy/request.ts';

/** Who calls. `name` is for people. */
export type ProbeSource =
  /** One of these pods, which all belong to one workload. Not empty. */
  | { readonly kind: 'pods'; readonly name: string; readonly pods: readonly Pod[] }
  /** Somebody with this certificate; `pods` are those that may have it, as far as the mesh tells. */
  | {
      readonly kind: 'identity';
      readonly identity: SpiffeId;
      readonly ip: string | null;
      readonly pods: readonly Pod[];
    }
  /** Somebody without a certificate of the mesh. `tls`: the client itself speaks TLS. `pod`: who has the address. */
  | { readonly kind: 'plain'; readonly ip: string; readonly tls: boolean; readonly pod: Pod | null };

/** Who is called. */
export type ProbeDestination =
  /** One of these pods, dialled by its own address and port. Not empty. */
  | { readonly kind: 'pods'; readonly name: string; readonly pods: readonly Pod[]; readonly port: number }
  /** A Service, at the Service's port. */
  | { readonly kind: 'service'; readonly service: Service; readonly port: number }
  /** An address of which the mesh knows nothing. */
  | { readonly kind: 'address'; readonly ip: string; readonly port: number };

/** What is sent. Null: not known. Everything is untrusted text. */
export interface ProbeRequest {
  /** Null: whatever the port takes. */
  readonly protocol: 'http' | 'tcp' | null;
  readonly method: string | null;
  /** The Host header. */
  readonly host: string | null;
  /** With query. */
  readonly path: string | null;
  readonly headers: readonly (readonly [string, string])[];
  /** False: there may be other headers than those listed. */
  readonly headersComplete: boolean;
  readonly token: Token;
  /** What an external authorizer would say. */
  readonly authorizer: AuthorizerAnswer | null;
  /** Now, in seconds since 1970, for the times in a token. */
  readonly timeSeconds: number | null;
}

/** A request about which nothing is known. */
export const UNKNOWN_REQUEST: ProbeRequest = {
  protocol: null,
  method: null,
  host: null,
  path: null,
  headers: [],
  headersComplete: false,
  token: { kind: 'unknown' },
  authorizer: null,
  timeSeconds: null,
};

/** One connection or request of which the way is asked. */
export interface Probe {
  readonly source: ProbeSource;
  readonly destination: ProbeDestination;
  readonly request: ProbeRequest;
}

export type { Hop, HopBy, Route, Way } from '../../model/way.ts';
