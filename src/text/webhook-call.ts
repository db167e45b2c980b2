import { parseHostPort } from './address.ts';

/** A call of the kube-apiserver to an admission or conversion webhook that failed. Untrusted text. */
export interface WebhookCall {
  /** Name in the webhook configuration: `webhook.serving.knative.dev`. */
  readonly webhook: string;
  /** `name.namespace.svc` for a Service of the cluster, else any host. */
  readonly host: string;
  /** Port of the Service. */
  readonly port: number;
  /** What went wrong: `x509: certificate is not valid for any names, …`. */
  readonly error: string;
}

const MARK = /(?:failed calling(?: admission)?|conversion) webhook (?:for [^"\\]{1,200}|\\?"[^"\\]{1,253}\\?")/i;
/** The same without escapes. Kubernetes before 1.23 prints no `failed to call webhook: ` and no quotes around the URL, before 1.13 `admission webhook`. */
const CALL =
  /^(?:failed calling(?: admission)? webhook "([^"]{1,253})"|conversion webhook for ([^"\n]{1,200}?) failed): (?:failed to call webhook: )?Post "?https:\/\/([^\s/"]{1,260})[^\s"]{0,1000}"?: (\S[\s\S]*)$/i;

/**
 * Reads the text of such a failure wherever it stands in a line: alone, behind the words of kubectl, in a log of the
 * kube-apiserver, or escaped in a field of a JSON log (k8s.io/apiserver pkg/util/webhook/error.go). Null: the line has none.
 */
export function readWebhookCall(line: string): WebhookCall | null {
  const mark = MARK.exec(line);
  if (mark === null) return null;
  const rest = line.slice(mark.index);
  const [, admission, conversion, target = '', error = ''] =
    CALL.exec(isEscaped(mark[0]) ? unescaped(rest) : rest) ?? [];
  const webhook = admission ?? conversion;
  const asked = parseHostPort(target);
  if (webhook === undefined || asked === null) return null;
  return { webhook, host: asked.host, port: asked.port ?? 443, error: error.trim() };
}

function isEscaped(mark: string): boolean {
  return mark.includes('\\"');
}

/** The rest of a quoted text, up to the quote that ends it. */
function unescaped(text: string): string {
  const end = /(?<!\\)(?:\\\\)*"/.exec(text)?.index ?? text.length;
  return text.slice(0, end).replace(/\\(.)/g, '$1');
}
