import { COLUMN, type Column } from './columns.ts';

/**
 * How custom formats call the columns, without case and punctuation (`response.code`, `Response_Code`, `responseCode` are
 * `responsecode`). Collected from published mesh configurations; Envoy Gateway, Gloo and App Mesh included.
 */
const NAMES: readonly (readonly [column: Column, names: string])[] = [
  [COLUMN.time, 'starttime timestamp time ts datetime date systemtime requesttime requeststarttime'],
  [
    COLUMN.method,
    'method requestmethod httpmethod reqmethod verb requestcommand httprequestmethod httprequestrequestmethod',
  ],
  [
    COLUMN.path,
    'path requestpath reqpath uripath uri requesturi url requesturl httppath originalpath xenvoyoriginpath xenvoyoriginalpath httprequestpath httprequestrequesturl',
  ],
  [COLUMN.authority, 'authority requestauthority authorityfor host requesthost hosthdr httphost'],
  [COLUMN.protocol, 'protocol requestprotocol httpprotocol httpversion httprequestprotocol'],
  [
    COLUMN.status,
    'responsecode status statuscode code responsestatus responsestatuscode httpresponsecode httpstatus httpstatuscode respcode httprequeststatus',
  ],
  [COLUMN.flags, 'responseflags flags responseflag respflags envoyresponseflags responseflagslong flagslong'],
  [
    COLUMN.details,
    'responsecodedetails details responsedetails codedetails responsecodedetail statusdetails rcdetails envoyresponsecodedetails',
  ],
  [COLUMN.termination, 'connectionterminationdetails terminationdetails termination term responsetermination'],
  [
    COLUMN.transportFailure,
    'upstreamtransportfailurereason upstreamtransportfailure transportfailurereason transportfailure upstreamfailurereason upstreamfailure failurereason',
  ],
  [COLUMN.bytesReceived, 'bytesreceived receivedbytes rx rxbytes bytesin requestsize requestbytes bytesrecv'],
  [COLUMN.bytesSent, 'bytessent sentbytes tx txbytes bytesout responsesize responsebytes'],
  [COLUMN.durationMs, 'duration durationms ms totalduration latency latencyms clientduration'],
  [COLUMN.upstreamServiceMs, 'upstreamservicetime xenvoyupstreamservicetime targetduration'],
  [COLUMN.forwardedFor, 'xforwardedfor forwardedfor xff'],
  [COLUMN.userAgent, 'useragent ua requestuseragent httpuseragent httprequestuseragent'],
  [COLUMN.requestId, 'requestid xrequestid reqid id streamid'],
  [COLUMN.upstreamHost, 'upstreamhost upstream upstreamaddress upstreamservice upstreamremoteaddress'],
  [COLUMN.cluster, 'upstreamcluster cluster upstreamclusterraw upstreamclustername upstreamname'],
  [COLUMN.upstreamLocal, 'upstreamlocaladdress upstreamlocal'],
  [COLUMN.downstreamLocal, 'downstreamlocaladdress downstreamlocal local localaddress'],
  [
    COLUMN.downstreamRemote,
    'downstreamremoteaddress downstreamremote remote remoteaddress clientaddress clientip peeraddress',
  ],
  [COLUMN.downstreamDirect, 'downstreamdirectremoteaddress downstreamdirect directremoteaddress direct peeraddr'],
  [COLUMN.serverName, 'requestedservername servername sni peersni'],
  [COLUMN.route, 'routename route'],
  [COLUMN.grpcStatus, 'grpcstatus grpcstatusnumber grpc responsegrpc responsegrpcstatus grpcstatuscode'],
  [COLUMN.attempts, 'upstreamrequestattemptcount attempts attemptcount requestattempts retryattempts'],
  [
    COLUMN.sourceIdentity,
    'downstreampeerurisan peeruri peer peerprincipal ioistiopeerprincipal sourceprincipal clientprincipal sourceidentity peeridentity',
  ],
  [COLUMN.destinationIdentity, 'upstreampeerurisan destinationprincipal'],
  [COLUMN.sourceNamespace, 'sourcenamespace downstreampeernamespace peernamespace'],
  [COLUMN.sourceWorkload, 'sourceworkload downstreampeerworkload peerworkload'],
  [COLUMN.destinationNamespace, 'destinationnamespace upstreampeernamespace'],
  [COLUMN.destinationWorkload, 'destinationworkload upstreampeerworkload'],
];

const COLUMNS: ReadonlyMap<string, Column> = new Map(
  NAMES.flatMap(([column, names]) => names.split(' ').map((name): [string, Column] => [name, column])),
);

/** Names that only a proxy's access log has, and that alone prove one. */
const PROOFS: ReadonlySet<string> = new Set(
  'responseflags responseflag responseflagslong responsecodedetails connectionterminationdetails upstreamtransportfailurereason upstreamcluster upstreamclusterraw istiopolicystatus'.split(
    ' ',
  ),
);
/** Names that two of prove one. */
const HINTS: ReadonlySet<string> = new Set(
  'upstreamhost upstreamservicetime xenvoyupstreamservicetime upstreamlocaladdress downstreamlocaladdress downstreamremoteaddress downstreampeerurisan requestedservername routename xenvoyoriginpath'.split(
    ' ',
  ),
);

/** What a key of a custom format means. */
export interface Alias {
  /** Null: nothing that meshmend reads. */
  readonly column: Column | null;
  /** Key without case and punctuation. */
  readonly name: string;
  /** How much the key alone says that this is an access log of Envoy: 2 proves it, 1 is a hint. */
  readonly weight: number;
}

const KNOWN = new Map<string, Alias>();
const MAX_KNOWN = 512;
const MAX_KEY = 100;
const UNKNOWN: Alias = { column: null, name: '', weight: 0 };

/** Looks up a key as it stands in the log. Remembers a bounded number of spellings. */
export function aliasOf(key: string): Alias {
  const known = KNOWN.get(key);
  if (known !== undefined) return known;
  if (key.length > MAX_KEY) return UNKNOWN;
  const name = key.replace(/[^A-Za-z0-9]/g, '').toLowerCase();
  const weight = PROOFS.has(name) ? 2 : HINTS.has(name) ? 1 : 0;
  const alias = { column: COLUMNS.get(name) ?? null, name, weight };
  if (KNOWN.size < MAX_KNOWN) KNOWN.set(key, alias);
  return alias;
}
