import { blockHolds, parseIpBlock } from '../match-ip.ts';
import { labelsShape, labelValue, qualifiedNameProblem } from './metadata-shape.ts';
import { listShape, objectShape, type Shape, textShape } from './shape.ts';

type Json = Readonly<Record<string, unknown>>;

const requirement = objectShape(
  {
    key: textShape({ rule: qualifiedNameProblem }),
    operator: textShape({ oneOf: ['In', 'NotIn', 'Exists', 'DoesNotExist'] }),
    values: listShape(labelValue),
  },
  ['key', 'operator'],
  ({ operator, values }) => {
    const needsValues = operator === 'In' || operator === 'NotIn';
    const hasValues = Array.isArray(values) && values.length > 0;
    if (needsValues === hasValues) return null;
    return needsValues ? 'values must be set with this operator' : 'values must not be set with this operator';
  },
);

const selector = objectShape({ matchLabels: labelsShape, matchExpressions: listShape(requirement) });

const cidr = textShape({
  rule: (text) => (text.includes('/') && parseIpBlock(text) !== null ? null : `${JSON.stringify(text)} is not a CIDR`),
});

const ipBlock = objectShape({ cidr, except: listShape(cidr) }, ['cidr'], ({ cidr: outer, except }) => {
  const block = typeof outer === 'string' ? parseIpBlock(outer) : null;
  const inner = Array.isArray(except) ? except.map((text) => parseIpBlock(String(text))) : [];
  const inside = inner.every(
    (part) => block !== null && part !== null && part.bits > block.bits && blockHolds(block, part.network),
  );
  return inside ? null : 'except must lie within cidr';
});

const peer = objectShape({ podSelector: selector, namespaceSelector: selector, ipBlock }, [], (value) => {
  const names = Object.keys(value);
  if (names.length === 0) return 'must name a peer';
  return names.includes('ipBlock') && names.length > 1 ? 'ipBlock excludes selectors' : null;
});

const isPort = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;

/** IANA service name: up to 15 letters, digits and single dashes, at least one letter. */
const PORT_NAME = /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*$/;

const port = objectShape(
  {
    protocol: textShape({ oneOf: ['TCP', 'UDP', 'SCTP'] }),
    port: (value, path) =>
      isPort(value) || (typeof value === 'string' && PORT_NAME.test(value))
        ? []
        : [`${path}: is neither port nor name`],
    endPort: (value, path) => (isPort(value) ? [] : [`${path}: is not a port`]),
  },
  [],
  ({ port: first, endPort: last }: Json) =>
    last === undefined || (isPort(first) && isPort(last) && last >= first)
      ? null
      : 'endPort needs a numeric port that is not greater',
);

/** `spec` of a NetworkPolicy, networking.k8s.io/v1 (k8s.io/kubernetes pkg/apis/networking/validation). */
export const networkPolicyShape: Shape = objectShape({
  podSelector: selector,
  policyTypes: listShape(textShape({ oneOf: ['Ingress', 'Egress'] }), 2),
  ingress: listShape(objectShape({ from: listShape(peer), ports: listShape(port) })),
  egress: listShape(objectShape({ to: listShape(peer), ports: listShape(port) })),
});
