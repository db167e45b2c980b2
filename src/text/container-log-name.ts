import { type Origin, UNKNOWN_ORIGIN } from '../model/line.ts';

/** `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`, and the tags and streams that collectors make of it. */
const CONTAINERS =
  /(?:^|[./])([a-z0-9][a-z0-9.-]{0,252})_([a-z0-9][a-z0-9-]{0,62})_([a-z0-9][a-z0-9-]{0,62})-[0-9a-f]{64}(?:\.log)?$/;
/** `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log`. */
const PODS =
  /(?:^|\/)([a-z0-9][a-z0-9-]{0,62})_([a-z0-9][a-z0-9.-]{0,252})_[0-9a-f-]{32,36}\/([a-z0-9][a-z0-9-]{0,62})\/\d{1,6}\.log/;
/** In a tag every slash of the path has become a dot. */
const TAG = /^.{0,200}\bvar\.log\.containers\./;
const MAX_LENGTH = 1024;

/**
 * Who wrote a container's log file, by its name as the kubelet makes it (kubernetes pkg/kubelet/kuberuntime), or by a tag or a
 * stream that holds the name; null: no such name. Untrusted.
 */
export function readContainerLogName(text: string): Origin | null {
  if (text.length > MAX_LENGTH || !text.includes('_')) return null;
  const pods = PODS.exec(text);
  if (pods !== null) {
    const [, namespace = null, pod = null, container = null] = pods;
    return { ...UNKNOWN_ORIGIN, namespace, pod, container };
  }
  const containers = CONTAINERS.exec(text.replace(TAG, ''));
  if (containers === null) return null;
  const [, pod = null, namespace = null, container = null] = containers;
  return { ...UNKNOWN_ORIGIN, namespace, pod, container };
}
