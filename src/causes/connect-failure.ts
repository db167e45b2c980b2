/** What UPSTREAM_TRANSPORT_FAILURE_REASON says about a connection that did not come about. */
export type ConnectFailure =
  /** We spoke TLS and the other end answered something else. */
  | 'tls-to-plaintext'
  /** The other end wants a client certificate and got none. */
  | 'client-certificate-missing'
  /** Versions, ciphers, ALPN or SNI of the two ends do not fit. */
  | 'tls-parameters'
  /** We do not accept the certificate of the other end. */
  | 'peer-certificate'
  /** The other end does not accept our certificate. */
  | 'own-certificate'
  /** The proxy has no certificate to speak with. */
  | 'certificate-absent'
  /** The handshake broke for another reason: an alert of the other end, or bytes that make no sense. */
  | 'tls-broken'
  | 'refused'
  /** No answer. */
  | 'unreachable'
  /** A router, a firewall or the routing table of the host said that there is no way. */
  | 'rejected'
  /** The host of the caller did not let the packet out. */
  | 'forbidden'
  /** Anything else. */
  | 'failed';

/**
 * Fragments in order of precedence. TLS reasons are BoringSSL's names and the same since Envoy 1.14; around them the
 * spelling differs between releases, so only the names are looked for (envoy 1.37 source/common/tls/ssl_socket.cc).
 * Numbers are errno values, as printed up to Envoy 1.30 (envoy source/common/network/connection_impl.cc).
 */
const FRAGMENTS: readonly (readonly [RegExp, ConnectFailure])[] = [
  [/Secret[ _]is[ _]not[ _]supplied[ _]by[ _]SDS/, 'certificate-absent'],
  [/WRONG_VERSION_NUMBER|:UNEXPECTED_MESSAGE|:HTTP_REQUEST|:HTTPS_PROXY_REQUEST/, 'tls-to-plaintext'],
  [
    /CERTIFICATE_REQUIRED|PEER_DID_NOT_RETURN_A_CERTIFICATE|did_not_provide_required_client/,
    'client-certificate-missing',
  ],
  [/ALERT_(?:BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|ACCESS_DENIED)/, 'own-certificate'],
  [/CERTIFICATE_VERIFY_FAILED|verify_cert_failed/, 'peer-certificate'],
  [
    /UNSUPPORTED_PROTOCOL|WRONG_SSL_VERSION|NO_SHARED_CIPHER|PROTOCOL_VERSION|HANDSHAKE_FAILURE|TLSEXT|NO_APPLICATION_PROTOCOL|UNRECOGNIZED_NAME/,
    'tls-parameters',
  ],
  [/TLS_error:.*(?:SSL_routines|SSL routines)/, 'tls-broken'],
  [/(?:delayed|immediate)_connect_error:_(?:Connection_refused|111\b)/, 'refused'],
  [/_connect_error:_(?:Connection_timed_out|Host_is_down|110\b|112\b)/, 'unreachable'],
  [/_connect_error:_(?:No_route_to_host|Network_is_|Host_is_|113\b|101\b)/, 'rejected'],
  [/_connect_error:_(?:Operation_not_permitted|Permission_denied|1\b|13\b)/, 'forbidden'],
];

/** Reads a transport failure; null for null and for a text that says nothing. Untrusted text in, a fixed word out. */
export function readConnectFailure(text: string | null): ConnectFailure | null {
  if (text === null || text === '' || text === '-') return null;
  return FRAGMENTS.find(([pattern]) => pattern.test(text))?.[1] ?? 'failed';
}
