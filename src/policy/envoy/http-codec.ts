/** Methods that Envoy's HTTP/1 parser knows; it is case-sensitive (envoy 1.40 source/common/http/http1/balsa_parser.cc). */
const METHODS = new Set(
  (
    'ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE MSEARCH M-SEARCH ' +
    'NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK ' +
    'UNLOCK UNSUBSCRIBE'
  ).split(' '),
);

/** A request line as Envoy takes it, or why it answers 400. */
type RequestLine =
  | { readonly ok: true; readonly path: string; readonly host: string | null }
  | { readonly ok: false; readonly details: 'http1.codec_error' | 'http1.invalid_url' };

/** Reads method and target of HTTP/1. An absolute target brings its own host, which wins over the header. */
export function readRequestLine(method: string | null, target: string): RequestLine {
  if (method !== null && !METHODS.has(method)) return { ok: false, details: 'http1.codec_error' };
  if (!/^[\u0021-\u007e]*$/.test(target)) return { ok: false, details: 'http1.codec_error' };
  if (target.startsWith('/') || (target === '*' && method === 'OPTIONS')) return { ok: true, path: target, host: null };
  const absolute = /^https?:\/\/([^/?#]+)(.*)$/i.exec(target);
  if (absolute === null) return { ok: false, details: 'http1.invalid_url' };
  const [, host = '', rest = ''] = absolute;
  return { ok: true, host, path: rest.startsWith('/') ? rest : `/${rest}` };
}

/** Whether an answer that Envoy makes is turned into a gRPC one (envoy 1.40 source/common/grpc/common.cc). */
export function isGrpc(contentType: string): boolean {
  return contentType === 'application/grpc' || contentType.startsWith('application/grpc+');
}

const GRPC_STATUS: ReadonlyMap<number, number> = new Map([
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
]);

/** grpc-status of an HTTP status (envoy 1.40 source/common/grpc/status.cc). */
export function grpcStatusOf(status: number): number {
  return GRPC_STATUS.get(status) ?? 2;
}
