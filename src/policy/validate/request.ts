import type { JwtSpec, PeerSpec, RequestSpec } from '../decode-spec.ts';
import { jwksRemarks } from './jwks.ts';
import { jwksUriError } from './jwks-uri.ts';
import { type Remarks, scopeRemarks, selectorRemarks } from './scope.ts';

/** What istiod's webhook says about the spec of a PeerAuthentication (istio 86c9f01f pkg/config/validation/validation.go). */
export function peerRemarks(spec: PeerSpec): Remarks {
  const { errors, warnings } = selectorRemarks(spec.selector);
  const ports = spec.portLevelMtls === null ? null : [...spec.portLevelMtls.keys()];
  const selects = Object.keys(spec.selector?.matchLabels ?? {}).length > 0;
  const portErrors = (ports ?? []).flatMap((port) =>
    port < 1 || port > 65_535 ? [`portLevelMtls: ${port} is not a port (1 to 65535)`] : [],
  );
  if (ports?.length === 0) portErrors.push('portLevelMtls: must not be empty');
  if ((ports?.length ?? 0) > 0 && !selects) portErrors.push('portLevelMtls: needs a selector with labels');
  return { errors: [...portErrors, ...errors], warnings };
}

/** What istiod's webhook says about the spec of a RequestAuthentication (istio 86c9f01f pkg/config/validation/validation.go). */
export function requestRemarks(spec: RequestSpec): Remarks {
  const all = [scopeRemarks(spec), ...spec.jwtRules.map((rule, index) => jwtRemarks(rule, `jwtRules[${index}]`))];
  return { errors: all.flatMap(({ errors }) => errors), warnings: all.flatMap(({ warnings }) => warnings) };
}

const MILLISECOND = 1_000_000n;
const HEADER_NAME = /^[-A-Za-z0-9_]+$/;

function jwtRemarks(rule: JwtSpec, path: string): Remarks {
  const jwks = jwksRemarks(rule.jwks);
  const uri = jwksUriError(rule.jwksUri);
  const errors = [
    ...emptyItems('audiences', rule.audiences),
    ...(rule.issuer === '' && rule.jwksUri === '' ? ['issuer or jwksUri must be set'] : []),
    ...(uri === null ? [] : [`jwksUri: ${uri}`]),
    ...jwks.errors.map((problem) => `jwks: ${problem}`),
    ...emptyItems(
      'fromHeaders',
      rule.fromHeaders.map(({ name }) => name),
    ),
    ...emptyItems('fromParams', rule.fromParams),
    ...emptyItems('fromCookies', rule.fromCookies),
    ...claimHeaderErrors(rule),
    ...timeoutErrors(rule.timeout),
  ];
  return {
    errors: errors.map((problem) => `${path}.${problem}`),
    warnings: jwks.warnings.map((problem) => `${path}.jwks: ${problem}`),
  };
}

function emptyItems(field: string, values: readonly string[]): readonly string[] {
  return values.flatMap((value, index) => (value === '' ? [`${field}[${index}]: must not be empty`] : []));
}

function claimHeaderErrors(rule: JwtSpec): readonly string[] {
  return rule.outputClaimToHeaders.flatMap(({ header, claim }, index) => {
    const path = `outputClaimToHeaders[${index}]`;
    if (header === '' || claim === '') return [`${path}: header and claim must be set`];
    return HEADER_NAME.test(header) ? [] : [`${path}: ${JSON.stringify(header)} is not a header name`];
  });
}

function timeoutErrors(timeout: bigint | null): readonly string[] {
  if (timeout === null) return [];
  if (timeout < MILLISECOND) return ['timeout: must be at least 1ms'];
  return timeout % MILLISECOND === 0n ? [] : ['timeout: must be whole milliseconds'];
}
