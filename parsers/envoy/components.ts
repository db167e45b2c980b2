import type { Origin } from '../../src/model/line.ts';
import type { DiagnosticRecord } from '../../src/model/record.ts';

type Component = DiagnosticRecord['proxy'];

/** Log scopes of Istio's Go programs (istio 86c9f01f, calls of log.RegisterScope), by who prints them. */
const SCOPES: readonly (readonly [proxy: Component, names: string])[] = [
  [
    'istio-agent',
    'ads cache citadelclient dns default healthcheck health iptables klog file grpc installer leader monitor model-agent none ' +
      'proxyconfig sds security spiffe stsclient stsserver status tls token trustBundle util validation wasm workload xdsproxy ' +
      'authn credential-fetcher credfetcher envoy-agent fetcher googleca googlecas gcecred plugin processing resource retry',
  ],
  [
    'istiod',
    'ambient analysis attestation attributes authorization ca collection conversion controllers crdclient delta gateway grpcgen ' +
      'kube leaderelection metrics model multicluster namespacecontroller networking pkica pkica-log pushcontext rootcertrotator ' +
      'secretcontroller serverca serviceentry status-distribution translator untaint virtualservice validationController ' +
      'validationServer webhook webhooks wle xdsgen resourceprinter retained',
  ],
  ['istio-cni', 'cni cni-agent cni-plugin install repair pod-repair nodeagent ambient-cni install-cni'],
];
const PROXIES: ReadonlyMap<string, Component> = new Map(
  SCOPES.flatMap(([proxy, names]) => names.split(' ').map((name): [string, Component] => [name, proxy])),
);

/** True for a log scope that one of Istio's Go programs has. */
export function isGoScope(name: string): boolean {
  return PROXIES.has(name);
}

/** Messages of the scopes `ads`, `default` and others that agent and istiod share, which only istiod prints. */
const ISTIOD_MESSAGE =
  /^(?:Push debounce|XDS: (?:Pushing|Incremental)|(?:LDS|CDS|EDS|RDS|NDS|ECDS|PCDS): PUSH|ADS: "|Full push|Incremental push|initiat\w+ .*push|JWKS|Failed to (?:fetch|refresh) .*(?:JWKS|JWT|jwks|public key)|The JWKS key|Updated cached JWT|skipped rule)/;
/**
 * Messages of the scope `ambient`, which is istiod's, and was istio-cni's up to 1.22 (istio release-1.22 cni/pkg/nodeagent).
 */
const CNI_MESSAGE =
  /^(?:[Ff]ailed to (?:add|update|remove) (?:pod|POD)|failed to find pod netns|[Ff]ailed to handle \w{1,20} event)\b/;
const POD_NAMES: readonly (readonly [RegExp, Component])[] = [
  [/^istiod-/, 'istiod'],
  [/^istio-cni-node-/, 'istio-cni'],
];
const CONTAINERS: ReadonlyMap<string, Component> = new Map<string, Component>([
  ['discovery', 'istiod'],
  ['install-cni', 'istio-cni'],
  ['istio-proxy', 'istio-agent'],
  ['istio-init', 'istio-agent'],
]);

/** Who printed a line: Envoy by its scope; a Go program by its container or pod, else by its scope, else the agent. */
export function proxyOfScope(scope: string, message: string, origin: Origin): Component {
  if (scope.startsWith('envoy ')) return 'envoy';
  const container = origin.container === null ? undefined : CONTAINERS.get(origin.container);
  const pod = POD_NAMES.find(([pattern]) => pattern.test(origin.pod ?? ''))?.[1];
  if (container !== undefined || pod !== undefined) return container ?? pod ?? 'istio-agent';
  if (ISTIOD_MESSAGE.test(message)) return 'istiod';
  if (scope === 'ambient' && CNI_MESSAGE.test(message)) return 'istio-cni';
  return PROXIES.get(scope) ?? 'istio-agent';
}
