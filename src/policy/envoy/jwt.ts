import type { HeaderView } from './headers.ts';
import { type FoundToken, findTokens, withoutParam } from './jwt-locations.ts';
import { isAudienceAllowed, type JwtProvider, type KeySet, type TokenLocations } from './jwt-provider.ts';
import { JWT_STATUS, type JwtToken, parseToken, registeredClaims } from './jwt-token.ts';
import { type Known, UNKNOWN } from './known.ts';
import type { Claims, Token } from './request.ts';
import type { VerifySignature } from './settings.ts';

/** What the JWT filter needs of a request. `target`: path with query as it goes on. */
interface JwtInput {
  readonly token: Token;
  readonly headers: HeaderView;
  readonly target: Known<string>;
  readonly time: Known<number>;
  readonly preflight: boolean;
}

/** What it did: the request goes on, maybe with less in it, or it is refused with a status text (null: not known which). */
export type JwtOutcome =
  | {
      readonly kind: 'pass';
      readonly claims: Known<Claims | null>;
      readonly headers: HeaderView;
      readonly target: Known<string>;
      /** False: it may also have been refused. */
      readonly certain: boolean;
    }
  | { readonly kind: 'deny'; readonly status: string | null };

/** Envoy's default clock skew. */
const SKEW_SECONDS = 60;

/**
 * Runs the filter that all RequestAuthentications of a workload make together. One provider: its tokens must verify, or be
 * missing. Several: any one whose tokens verify is enough; else each must verify or be missing (istio 86c9f01f
 * pilot/pkg/security/authn/policy_applier.go; envoy 1.37 source/extensions/filters/http/jwt_authn/{verifier,
 * authenticator,extractor}.cc).
 */
export function runJwt(providers: readonly JwtProvider[], input: JwtInput, verify: VerifySignature | null): JwtOutcome {
  const { headers, target, token } = input;
  const untouched = { kind: 'pass', headers, target } as const;
  if (providers.length === 0 || input.preflight || token.kind === 'none') {
    return { ...untouched, claims: null, certain: true };
  }
  if (token.kind === 'unknown') return { ...untouched, claims: UNKNOWN, certain: false };
  const run = new JwtRun(input, verify);
  const status = token.kind === 'claims' ? run.judgeClaims(providers, token.claims) : run.judge(providers);
  if (status !== OK) return { kind: 'deny', status: run.certain ? status : null };
  const { headers: left, target: rest, certain } = run;
  return { kind: 'pass', headers: left, target: rest, claims: run.blind ? UNKNOWN : run.claims, certain };
}

const OK = '';

class JwtRun {
  headers: HeaderView;
  target: Known<string>;
  claims: Claims | null = null;
  certain = true;
  /** True: a place where a token may stand is not known. */
  blind = false;
  readonly #time: Known<number>;
  readonly #verify: VerifySignature | null;

  constructor(input: JwtInput, verify: VerifySignature | null) {
    this.headers = input.headers;
    this.target = input.target;
    this.#time = input.time;
    this.#verify = verify;
  }

  judge(providers: readonly JwtProvider[]): string {
    const [only] = providers;
    if (only !== undefined && providers.length === 1) return this.#orMissing(only);
    const faults: string[] = [];
    for (const provider of providers) {
      const status = this.#provider(provider);
      if (status === OK) return OK;
      faults.push(status);
    }
    const all = this.#all(providers);
    return all === OK ? OK : worst([...faults, all]);
  }

  /** A token of which only the payload is told: the first provider of its issuer judges it. */
  judgeClaims(providers: readonly JwtProvider[], claims: Claims): string {
    const token = registeredClaims(claims);
    const provider = providers.find(({ issuer }) => issuer === '' || issuer === token.issuer);
    if (provider === undefined) return JWT_STATUS.unknownIssuer;
    const status = this.#contentFault(provider, token);
    if (status === OK) this.claims = splitClaims(claims, provider.listClaims);
    return status;
  }

  #all(providers: readonly JwtProvider[]): string {
    for (const provider of providers) {
      const status = this.#orMissing(provider);
      if (status !== OK) return status;
    }
    return OK;
  }

  #orMissing(provider: JwtProvider): string {
    const status = this.#provider(provider);
    return status === JWT_STATUS.missing ? OK : status;
  }

  /** All tokens at the provider's locations must verify; the last found is looked at first. */
  #provider(provider: JwtProvider): string {
    for (const name of [provider.payloadHeader, ...provider.claimHeaders.map(({ header }) => header)]) {
      if (name !== null) this.headers = this.headers.with(name, null);
    }
    const tokens = this.#find(provider.locations);
    if (tokens.length === 0) return JWT_STATUS.missing;
    for (const token of tokens.toReversed()) {
      const status = this.#token(provider, token);
      if (status !== OK) return status;
    }
    return OK;
  }

  #token(provider: JwtProvider, found: FoundToken): string {
    const token = parseToken(found.text);
    if (typeof token === 'string') return token;
    if (provider.issuer !== '' && provider.issuer !== token.issuer) return JWT_STATUS.unknownIssuer;
    const fault = this.#contentFault(provider, token);
    if (fault !== OK) return fault;
    const signature = this.#signatureFault(provider.keys, token);
    if (signature === null) this.certain = false;
    else if (signature !== OK) return signature;
    this.#take(provider, token, found);
    return OK;
  }

  #contentFault(provider: JwtProvider, token: Pick<JwtToken, 'notBefore' | 'expires' | 'audiences'>): string {
    const { notBefore, expires } = token;
    if (this.#time === UNKNOWN) {
      if (notBefore !== 0 || expires !== 0) this.certain = false;
    } else {
      if (this.#time + SKEW_SECONDS < notBefore) return JWT_STATUS.notYetValid;
      if (expires !== 0 && this.#time > expires + SKEW_SECONDS) return JWT_STATUS.expired;
    }
    return isAudienceAllowed(provider, token) ? OK : JWT_STATUS.audience;
  }

  /** Null: nobody can tell. */
  #signatureFault(set: KeySet, token: JwtToken): string | null {
    if (set.kind === 'unknown') return null;
    if (set.kind === 'substitute') return JWT_STATUS.verification;
    const fitting = set.keys.filter(({ kid, alg }) => {
      const named = token.keyId !== '' && typeof kid === 'string' && kid !== '';
      return (!named || kid === token.keyId) && (typeof alg !== 'string' || alg === '' || alg === token.algorithm);
    });
    if (fitting.length === 0) return JWT_STATUS.noKey;
    let unsure = false;
    for (const key of fitting) {
      const good = this.#verify?.(key, token.algorithm, token.signed, token.signature) ?? null;
      if (good === true) return OK;
      if (good === null) unsure = true;
    }
    return unsure ? null : JWT_STATUS.verification;
  }

  /** What a good token changes: claims for the policies, headers for the application, the token itself out of the way. */
  #take(provider: JwtProvider, token: JwtToken, found: FoundToken): void {
    this.claims = splitClaims(token.claims, provider.listClaims);
    if (provider.payloadHeader !== null) this.headers = this.headers.with(provider.payloadHeader, token.payload);
    for (const { header, claim } of provider.claimHeaders) {
      const value = token.claims[claim];
      if (['string', 'number', 'boolean'].includes(typeof value) && value !== '') {
        this.headers = this.headers.with(header, String(value));
      }
    }
    if (provider.forward) return;
    if (found.header !== null) this.headers = this.headers.with(found.header, null);
    if (found.param !== null && this.target !== UNKNOWN) this.target = withoutParam(this.target, found.param);
  }

  /** Where something is not known, a token may be missed. */
  #find(locations: TokenLocations): readonly FoundToken[] {
    const { params, cookies } = locations;
    return findTokens(locations, {
      header: (name) => this.#known(this.headers.get(name)),
      target: params.length === 0 ? null : this.#known(this.target),
      cookies: cookies.length === 0 ? null : this.#known(this.headers.get('cookie')),
    });
  }

  #known<T>(value: Known<T>): T | null {
    if (value !== UNKNOWN) return value;
    this.certain = false;
    this.blind = true;
    return null;
  }
}

/** A real fault before an unknown issuer before a missing token; the last real one counts. */
function worst(faults: readonly string[]): string {
  let result: string = JWT_STATUS.missing;
  for (const fault of faults) {
    const real = fault !== JWT_STATUS.missing && fault !== JWT_STATUS.unknownIssuer;
    if (real || result === JWT_STATUS.missing) result = fault;
  }
  return result;
}

function splitClaims(claims: Claims, names: readonly string[]): Claims {
  const split = names.flatMap((name) => {
    const value = claims[name];
    return typeof value === 'string' ? [[name, value.split(' ').filter((word) => word !== '')] as const] : [];
  });
  return split.length === 0 ? claims : { ...claims, ...Object.fromEntries(split) };
}
