import type { SpiffeId } from '../model/record.ts';

/** Parts of an Istio identity `spiffe://TD/ns/NS/sa/SA`. */
export interface IdentityParts {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

const SCHEME = 'spiffe://';
const ISTIO_IDENTITY = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/;

/** The text as an identity, or null if it does not start with `spiffe://`. The path is not checked. */
export function parseSpiffeId(text: string | null): SpiffeId | null {
  return text?.startsWith(SCHEME) && text.length > SCHEME.length ? (text as SpiffeId) : null;
}

/** Trust domain, namespace and service account, or null if the identity is not of Istio's form. */
export function identityParts(identity: SpiffeId): IdentityParts | null {
  const match = ISTIO_IDENTITY.exec(identity);
  if (match === null) return null;
  const [, trustDomain = '', namespace = '', serviceAccount = ''] = match;
  return { trustDomain, namespace, serviceAccount };
}

/** What a policy writes for this identity: the same without the scheme. */
export function principalOf(identity: SpiffeId): string {
  return identity.slice(SCHEME.length);
}

/** The identity that Istio gives to a service account. */
export function identityOf(trustDomain: string, namespace: string, serviceAccount: string): SpiffeId {
  return `${SCHEME}${trustDomain}/ns/${namespace}/sa/${serviceAccount}` as SpiffeId;
}
