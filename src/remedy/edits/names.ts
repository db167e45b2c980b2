import type { MeshView } from '../../model/mesh.ts';

/** Longest name of most things in Kubernetes (RFC 1123 label). */
const MAX_NAME = 63;
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LABEL_VALUE = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const PRINCIPAL = /^[A-Za-z0-9._-]+\/ns\/[a-z0-9-]+\/sa\/[a-z0-9.-]+$/;
const ISTIO_PRINCIPAL = /^([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/;

/** A name for an object from untrusted parts: lower case, `a-z 0-9 -`, at most 63 characters. */
export function objectName(...parts: readonly string[]): string {
  const name = parts
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-');
  return name.slice(0, MAX_NAME).replace(/^-+|-+$/g, '') || 'meshmend';
}

/** As `objectName`, with an ending that stays whole however long the rest is. */
export function nameEndingIn(ending: string, ...parts: readonly string[]): string {
  const tail = objectName(ending);
  const head = objectName(...parts).slice(0, MAX_NAME - tail.length - 1);
  return objectName(head, tail);
}

/** True for text that can be the name of a namespace. */
export function isNamespace(text: string | null): text is string {
  return text !== null && NAMESPACE.test(text);
}

/** True for text that can be the value of a label and is not empty. */
export function isLabelValue(text: string | null): text is string {
  return text !== null && LABEL_VALUE.test(text);
}

/**
 * The principal if a policy can name it: of Istio's form, without scheme and star (`*` would let in others). Null: a
 * policy cannot.
 */
export function usablePrincipal(principal: string | null): string | null {
  return principal !== null && PRINCIPAL.test(principal) ? principal : null;
}

/** The parts of a principal; null: it is not of Istio's form. */
export function principalParts(
  principal: string,
): { readonly trustDomain: string; readonly namespace: string; readonly serviceAccount: string } | null {
  const match = ISTIO_PRINCIPAL.exec(principal);
  if (match === null) return null;
  const [, trustDomain = '', namespace = '', serviceAccount = ''] = match;
  return { trustDomain, namespace, serviceAccount };
}

/** The name, with a number behind it if an object of that name is known. */
export function freeName(mesh: MeshView, kind: string, namespace: string, name: string): string {
  let free = name;
  for (let number = 2; mesh.object({ kind, namespace, name: free }) !== null; number += 1) {
    free = objectName(name.slice(0, MAX_NAME - 4), String(number));
  }
  return free;
}
