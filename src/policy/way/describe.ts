import type { AuthorizerAnswer, Claims } from '../envoy/request.ts';
import { type ProbeRequest, UNKNOWN_REQUEST } from './probe.ts';

/** A request as somebody describes it, in a few words. */
export interface RequestWords {
  readonly method: string | null;
  readonly path: string | null;
  readonly host: string | null;
  readonly headers: readonly (readonly [string, string])[];
  /** Payload of a token with a good signature; null: none is told of. */
  readonly claims: Claims | null;
  readonly authorizer: AuthorizerAnswer | null;
}

/** A token's own text is not told, only its payload: this stands in its place. */
const TOKEN_HEADER = ['authorization', 'Bearer (a token)'] as const;

/**
 * The request that is meant. Who describes one at all describes all of it: it has no other headers and no other token than
 * those named (a token stands in `Authorization: Bearer`), while method, path and host stay unknown unless they are given.
 * Who says nothing leaves everything open.
 */
export function describeRequest(words: RequestWords): ProbeRequest {
  const { method, path, host, headers, claims, authorizer } = words;
  const http = [method, path, host, claims].some((word) => word !== null) || headers.length > 0;
  if (!http) return { ...UNKNOWN_REQUEST, authorizer };
  const carried = claims !== null && !headers.some(([name]) => name.toLowerCase() === TOKEN_HEADER[0]);
  return {
    ...UNKNOWN_REQUEST,
    ...{ method, path, host, authorizer },
    protocol: 'http',
    headers: carried ? [...headers, TOKEN_HEADER] : headers,
    headersComplete: true,
    token: tokenOf(words),
  };
}

/** A header may hold a whole token: then the engine reads it itself. */
function tokenOf({ claims, headers }: RequestWords): ProbeRequest['token'] {
  if (claims !== null) return { kind: 'claims', claims };
  return headers.length === 0 ? { kind: 'none' } : { kind: 'read' };
}
