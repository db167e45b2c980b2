import { listOf, recordOf, textOf, textsOf, valueAt } from '../../text/untyped.ts';
import {
  type AuthorizationProvider,
  DEFAULT_SETTINGS,
  type EnvoySettings,
  type PathNormalization,
} from './settings.ts';

type Json = Readonly<Record<string, unknown>>;

const NORMALIZATIONS: readonly PathNormalization[] = [
  'DEFAULT',
  'NONE',
  'BASE',
  'MERGE_SLASHES',
  'DECODE_AND_MERGE_SLASHES',
];

/** What `meshConfig.pathNormalization.normalization` says; unreadable counts as absent. */
export function readNormalization(value: unknown): PathNormalization {
  return NORMALIZATIONS.find((name) => name === value) ?? 'DEFAULT';
}

/**
 * The entries of `meshConfig.extensionProviders` (istio.io/api mesh/v1alpha1/config.proto). Untrusted; what has the wrong
 * type counts as absent.
 */
export function readProviders(value: unknown): readonly AuthorizationProvider[] {
  return listOf(value)
    .map(recordOf)
    .map((entry) => {
      const kind = 'envoyExtAuthzHttp' in entry ? 'http' : 'envoyExtAuthzGrpc' in entry ? 'grpc' : null;
      const config = recordOf(entry['envoyExtAuthzHttp'] ?? entry['envoyExtAuthzGrpc']);
      return {
        name: textOf(entry['name']) ?? '',
        kind,
        service: textOf(config['service']) ?? '',
        port: Number(config['port'] ?? 0),
        failOpen: config['failOpen'] === true,
        statusOnError: Number(config['statusOnError'] ?? 403),
      };
    });
}

/** What a MeshConfig (untrusted) says about Envoys; the rest has Istio's defaults. */
export function readMeshConfig(config: Json): EnvoySettings {
  const trustedProxies = valueAt(config, 'defaultConfig', 'gatewayTopology', 'numTrustedProxies');
  return {
    ...DEFAULT_SETTINGS,
    rootNamespace: textOf(config['rootNamespace']) ?? DEFAULT_SETTINGS.rootNamespace,
    trustDomain: textOf(config['trustDomain']) ?? DEFAULT_SETTINGS.trustDomain,
    trustDomainAliases: textsOf(config['trustDomainAliases']),
    pathNormalization: readNormalization(valueAt(config, 'pathNormalization', 'normalization')),
    numTrustedProxies: typeof trustedProxies === 'number' ? trustedProxies : 0,
    extensionProviders: readProviders(config['extensionProviders']),
  };
}
