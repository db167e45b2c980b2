/** A behaviour that not every release has. */
export type Behaviour =
  /** ztunnel names the reason of a rejection (istio/ztunnel#1273). */
  | 'rejectionReason'
  /** The converted PeerAuthentication holds its parent's STRICT, so static strict is not attached (istio#54073). */
  | 'mergedStrict'
  /** istiod tells by status that it does not send dry-run policies (istio 1.29 authorization.go). */
  | 'dryRunStatus'
  /** istiod tells by status that nothing of a DENY is left (istio 86c9f01f, after the 1.31 branch). */
  | 'noEffectStatus';

/**
 * First releases of each, as pairs of minor and patch of 1.x, ascending: since that patch of that minor, and in all minors
 * after the last.
 */
const SINCE: Readonly<Record<Behaviour, readonly (readonly [minor: number, patch: number])[]>> = {
  rejectionReason: [[24, 0]],
  mergedStrict: [
    [23, 5],
    [24, 3],
    [25, 0],
  ],
  dryRunStatus: [[29, 0]],
  noEffectStatus: [[32, 0]],
};

const RELEASE = /^1\.(\d{1,3})(?:\.(\d{1,3}))?(?!\d)/;

/**
 * Whether a release (`1.27`, `1.27.3`, `1.27.3-distroless`) behaves so. An unknown patch counts as the newest one, and
 * null or unreadable text as the newest release.
 */
export function behaves(istioVersion: string | null, behaviour: Behaviour): boolean {
  const release = RELEASE.exec(istioVersion ?? '');
  if (release === null) return true;
  const minor = Number(release[1]);
  const patch = release[2] === undefined ? Number.POSITIVE_INFINITY : Number(release[2]);
  const step = SINCE[behaviour].findLast(([sinceMinor]) => sinceMinor <= minor);
  return step !== undefined && (step[0] < minor || step[1] <= patch);
}
