import type { At, Envelope, Instant, Origin } from './line.ts';

declare const spiffe: unique symbol;

/**
 * A SPIFFE id with its scheme: `spiffe://cluster.local/ns/shop/sa/web`. A policy's *principal* is the same without the
 * scheme and a plain string; mixing the two compiles nowhere (ztunnel src/rbac.rs compares without scheme).
 */
export type SpiffeId = string & { readonly [spiffe]: true };

/** Which end of a connection wrote the record. Null: the line does not say. */
export type Reporter = 'source' | 'destination' | 'waypoint' | 'gateway' | null;

/** The program that printed a line. */
export type Proxy =
  | 'ztunnel'
  | 'envoy'
  | 'agentgateway'
  | 'istio-agent'
  | 'istiod'
  | 'istio-cni'
  | 'knative'
  | 'kserve'
  | 'kubernetes'
  | 'client';

/** One end of a connection, as the record tells it. All untrusted text; null: not told. */
export interface Peer {
  /** IP address without port and brackets, or a name where the proxy prints one. */
  readonly address: string | null;
  readonly port: number | null;
  /** Pod name as printed (with its hash), from ztunnel. */
  readonly workload: string | null;
  readonly namespace: string | null;
  /** Proven or expected identity; for ztunnel's source it is proven by the client certificate. */
  readonly identity: SpiffeId | null;
  readonly cluster: string | null;
}

/** A peer about which nothing is known. */
export const UNKNOWN_PEER: Peer = {
  address: null,
  port: null,
  workload: null,
  namespace: null,
  identity: null,
  cluster: null,
};

interface RecordBase {
  readonly at: At;
  /** Id of the parser that made the record. */
  readonly parser: string;
  readonly proxy: Proxy;
  readonly reporter: Reporter;
  readonly origin: Origin;
  readonly time: Instant | null;
  /** The payload as it was read (joined with `\n` where a record has several lines). Untrusted. */
  readonly raw: string;
}

/**
 * What only Envoy tells, in Envoy's words (reference: Envoy docs, access log operators). Strings are as printed, absent
 * (`-`, empty, null) is null. `known` is false for a column that the log format does not have at all: then a null means
 * "not printed", not "absent".
 */
export interface EnvoyFacts {
  /** RESPONSE_FLAGS as a list, order as printed; `-` is the empty list; null: the format has no such column. */
  readonly flags: readonly string[] | null;
  /** RESPONSE_CODE_DETAILS. */
  readonly details: string | null;
  /** False when the format has no RESPONSE_CODE_DETAILS column (Istio up to 1.8, many custom formats). */
  readonly detailsKnown: boolean;
  /** False when the format has no column that shows whether an upstream was asked: its host, its time, our address towards it. */
  readonly upstreamKnown: boolean;
  /** CONNECTION_TERMINATION_DETAILS. */
  readonly termination: string | null;
  /** UPSTREAM_TRANSPORT_FAILURE_REASON. */
  readonly transportFailure: string | null;
  /** UPSTREAM_HOST, `ip:port` or `envoy://…`. */
  readonly upstreamHost: string | null;
  /** UPSTREAM_CLUSTER without a trailing `;`. */
  readonly cluster: string | null;
  readonly upstreamLocal: string | null;
  readonly downstreamLocal: string | null;
  readonly downstreamRemote: string | null;
  /** DOWNSTREAM_DIRECT_REMOTE_ADDRESS, the TCP peer whatever X-Forwarded-For says. */
  readonly downstreamDirect: string | null;
  /** REQUESTED_SERVER_NAME (SNI). */
  readonly serverName: string | null;
  readonly route: string | null;
  /** GRPC_STATUS as number, where the format has it. */
  readonly grpcStatus: number | null;
  /** UPSTREAM_REQUEST_ATTEMPT_COUNT. */
  readonly attempts: number | null;
  readonly forwardedFor: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
  /** X-ENVOY-UPSTREAM-SERVICE-TIME in ms: present when the upstream answered. */
  readonly upstreamServiceMs: number | null;
}

/** What is known of an Envoy where none printed the line: nothing. */
export const UNKNOWN_ENVOY: EnvoyFacts = {
  flags: null,
  details: null,
  detailsKnown: false,
  upstreamKnown: false,
  termination: null,
  transportFailure: null,
  upstreamHost: null,
  cluster: null,
  upstreamLocal: null,
  downstreamLocal: null,
  downstreamRemote: null,
  downstreamDirect: null,
  serverName: null,
  route: null,
  grpcStatus: null,
  attempts: null,
  forwardedFor: null,
  userAgent: null,
  requestId: null,
  upstreamServiceMs: null,
};

/** A connection (layer 4): ztunnel, or Envoy's TCP proxy and listeners. */
export interface ConnectionRecord extends RecordBase {
  readonly kind: 'connection';
  /** `failed` is ztunnel's early deny (few fields), `opened` its debug line; Envoy's TCP lines are `complete`. */
  readonly phase: 'complete' | 'failed' | 'opened';
  readonly source: Peer;
  /** The next hop that was dialled (source side) or the own pod (destination side). */
  readonly destination: Peer;
  /** Host name of the Service the client addressed. */
  readonly service: string | null;
  /** Inner HBONE authority (`dst.hbone_addr`): `ip:port`, VIP:port via a waypoint, or `host:port`. Null: no HBONE. */
  readonly hboneAddress: string | null;
  readonly bytesSent: number | null;
  readonly bytesReceived: number | null;
  readonly durationMs: number | null;
  /** ztunnel's error text, unescaped. Null: the connection ended well (or the record is Envoy's). */
  readonly error: string | null;
  readonly envoy: EnvoyFacts | null;
}

/** An HTTP request, from Envoy or agentgateway. */
export interface RequestRecord extends RecordBase {
  readonly kind: 'request';
  readonly source: Peer;
  readonly destination: Peer;
  readonly service: string | null;
  readonly method: string | null;
  /** Path with query, as printed. */
  readonly path: string | null;
  readonly authority: string | null;
  readonly protocol: string | null;
  /** RESPONSE_CODE; 0: no response was sent; null: the format has no such column. */
  readonly status: number | null;
  readonly bytesSent: number | null;
  readonly bytesReceived: number | null;
  readonly durationMs: number | null;
  readonly envoy: EnvoyFacts;
}

/** Any other line of a mesh component: state, xDS, CNI, CA, RBAC debug, start-up and shutdown. */
export interface DiagnosticRecord extends RecordBase {
  readonly kind: 'diagnostic';
  readonly severity: 'error' | 'warning' | 'info' | 'debug';
  /** Component or logger that spoke: ztunnel's scope without spans (`proxy::inbound`), Envoy's logger (`envoy rbac`). */
  readonly scope: string;
  readonly message: string;
  /** Structured fields and spans (`wl`, `policy`, `error`), flat. Untrusted. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Everything that a line can say. */
export type LogRecord = ConnectionRecord | RequestRecord | DiagnosticRecord;

/** The line is of this parser's format, but broken. */
export interface Malformed {
  readonly kind: 'malformed';
  /** What is wrong, a short phrase in our own words. */
  readonly reason: string;
}

/** The record goes on in the following lines: give the parser the payloads joined with `\n`. */
export interface Unfinished {
  readonly kind: 'unfinished';
}

/** What a parser answers: a record, mine but broken, mine but not all of it yet, or null: not mine. */
export type Parsed = LogRecord | Malformed | Unfinished | null;

/** A line of bytes cut into its shape and its volatile columns. Reused from line to line: nothing is allocated. */
export interface Skimmed {
  /** Start and end of each piece that is left without the volatile columns: `pieces` pairs, in any order that is the same for equal lines. */
  readonly spans: Int32Array;
  pieces: number;
  /** Where the time stands: RFC 3339 in UTC, always with the same number of digits. Who reads it checks it. */
  timeStart: number;
  timeEnd: number;
  bytesSent: number;
  bytesReceived: number;
  durationMs: number;
}

/** One log format. A value in `parsers/`; the core never imports it. */
export interface Parser {
  /** kebab-case, `<proxy>-<format>`, equal to folder and file: `ztunnel-text`. */
  readonly id: string;
  /** For people: `ztunnel, plain text (1.22 and later)`. */
  readonly title: string;
  /**
   * Reads one payload (several lines joined with `\n` after an `unfinished`). Pure, never throws, linear time.
   * Must answer null quickly for payloads of other formats: it is tried on every unrecognised line.
   */
  parse(envelope: Envelope): Parsed;
  /** True for a format that is what is left of lines of others: it is asked where no other takes the line in any wrapping. */
  readonly takesParts?: true;
  /**
   * True when `payload`, which no parser accepts on its own, is a further line of `record`, a diagnostic (dumps such as
   * ztunnel's `running with config:`). Absent: this format has one-line records only.
   */
  readonly continues?: (record: LogRecord, payload: string) => boolean;
  /**
   * Cuts the one-line record that stands in `bytes` from `start` to `end` into its shape and its volatile columns, without
   * parsing it; false: not such a line. It must hold that two lines with equal pieces parse to records of one flow with
   * one source address, which differ in the volatile columns only: then all but the first of them need no parsing.
   * Absent: lines of this format are always parsed.
   */
  readonly skim?: (bytes: Uint8Array, start: number, end: number, into: Skimmed) => boolean;
}
