/** What a line of Knative's activator or autoscaler tells of a call of its own to a revision. Untrusted text. */
export interface KnativeCallText {
  readonly component: 'activator' | 'autoscaler';
  /** The pod that called; null: the line does not name it. */
  readonly pod: string | null;
  /** Which revision was meant; null: the line does not tell. */
  readonly revision: { readonly namespace: string; readonly name: string } | null;
  /** Name of a Service, or address of one or of a pod, and the port there. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** A policy refused it: whoever is refused by one and has a proxy has shown that proxy's identity. */
  readonly denied: boolean;
}

const CALLED = /https?:\/\/([\w.-]+)(?::(\d{1,5}))?(\/[\w./-]*)|(?:clusterIP|scraping pod) ([\d.]+)(?::(\d{1,5}))?/;
const DENIED = /RBAC: access denied|(?:HTTP status|got) 403\b/;
const KEY = /^([a-z0-9-]+)\/([a-z0-9.-]+)$/;
/** What each of them asks for where the line does not print it (knative/serving pkg/activator/net, pkg/autoscaler/metrics). */
const ASKED = {
  activator: { path: '/healthz', port: 80 },
  autoscaler: { path: '/metrics', port: 9090 },
} as const;

/**
 * Reads a line of the logger `scope` (`activator`, `autoscaler.collector`): the target stands in the error or the message,
 * the revision in the field `knative.dev/key`. Null: another component spoke, or no target is told.
 */
export function parseKnativeCall(
  scope: string,
  message: string,
  fields: Readonly<Record<string, string>>,
): KnativeCallText | null {
  const [component] = scope.split('.', 1);
  if (component !== 'activator' && component !== 'autoscaler') return null;
  const text = `${fields['error'] ?? ''} ${message}`;
  const match = CALLED.exec(text);
  if (match === null) return null;
  const [, host, port, path, address, addressPort] = match;
  const [, namespace, name] = KEY.exec(fields['knative.dev/key'] ?? '') ?? [];
  const pod = fields['knative.dev/pod'] ?? null;
  return {
    component,
    pod: pod?.startsWith(`${component}-`) === true ? pod : null,
    revision: namespace === undefined || name === undefined ? null : { namespace, name },
    host: host ?? address ?? '',
    port: Number(port ?? addressPort ?? (host === undefined ? ASKED[component].port : 80)),
    path: path ?? ASKED[component].path,
    denied: DENIED.test(text),
  };
}
