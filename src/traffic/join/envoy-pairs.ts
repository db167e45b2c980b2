import {
  fromCaller,
  inboundRefusal,
  inboundRequest,
  intoTunnel,
  outboundCut,
  outboundRequest,
  passedThrough,
  refusedRequest,
  waypointCall,
  waypointTunnel,
} from './envoy-keys.ts';
import { DEFAULTS, type LinePair, REFUSED_OR_UNREACHED } from './pair.ts';
import { calledByWaypoint } from './ztunnel-keys.ts';

/** What a request or connection that was refused looks like in two Envoys (envoy 1.37; captures of 1.36 to 1.39). */
export const ENVOY_PAIRS: readonly LinePair[] = [
  ...[false, true].map(
    (byMark): LinePair => ({
      ...DEFAULTS,
      about:
        "the server's sidecar refused the request, or passed an error on; the client's sidecar or a gateway passed that on",
      causePrintedBy: 'sidecar',
      cause: byMark ? inboundRequest(isError) : fromCaller(inboundRequest(isError)),
      seen: byMark ? outboundRequest(isPassedOn) : fromCaller(outboundRequest(isPassedOn)),
      mark: 'request',
      needsMark: byMark,
      isOneSubject: !byMark,
    }),
  ),
  {
    ...DEFAULTS,
    about: "the server's sidecar refused the request, which the client's sidecar passed on without knowing the Service",
    causePrintedBy: 'sidecar',
    cause: refusedRequest(isError),
    seen: passedThrough(isPassedOn),
    mark: 'request',
    needsMark: true,
  },
  {
    ...DEFAULTS,
    about:
      "the server's listener had no filter chain for the connection, or a policy that denied it; the client sees it closed",
    causePrintedBy: 'sidecar',
    cause: fromCaller(inboundRefusal),
    seen: fromCaller(outboundCut),
    mark: 'socket',
    isOneSubject: true,
  },
  ...[true, false].map(
    (isNamed): LinePair => ({
      ...DEFAULTS,
      about: 'the ztunnel of the pod refused the tunnel of a waypoint',
      causePrintedBy: 'destination-ztunnel',
      cause: calledByWaypoint(REFUSED_OR_UNREACHED, isNamed),
      seen: waypointCall,
    }),
  ),
  {
    ...DEFAULTS,
    about: 'the tunnel that a waypoint opened for a request failed',
    causePrintedBy: null,
    cause: waypointTunnel,
    seen: intoTunnel,
  },
];

function isError({
  status,
  envoy,
}: {
  readonly status: number | null;
  readonly envoy: { readonly details: string | null };
}): boolean {
  return (status ?? 0) >= 400 || /^(?:rbac_access_denied|jwt_authn|ext_authz)/.test(envoy.details ?? '');
}

/** A format without details shows by its flags only that the proxy itself had no part in the answer. */
function isPassedOn({
  envoy: { details, detailsKnown, flags },
}: {
  readonly envoy: {
    readonly details: string | null;
    readonly detailsKnown: boolean;
    readonly flags: readonly string[] | null;
  };
}): boolean {
  return detailsKnown ? details === 'via_upstream' : details === null && flags?.length === 0;
}
