import { basename } from 'node:path/posix';

/** What a file in a folder or archive is good for. */
export type PartKind = 'log' | 'manifest' | 'other';

/** `istio-proxy.log`, `0.log.20260102-030405`, `ztunnel.log.1`, `access.jsonl`, `current.txt.gz`. */
const LOG_NAME = /\.(?:log|txt|out|err|jsonl|ndjson)(?:[.-]\d[\w.:-]*|\.old|\.bak)?(?:\.(?:gz|zst))?$/i;
const YAML_NAME = /\.ya?ml(?:\.(?:gz|zst))?$/i;
const JSON_NAME = /\.json(?:\.(?:gz|zst))?$/i;

/** How documents of Kubernetes begin, as kubectl and `oc adm inspect` write them: `istioctl bug-report` gives its dumps no ending. */
const YAML_OBJECT = /^(?:- )?(?:apiVersion|kind|items):/m;
const JSON_OBJECT = /^\s*[[{][\s\S]*"(?:kind|apiVersion)"\s*:/;
/** What ztunnel knows of workloads, as it prints it itself and through istioctl; logs have no such key. */
const ZTUNNEL_DUMP = /"workloadIps"\s*:\s*\[/;
/** JSON over several lines, HTML, XML: one document, not line after line. */
const DOCUMENT = /^\s*(?:[[{]\s*$|<)/m;
/** A date and time near the start of a line, in the forms of proxies, collectors and klog; or a line that is a JSON object. */
const LOG_LINE = /^(?:.{0,160}?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|[IWEF]\d{4} \d\d:\d\d:\d\d|\{".*\}\s*$)/m;

/**
 * What a file is good for, by its name and first bytes, both untrusted. Names decide where they can; `proxies/shop/web/config_dump` or
 * a log without ending are told by what they hold.
 */
export function partKind(name: string, head: Buffer): PartKind {
  if (LOG_NAME.test(name)) return 'log';
  if (YAML_NAME.test(name)) return 'manifest';
  const text = head.toString('latin1');
  const isJson = JSON_NAME.test(name);
  if ((isJson || !basename(name).includes('.')) && isObject(text)) return 'manifest';
  if (isJson) return 'log';
  return !DOCUMENT.test(firstLineOf(text)) && LOG_LINE.test(text) ? 'log' : 'other';
}

function isObject(text: string): boolean {
  return /^\s*[[{]/.test(text) ? JSON_OBJECT.test(text) || ZTUNNEL_DUMP.test(text) : YAML_OBJECT.test(text);
}

function firstLineOf(text: string): string {
  return text.trimStart().split('\n', 1)[0] ?? '';
}
