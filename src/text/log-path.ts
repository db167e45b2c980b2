import { type Origin, UNKNOWN_ORIGIN } from '../model/line.ts';
import { readContainerLogName } from './container-log-name.ts';

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,62})';
const NAME = '[a-z0-9][a-z0-9.-]{0,252}';
/** Letters and digits of generated names (k8s.io/apimachinery pkg/util/rand): no vowels, and no digit that looks like one. */
const RANDOM = '[bcdfghjklmnpqrstvwxz2456789]';

/**
 * Folders in which tools keep logs: `istioctl bug-report` (istio 86c9f01f tools/bug-report/pkg/archive/archive.go) and
 * `oc adm inspect`, on which must-gather is built (oc pkg/cli/admin/inspect/pod.go).
 */
const FOLDERS: readonly RegExp[] = [
  new RegExp(
    `(?:^|/)proxies/(?<namespace>${LABEL})/(?<pod>${NAME})/(?<container>${LABEL})(?:\\.prev(?:ious)?)?\\.log(?:\\.|$)`,
  ),
  new RegExp(`(?:^|/)istio/(?<namespace>${LABEL})/(?<pod>${NAME})/(?<container>discovery)\\.log(?:\\.|$)`),
  new RegExp(
    `(?:^|/)namespaces/(?<namespace>${LABEL})/pods/(?<pod>${NAME})/(?<container>${LABEL})/(?:${LABEL}/)?logs/(?:rotated/)?[^/]{1,100}$`,
  ),
];

/** A file that is named after a pod whose name was generated: by a Deployment, or by the DaemonSets of ambient mode. */
const POD_FILE = new RegExp(
  `(?:^|/)(?<pod>(?:[a-z0-9][a-z0-9-]{0,200}-${RANDOM}{8,10}|ztunnel|istio-cni-node)-${RANDOM}{5})(?:[._][^/]{0,100})?$`,
);

const MAX_LENGTH = 1024;

/**
 * Who wrote the lines of a log, by its path (in an archive: `ARCHIVE!path`), where that is certain: files of the kubelet, of
 * `istioctl bug-report` and of must-gather, and files named after a pod. Untrusted.
 */
export function readLogPath(path: string): Origin {
  const inner = path.slice(path.indexOf('!') + 1).replaceAll('\\', '/');
  if (inner.length > MAX_LENGTH) return UNKNOWN_ORIGIN;
  const named = readContainerLogName(inner);
  if (named !== null) return named;
  for (const pattern of [...FOLDERS, POD_FILE]) {
    const groups = pattern.exec(inner)?.groups;
    if (groups === undefined) continue;
    const { namespace = null, pod = null, container = null } = groups;
    return { ...UNKNOWN_ORIGIN, namespace, pod, container };
  }
  return UNKNOWN_ORIGIN;
}
