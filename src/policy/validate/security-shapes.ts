import { isRecord } from '../../text/kube-object.ts';
import { duration } from '../decode-fields.ts';
import { jwksUriError } from './jwks-uri.ts';
import { atMostOneOf, flagShape, listShape, mapShape, objectShape, type Shape, textShape } from './shape.ts';

const text = textShape();
const filled = textShape({ min: 1 });
const texts = listShape(text);
const filledTexts = listShape(filled);

const noStar = (value: string): string | null => (value.includes('*') ? 'must not have a wildcard' : null);

const selector = objectShape({
  matchLabels: mapShape(textShape({ max: 63, rule: noStar }), 0, 4096, (key) =>
    key === '' ? 'must not be empty' : noStar(key),
  ),
});

const target = objectShape(
  {
    group: textShape({
      max: 253,
      pattern: /^$|^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/,
    }),
    kind: textShape({ min: 1, max: 63, pattern: /^[a-zA-Z](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/ }),
    name: textShape({ min: 1, max: 253 }),
    namespace: textShape({ rule: (namespace) => (namespace === '' ? null : 'must not be set') }),
  },
  ['kind', 'name'],
);

const targets = { selector, targetRef: target, targetRefs: listShape(target, 16) };
const oneTarget = atMostOneOf('selector', 'targetRef', 'targetRefs');

const serviceAccounts = listShape(textShape({ max: 320 }), 16);

const source = objectShape(
  {
    principals: texts,
    notPrincipals: texts,
    requestPrincipals: texts,
    notRequestPrincipals: texts,
    namespaces: texts,
    notNamespaces: texts,
    serviceAccounts,
    notServiceAccounts: serviceAccounts,
    trustDomains: texts,
    notTrustDomains: texts,
    ipBlocks: texts,
    notIpBlocks: texts,
    remoteIpBlocks: texts,
    notRemoteIpBlocks: texts,
  },
  [],
  (value) => {
    const has = (...names: readonly string[]): boolean => names.some((name) => Object.hasOwn(value, name));
    return has('serviceAccounts', 'notServiceAccounts') &&
      has('principals', 'notPrincipals', 'namespaces', 'notNamespaces')
      ? 'serviceAccounts exclude principals and namespaces'
      : null;
  },
);

const operation = objectShape({
  hosts: texts,
  notHosts: texts,
  ports: texts,
  notPorts: texts,
  methods: texts,
  notMethods: texts,
  paths: texts,
  notPaths: texts,
});

const rule = objectShape({
  from: listShape(objectShape({ source }), 512),
  to: listShape(objectShape({ operation })),
  when: listShape(objectShape({ key: text, values: texts, notValues: texts }, ['key'])),
});

const authorizationPolicy = objectShape(
  {
    ...targets,
    action: textShape({ oneOf: ['ALLOW', 'DENY', 'AUDIT', 'CUSTOM'] }),
    provider: objectShape({ name: text }),
    rules: listShape(rule, 512),
  },
  [],
  oneTarget,
);

const mutualTls = objectShape({ mode: textShape({ oneOf: ['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'] }) });

const peerAuthentication = objectShape(
  {
    selector,
    mtls: mutualTls,
    portLevelMtls: mapShape(mutualTls, 1, Number.POSITIVE_INFINITY, (key) =>
      /^[+-]?\d+$/.test(key) && Number(key) > 0 && Number(key) <= 65_535 ? null : 'is not a port (1 to 65535)',
    ),
  },
  [],
  (spec) =>
    Object.hasOwn(spec, 'portLevelMtls') && !hasLabels(spec['selector'])
      ? 'portLevelMtls needs a selector with labels'
      : null,
);

function hasLabels(value: unknown): boolean {
  const labels = isRecord(value) ? value['matchLabels'] : null;
  return isRecord(labels) && Object.keys(labels).length > 0;
}

const jwksUri = textShape({
  min: 1,
  max: 2048,
  // An opaque one (`https:x`) is no URL for CEL.
  rule: (uri) => (/^https?:\//i.test(uri) ? jwksUriError(uri) : 'must start with http:// or https://'),
});

const timeout = textShape({
  rule: (written) => {
    const decoded = duration.read(written, '');
    return decoded.ok && (decoded.value ?? 0n) >= 1_000_000n ? null : 'must be a duration of at least 1ms';
  },
});

const jwtRule = objectShape(
  {
    issuer: filled,
    audiences: filledTexts,
    jwksUri,
    jwks_uri: jwksUri,
    jwks: text,
    fromHeaders: listShape(objectShape({ name: filled, prefix: text }, ['name'])),
    fromParams: filledTexts,
    fromCookies: filledTexts,
    outputPayloadToHeader: text,
    outputClaimToHeaders: listShape(
      objectShape({ header: textShape({ min: 1, pattern: /^[-_A-Za-z0-9]+$/ }), claim: filled }, ['header', 'claim']),
    ),
    forwardOriginalToken: flagShape,
    timeout,
    spaceDelimitedClaims: listShape(filled, 64),
    presence: textShape({ oneOf: ['OPTIONAL', 'REQUIRED'] }),
  },
  [],
  atMostOneOf('jwksUri', 'jwks_uri', 'jwks'),
);

const requestAuthentication = objectShape({ ...targets, jwtRules: listShape(jwtRule, 4096) }, [], oneTarget);

/** `spec` of the kinds of security.istio.io, v1 and v1beta1 alike, as the CRDs of istio 86c9f01f have it (1.31: without `presence`). */
export const SECURITY_SHAPES: Readonly<Record<string, Shape>> = {
  AuthorizationPolicy: authorizationPolicy,
  PeerAuthentication: peerAuthentication,
  RequestAuthentication: requestAuthentication,
};
