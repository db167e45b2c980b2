import type { InputNotice } from '../model/traffic.ts';
import { redactSecrets } from '../text/redact.ts';

/**
 * What kubectl and the kubelet say between the lines of a log (kubectl pkg/cmd/logs and pkg/cmd/util, kubernetes
 * pkg/kubelet/kuberuntime/logs and pkg/kubelet/container, stern, containerd), and what it means for who reads the log.
 */
const MESSAGES: readonly (readonly [text: RegExp, meaning: string])[] = [
  [/^error: (?:unexpected EOF|stream error: |http2: |read tcp )/i, 'kubectl lost the connection: the log is cut there'],
  [/^(?:error: )?(?:unexpected EOF|context deadline exceeded)$/, 'the connection broke: the log is cut there'],
  [/^failed to get logs?\b|^error: .{0,200}failed to get logs?\b/i, 'a log could not be fetched: it is missing'],
  [/^Error from server \(NotFound\): /i, 'a pod or container is gone: its log is missing'],
  [/^Error from server \(BadRequest\): /i, 'a container was not named or has not started: its log is missing'],
  [/^Error from server(?: \(\w{1,40}\))?: /i, 'the API server refused: a log is missing'],
  [/^Unable to connect to the server: /i, 'the API server was not reached: a log is missing'],
  [
    /^(?:rpc error: code = NotFound desc = |failed to try resolving symlinks in path ")/,
    'a container is gone and its log with it: the log is cut there',
  ],
  [/^unable to retrieve container logs for /, 'a container is gone and its log with it: the log is cut there'],
  [
    /^failed to (?:create fsnotify watcher|watch file|open log file)\b/,
    'the kubelet stopped following: the log is cut there',
  ],
  [
    /^error: you are attempting to follow \d+ log streams/,
    'kubectl reads five pods at once (--max-log-requests): logs are missing',
  ],
  [/^error: (?:a container name must be specified|timed out waiting)/, 'a log could not be fetched: it is missing'],
  [/^Defaulted container "[^"]{1,63}" out of: /, 'the other containers of the pod are not in it'],
  [/^Found \d+ pods, using pod\//, 'the other pods are not in it'],
];

/** Whether one of them may stand anywhere in a text. */
const ANYWHERE = new RegExp(MESSAGES.map(([{ source }]) => source.replaceAll(/[$^]/g, '')).join('|'), 'i');

/** How those lines begin: the cheap refusal. */
const FIRST_LETTERS = new Set([...'EeUuFfrcD'].map((letter) => letter.charCodeAt(0)));
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
