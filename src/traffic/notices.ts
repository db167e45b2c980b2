import type { InputNotice } from '../model/traffic.ts';
import { redactSecrets } from '../text/redact.ts';

/**
 * What the tools that fetch, follow and keep logs say between their lines (kubectl pkg/cmd/logs and pkg/cmd/util, kubernetes
 * pkg/kubelet/kuberuntime/logs and pkg/kubelet/container, containerd, stern, systemd journalctl, logcli, GNU tail, rsyslog, the
 * command lines of clouds), and what it means for who reads the log.
 */
const MESSAGES: readonly (readonly [text: RegExp, meaning: string])[] = [
  [/^error: (?:unexpected EOF|stream error: |http2: |read tcp )/i, 'kubectl lost the connection: the log is cut there'],
  [/^(?:error: )?(?:unexpected EOF|context deadline exceeded)$/, 'the connection broke: the log is cut there'],
  [/^failed to get logs?\b|^error: .{0,200}failed to get logs?\b/i, 'a log could not be fetched: it is missing'],
  [/^Error from server \(NotFound\): /i, 'a pod or container is gone: its log is missing'],
  [
    /^Error from server \(BadRequest\): previous terminated container /i,
    'the container did not restart, or what it printed before is gone: that log is missing',
  ],
  [/^Error from server \(BadRequest\): /i, 'a container was not named or has not started: its log is missing'],
  [
    /^(?:Error from server(?: \(\w{1,40}\))?: |error: You must be logged in)/i,
    'the API server refused: a log is missing',
  ],
  [
    /^(?:Unable to connect to the server: |The connection to the server \S{1,255} was refused|E\d{4} [\d:.]{8,15} .{0,80}couldn't get current server API group list)/i,
    'the API server was not reached: a log is missing',
  ],
  [
    /^(?:rpc error: code = NotFound desc = |failed to try resolving symlinks in path ")/,
    'a container is gone and its log with it: the log is cut there',
  ],
  [/^unable to retrieve container logs for /, 'a container is gone and its log with it: the log is cut there'],
  [/^rpc error: code = [A-Z]\w{1,30} desc = /, 'the container runtime failed: the log is cut there'],
  [
    /^failed to (?:create fsnotify watcher|watch file|open log file|watch \*v1\.)/i,
    'the kubelet stopped following: the log is cut there',
  ],
  [
    /^error: you are attempting to follow \d+ log streams/,
    'kubectl reads five pods at once (--max-log-requests): logs are missing',
  ],
  [
    /^error: (?:a container name must be specified|timed out waiting|container \S{1,63} is not valid for pod |cannot get the logs from |no matching resources found|context ")/,
    'a log could not be fetched: it is missing',
  ],
  [
    /^No resources found(?: in \S{1,63} namespace)?\.?$/,
    'nothing was found by that name or selector: a log is missing',
  ],
  [/^Default(?:ed|ing) container (?:"[^"]{1,63}" out of: |name to )/, 'the other containers of the pod are not in it'],
  [/^Found \d+ pods, using pod\//, 'the other pods are not in it'],
  [
    /^\+ (?:[a-z0-9.-]{1,253} ){1,2}› [a-z0-9-]{1,63}/,
    'stern began with a container there: what it printed before may be missing',
  ],
  [
    /^- (?:[a-z0-9.-]{1,253} ){1,2}(?:› [a-z0-9-]{1,63})?$/,
    'stern stopped following a container: its log is cut there',
  ],
  [/^-- No entries --$/, 'the journal has no entries of what was asked for: the log is missing'],
  [/^-- (?:Reboot|Boot [0-9a-f]{32}) --$/, 'the node was started anew there'],
  [
    /^(?:Suppressed \d+ messages from |imuxsock\S{0,40} lost \d+ messages)/,
    'lines were dropped by a limit on their rate: the log has gaps',
  ],
  [
    /^(?:message repeated \d+ times: \[|last message repeated \d+ times)/,
    'equal lines were folded into one: counts are too low',
  ],
  [
    /^tail: .{1,255}(?:file truncated|has been replaced|has become inaccessible|has appeared)/,
    'the file was rotated there: lines may be missing',
  ],
  [
    /^(?:\S{8,10} \S{8,15} )?(?:Query failed: |error doing request|max entries limit per query exceeded|maximum of series \(\d+\) reached)/i,
    'the log server refused or cut the answer: lines are missing',
  ],
  [
    /^(?:Error response from daemon: |error from daemon in stream: |Error grabbing logs: )/,
    'Docker could not give the log: it is cut there or missing',
  ],
  [
    /^(?:ERROR: \(gcloud\.logging\.|An error occurred \(\w{1,60}\) when calling the \w{1,60} operation)/,
    'the cloud refused to give the log: it is missing or cut there',
  ],
  [/^Job's log exceeded limit of \d+ bytes|^\.{3} ?\d+ lines (?:truncated|omitted)/, 'the CI system cut the log there'],
];

/** Whether one of them may stand anywhere in a text. */
const ANYWHERE = new RegExp(MESSAGES.map(([{ source }]) => source.replaceAll(/(?<!\[)\^|\$/g, '')).join('|'), 'i');

/** How those lines begin: the cheap refusal. */
const FIRST_LETTERS = new Set([...'EeUuFfrcDdTtNn+-SsiImLlQqAaJj.0123456789'].map((letter) => letter.charCodeAt(0)));
const MAX_SAMPLE = 200;
/** No such line is longer, whatever it is wrapped in. */
const MAX_LENGTH = 8192;

/** What a line of kubectl or the kubelet about the log means; null: it is none. */
export function noticeOf(text: string): string | null {
  if (!FIRST_LETTERS.has(text.charCodeAt(0))) return null;
  return MESSAGES.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}

/** Whether a line, in which something else may stand before or behind it, may hold such a message. */
export function mayHoldNotice(text: string): boolean {
  return text.length <= MAX_LENGTH && ANYWHERE.test(text);
}

/** Counts one in the list, in which every meaning stands once. */
export function addNotice(notices: InputNotice[], meaning: string, line: number, text: string): void {
  const known = notices.find((notice) => notice.meaning === meaning);
  if (known !== undefined) known.count++;
  else notices.push({ meaning, count: 1, line, sample: redactSecrets(text.slice(0, MAX_SAMPLE)) });
}

/** The notices of two lists, by the first line. The arguments are left as they are. */
export function mergeNotices(a: readonly InputNotice[], b: readonly InputNotice[]): InputNotice[] {
  const merged = new Map<string, InputNotice>();
  for (const one of [...a, ...b]) {
    const known = merged.get(one.meaning);
    const first = known === undefined || one.line < known.line ? one : known;
    merged.set(one.meaning, { ...first, count: (known?.count ?? 0) + one.count });
  }
  return [...merged.values()].sort((x, y) => x.line - y.line || (x.meaning < y.meaning ? -1 : 1));
}
