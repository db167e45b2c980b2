import { refusedConnect } from './envoy-keys.ts';
import { DEFAULTS, type LinePair, OPEN_ENDED, REFUSED_OR_UNREACHED, REJECTED, UNREACHED } from './pair.ts';
import {
  answeredConnect,
  podPair,
  relayedService,
  serviceBehindRelay,
  throughGateway,
  tunnel,
} from './ztunnel-keys.ts';

/** What is refused before the pod's policies are asked. */
const MISDIRECTED =
  /^(?:ip mismatch|no valid authority|invalid CONNECT|attempted recursive|requested service|no service or workload)/;
const PEER_REFUSED = /^(?:io error: .*(?:tls handshake eof|reset by peer|unexpected end of file)|h2 failed: )/i;
const ENDED = /^connection closed(?: due to policy change| due to connection drain|: peer certificate)/;

/**
 * Between ztunnels, and between ztunnel and a waypoint or gateway (istio/ztunnel 62d82653, src/proxy/{inbound,outbound}.rs;
 * seen in captures of 1.22 to 1.31).
 */
export const TUNNEL_PAIRS: readonly LinePair[] = [
  {
    ...DEFAULTS,
    about: 'the destination ztunnel refused the connection, mostly by policy, and answered 401',
    causePrintedBy: 'destination-ztunnel',
    cause: tunnel('destination', REJECTED),
    seen: tunnel('source', /^http status: 401/),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the same through an east-west gateway, which passes the tunnel on',
    causePrintedBy: 'relay',
    cause: throughGateway('destination', REFUSED_OR_UNREACHED),
    seen: throughGateway('source', /^http status: (?:401|503)/),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the ztunnel behind a waypoint or gateway refused that or could not reach its application; it answered 503',
    causePrintedBy: 'relay',
    cause: serviceBehindRelay(REFUSED_OR_UNREACHED),
    seen: relayedService(/^http status: 503/),
  },
  {
    ...DEFAULTS,
    about: 'the destination ztunnel could not reach its application and answered 503',
    causePrintedBy: 'destination-ztunnel',
    cause: tunnel('destination', UNREACHED),
    seen: tunnel('source', /^http status: 503/),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the destination ztunnel refused the request before any policy and answered 400 or 503',
    causePrintedBy: 'destination-ztunnel',
    cause: podPair('destination', MISDIRECTED),
    seen: podPair('source', /^http status: (?:400|503)/),
  },
  {
    ...DEFAULTS,
    about: 'a sidecar or waypoint refused the CONNECT and answered with a status of HTTP',
    causePrintedBy: 'relay',
    cause: refusedConnect,
    seen: answeredConnect,
  },
  {
    ...DEFAULTS,
    about: 'the destination ended an open connection; the source sees a broken pipe',
    causePrintedBy: 'destination-ztunnel',
    cause: tunnel('destination', ENDED),
    seen: tunnel('source', OPEN_ENDED),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the source ended an open connection; the destination sees a broken pipe',
    causePrintedBy: 'source-ztunnel',
    cause: tunnel('source', ENDED),
    seen: tunnel('destination', OPEN_ENDED),
    isOneSubject: true,
  },
  {
    ...DEFAULTS,
    about: 'the certificate of the destination is out of date by the clock of the source',
    causePrintedBy: 'source-ztunnel',
    cause: podPair(
      'source',
      /^io error: invalid peer certificate: (?:certificate (?:expired|not valid yet)|Expired|NotValidYet)/,
    ),
    seen: podPair('destination', /^tls handshake error: .*AlertReceived\(CertificateExpired\)/),
    isClockFault: true,
  },
  {
    ...DEFAULTS,
    about: 'the certificate of the source is out of date by the clock of the destination',
    causePrintedBy: 'destination-ztunnel',
    cause: podPair('destination', /^tls handshake error: .*InvalidCertificate\((?:Expired|NotValidYet)/),
    seen: podPair('source', PEER_REFUSED),
    isClockFault: true,
  },
  {
    ...DEFAULTS,
    about: 'the source refused the certificate of the destination, which is told so by an alert',
    causePrintedBy: 'source-ztunnel',
    cause: podPair('source', /^io error: invalid peer certificate/),
    seen: podPair('destination', /^tls handshake error: .*AlertReceived/),
  },
  {
    ...DEFAULTS,
    about: 'the destination refused the certificate of the source',
    causePrintedBy: 'destination-ztunnel',
    cause: podPair('destination', /^tls handshake error: .*InvalidCertificate/),
    seen: podPair('source', PEER_REFUSED),
  },
  {
    ...DEFAULTS,
    about: 'the destination has no certificate of its own and closed the connection',
    causePrintedBy: 'destination-ztunnel',
    cause: podPair('destination', /^signing error: /),
    seen: podPair('source', PEER_REFUSED),
  },
];
