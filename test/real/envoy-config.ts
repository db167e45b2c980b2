const TYPE = 'type.googleapis.com/envoy.extensions';

/** One access log: the file it is printed to, and its format. */
export interface Log {
  readonly path: string;
  readonly format: string | Readonly<Record<string, unknown>>;
}

/** Where the proxy listens and whom it calls. */
export interface Ports {
  readonly http: number;
  readonly tcp: number;
  readonly deadTcp: number;
  readonly app: number;
  readonly nobody: number;
}

/** Operators that Envoy has in extensions only. */
const FORMATTERS = ['req_without_query.v3.ReqWithoutQuery', 'metadata.v3.Metadata', 'cel.v3.Cel'].map((name) => ({
  name,
  typed_config: { '@type': `${TYPE}.formatter.${name}` },
}));

function accessLog({ path, format }: Log): unknown {
  const own =
    typeof format === 'string' ? { text_format_source: { inline_string: `${format}\n` } } : { json_format: format };
  const log_format = { ...own, formatters: FORMATTERS };
  return { name: 'file', typed_config: { '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`, path, log_format } };
}

function cluster(name: string, port: number | null): unknown {
  const address = { socket_address: { address: '127.0.0.1', port_value: port ?? 0 } };
  const endpoints = port === null ? [] : [{ lb_endpoints: [{ endpoint: { address } }] }];
  return { name, type: 'STATIC', connect_timeout: '1s', load_assignment: { cluster_name: name, endpoints } };
}

function listener(name: string, port: number, filters: readonly unknown[]): unknown {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return { name, address, filter_chains: [{ name: `chain ${name}`, filters }] };
}

const POLICIES = {
  'ns[shop]-policy[no-admin]-rule[0]': {
    permissions: [{ url_path: { path: { prefix: '/admin' } } }],
    principals: [{ any: true }],
  },
};

function httpFilter(logs: readonly Log[]): unknown {
  const to = (prefix: string, name: string, more: object = {}): unknown => ({
    name: `route-${name}`,
    match: { prefix },
    route: { cluster: name, ...more },
    metadata: { filter_metadata: { meshmend: { owner: 'team a' } } },
  });
  const routes = [
    to('/down', 'down'),
    to('/empty', 'empty'),
    to('/unknown', 'missing'),
    to('/slow', 'app', { timeout: '0.2s' }),
    { match: { prefix: '/direct' }, direct_response: { status: 418 } },
    to('/app', 'app'),
    to('/admin', 'app'),
  ];
  return {
    name: 'http',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'http',
      access_log: logs.map(accessLog),
      route_config: {
        validate_clusters: false,
        virtual_hosts: [{ name: 'all', domains: ['*'], routes }],
      },
      http_filters: [
        {
          name: 'envoy.filters.http.rbac',
          typed_config: {
            '@type': `${TYPE}.filters.http.rbac.v3.RBAC`,
            rules: { action: 'DENY', policies: POLICIES },
            shadow_rules: { action: 'DENY', policies: POLICIES },
          },
        },
        { name: 'router', typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` } },
      ],
    },
  };
}

function tcpFilter(name: string, logs: readonly Log[]): unknown {
  const typed_config = {
    '@type': `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: 'tcp',
    cluster: name,
    access_log: logs.map(accessLog),
  };
  return { name: 'tcp', typed_config };
}

/** A static configuration of Envoy as JSON: an HTTP and two TCP listeners that print these logs. */
export function envoyConfig(ports: Ports, http: readonly Log[], tcp: readonly Log[]): string {
  return JSON.stringify({
    static_resources: {
      listeners: [
        listener('http', ports.http, [httpFilter(http)]),
        listener('tcp', ports.tcp, [tcpFilter('app', tcp)]),
        listener('dead-tcp', ports.deadTcp, [tcpFilter('down', tcp)]),
      ],
      clusters: [cluster('app', ports.app), cluster('down', ports.nobody), cluster('empty', null)],
    },
  });
}
