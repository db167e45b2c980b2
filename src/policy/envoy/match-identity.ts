import { endsWith, startsWith } from '../match-string.ts';

const SCHEME = 'spiffe://';
const SLASH = 47;

/** Decides about an identity with its scheme. Pure, linear time. */
export type IdentityMatch = (identity: string) => boolean;

/**
 * `principals`: `*` any identity; `*end`, `start*`, or the identity itself, without scheme (istio 86c9f01f
 * pilot/pkg/security/authz/matcher/string.go).
 */
export function matchPrincipal(written: string): IdentityMatch {
  if (written === '*') return (identity) => identity !== '';
  if (written.startsWith('*')) {
    const end = written.slice(1);
    const least = SCHEME.length + end.length;
    return (identity) => identity.length >= least && endsWith(identity, end) && identity.startsWith(SCHEME);
  }
  const start = SCHEME + written.slice(0, -1);
  const whole = SCHEME + written;
  return written.endsWith('*') ? (identity) => startsWith(identity, start) : (identity) => identity === whole;
}

/**
 * `principals` with the trust domains of the mesh put in place of one of them, or of `cluster.local` (istio 86c9f01f
 * pilot/pkg/security/trustdomain/bundle.go).
 */
export function expandPrincipal(written: string, trustDomains: readonly string[]): readonly string[] {
  const parts = written.split('/');
  const [domain = ''] = parts;
  if (parts.length !== 5 || domain === '*') return [written];
  if (domain !== 'cluster.local' && !trustDomains.some((ours) => overlaps(domain, ours))) return [written];
  const rest = parts.slice(1).join('/');
  const expanded = trustDomains.map((ours) =>
    domain.startsWith('*') && ours.endsWith(domain.slice(1)) ? written : `${ours}/${rest}`,
  );
  return [...new Set(expanded)];
}

/** A star at an end of either side counts. */
function overlaps(one: string, other: string): boolean {
  return holds(one, other) || holds(other, one);
}

function holds(pattern: string, text: string): boolean {
  if (pattern === text || pattern === '*') return true;
  if (pattern.startsWith('*') && text.endsWith(pattern.slice(1))) return true;
  return pattern.endsWith('*') && text.startsWith(pattern.slice(0, -1));
}

/** `namespaces`: any star stands for any text, also with slashes; the trust domain does not count (istio 86c9f01f generator.go). */
export function matchNamespace(written: string): IdentityMatch {
  const marker = `/ns/${written}/`;
  if (written.includes('*')) return globMatch(`*${marker}*`);
  // The same, without walking through the whole text for every namespace of every rule.
  return (identity) => {
    for (let at = identity.indexOf('/ns/'); at >= 0; at = identity.indexOf('/ns/', at + 1)) {
      if (identity.charCodeAt(at + marker.length - 1) === SLASH && identity.startsWith(marker, at)) return true;
    }
    return false;
  };
}

/** `serviceAccounts`: `namespace/name`, or `name` in the policy's own namespace; no stars (istio 86c9f01f generator.go). */
export function matchServiceAccount(written: string, policyNamespace: string): IdentityMatch {
  const slash = written.indexOf('/');
  const namespace = slash < 0 ? policyNamespace : written.slice(0, slash);
  const account = `/sa/${slash < 0 ? written : written.slice(slash + 1)}`;
  const marker = `/ns/${namespace}/`;
  return (identity) => {
    const start = identity.indexOf(marker, SCHEME.length + 1);
    if (!identity.startsWith(SCHEME) || start < 0) return false;
    const rest = identity.slice(start + marker.length - 1);
    for (let at = rest.indexOf(account); at >= 0; at = rest.indexOf(account, at + 1)) {
      const after = rest.slice(at + account.length);
      if (after === '' || (after.startsWith('/') && after.length > 1)) return true;
    }
    return false;
  };
}

/** `trustDomains`: stars stand for text without slash; one of the mesh stands for all of them. */
export function matchTrustDomain(written: string, trustDomains: readonly string[]): IdentityMatch {
  const accepted = (trustDomains.includes(written) ? trustDomains : [written]).map(globMatch);
  return (identity) => {
    if (!identity.startsWith(SCHEME)) return false;
    const slash = identity.indexOf('/', SCHEME.length);
    if (slash < 0) return written === '*';
    const domain = identity.slice(SCHEME.length, slash);
    return accepted.some((accepts) => accepts(domain));
  };
}

/** Compares a whole text with a pattern whose stars stand for any text. */
function globMatch(pattern: string): IdentityMatch {
  const pieces = pattern.split('*');
  const [start = '', ...rest] = pieces;
  const end = rest.pop();
  if (end === undefined) return (text) => text === pattern;
  return (text) => {
    if (!text.startsWith(start) || !text.endsWith(end)) return false;
    const last = text.length - end.length;
    let at = start.length;
    for (const piece of rest) {
      const found = text.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at <= last;
  };
}
