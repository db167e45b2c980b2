import type { KubeObject } from '../../model/mesh.ts';

/** meshConfig.pathNormalization.normalization. */
export type PathNormalization = 'DEFAULT' | 'NONE' | 'BASE' | 'MERGE_SLASHES' | 'DECODE_AND_MERGE_SLASHES';

/** One of meshConfig.extensionProviders that CUSTOM policies may name. */
export interface AuthorizationProvider {
  readonly name: string;
  /** Null: a provider of another kind, which no CUSTOM policy can use. */
  readonly kind: 'http' | 'grpc' | null;
  /** `host` or `namespace/host` as written. */
  readonly service: string;
  readonly port: number;
  readonly failOpen: boolean;
  /** `statusOnError`; 403 where absent. */
  readonly statusOnError: number;
}

/** A key set that istiod fetched for a `jwksUri`; null: the fetch failed, and a set that fits no token takes its place. */
export type FetchedKeys = ReadonlyMap<string, string | null>;

/** A public key of a JSON Web Key Set, its fields as written. */
export type JsonWebKey = Readonly<Record<string, unknown>>;

/**
 * Checks one signature: `signed` is the text `header.payload`, `signature` base64url, `algorithm` the token's. Must be
 * pure. Null: it cannot tell.
 */
export type VerifySignature = (key: JsonWebKey, algorithm: string, signed: string, signature: string) => boolean | null;

/** What MeshConfig and the release say. */
export interface EnvoySettings {
  readonly rootNamespace: string;
  readonly trustDomain: string;
  readonly trustDomainAliases: readonly string[];
  readonly pathNormalization: PathNormalization;
  /** meshConfig.defaultConfig.gatewayTopology.numTrustedProxies. */
  readonly numTrustedProxies: number;
  readonly extensionProviders: readonly AuthorizationProvider[];
  /** `1.37.0`; null: the newest. */
  readonly envoyVersion: string | null;
  readonly fetchedKeys: FetchedKeys;
  /** Null: signatures cannot be checked, so a token that fits otherwise may verify or not. */
  readonly verifySignature: VerifySignature | null;
}

/** Istio's defaults. */
export const DEFAULT_SETTINGS: EnvoySettings = {
  rootNamespace: 'istio-system',
  trustDomain: 'cluster.local',
  trustDomainAliases: [],
  pathNormalization: 'DEFAULT',
  numTrustedProxies: 0,
  extensionProviders: [],
  envoyVersion: null,
  fetchedKeys: new Map(),
  verifySignature: null,
};

/** The proxy that enforces. */
export interface EnvoyProxy {
  readonly type: 'sidecar' | 'gateway' | 'waypoint';
  readonly namespace: string;
  /** Pod name. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** All that decides about one proxy. Objects of other kinds than the engine reads are ignored. */
export interface EnvoyInput {
  readonly proxy: EnvoyProxy;
  readonly settings: EnvoySettings;
  readonly objects: readonly KubeObject[];
}

/** True if `version` (null: the newest) is `wanted` or later; both as `1.39.3`. A part that is no number counts as 0. */
export function isAtLeast(version: string | null, wanted: readonly [number, number, number]): boolean {
  if (version === null) return true;
  const parts = version.replace(/^v/, '').split('.');
  for (const [index, part] of wanted.entries()) {
    const have = Number.parseInt(parts[index] ?? '0', 10) || 0;
    if (have !== part) return have > part;
  }
  return true;
}
