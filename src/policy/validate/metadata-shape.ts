import { mapShape, nullable, objectShape, type Shape, textShape } from './shape.ts';

/** Any value: the API server writes these fields itself and drops what a user writes. */
const anything: Shape = () => [];

const DNS_SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_WORD = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

const MAX_WORD = 63;
const MAX_SUBDOMAIN = 253;

/** What is wrong with the key of a label or annotation, as a sentence part; null: nothing. */
export function qualifiedNameProblem(key: string): string | null {
  const parts = key.split('/', 3);
  const word = parts.at(-1) ?? '';
  const domain = parts.length > 1 ? (parts[0] ?? '') : null;
  if (parts.length > 2 || word.length > MAX_WORD || !LABEL_WORD.test(word)) return 'is not a qualified name';
  if (domain === null) return null;
  return domain.length <= MAX_SUBDOMAIN && DNS_SUBDOMAIN.test(domain) ? null : 'has a prefix that is not a DNS name';
}

/** A value of a label: empty, or up to 63 characters of a word. */
export const labelValue: Shape = textShape({
  max: MAX_WORD,
  rule: (value) => (value === '' || LABEL_WORD.test(value) ? null : `${JSON.stringify(value)} is not a label value`),
});

/** Labels, in metadata or a selector. */
export const labelsShape: Shape = mapShape(labelValue, 0, Number.POSITIVE_INFINITY, qualifiedNameProblem);

/** `metadata` of any object with a DNS name (k8s.io/apimachinery/pkg/api/validation/objectmeta.go). */
export const metadataShape: Shape = objectShape(
  {
    name: textShape({ min: 1, max: MAX_SUBDOMAIN, pattern: DNS_SUBDOMAIN }),
    namespace: nullable(textShape({ max: MAX_WORD, pattern: /^$|^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/ })),
    labels: nullable(labelsShape),
    annotations: nullable(
      mapShape(textShape(), 0, Number.POSITIVE_INFINITY, (key) => qualifiedNameProblem(key.toLowerCase())),
    ),
    generateName: anything,
    selfLink: anything,
    uid: anything,
    resourceVersion: anything,
    generation: anything,
    creationTimestamp: anything,
    deletionTimestamp: anything,
    deletionGracePeriodSeconds: anything,
    ownerReferences: anything,
    finalizers: anything,
    managedFields: anything,
  },
  ['name'],
);
