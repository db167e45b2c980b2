import type { KubeObject } from '../model/mesh.ts';
import type { AuthorizationPolicy } from '../model/policy.ts';
import { DRY_RUN_ANNOTATION, decodeSpec, parseGoBool } from './decode.ts';
import type { Message } from './decode-fields.ts';
import { authorizationSpec, peerSpec, requestSpec } from './decode-spec.ts';
import { authorizationRemarks } from './validate/authorization.ts';
import { crdErrors } from './validate/crd.ts';
import { peerRemarks, requestRemarks } from './validate/request.ts';
import type { Remarks } from './validate/scope.ts';

/** What an API server with istiod's webhook would answer to an object. Reasons hold untrusted text. */
export interface Validation {
  readonly valid: boolean;
  /** Who refuses it: the CRD's schema and rules, the API types, or istiod's rules. Null: nobody. */
  readonly stage: 'crd' | 'decode' | 'istiod' | null;
  /** One line each, starting with the path of the field. */
  readonly errors: readonly string[];
  /** Also on a refused object, where the webhook itself would not show them. */
  readonly warnings: readonly string[];
}

/** Annotations that istiod keeps for itself (istio 86c9f01f pkg/config/constants). */
const REFUSED_ANNOTATIONS = [
  'internal.istio.io/webhook-always-reject',
  'internal.istio.io/parent-namespace',
  'internal.istio.io/parents',
];

/**
 * Answers like istiod's admission webhook for AuthorizationPolicy, PeerAuthentication and RequestAuthentication
 * (istio 86c9f01f pkg/config/validation). Objects of other kinds are valid here: nothing is known about them. Never throws.
 */
export function validateObject(object: KubeObject): Validation {
  if (!object.apiVersion.startsWith('security.istio.io/')) return ACCEPTED;
  switch (object.kind) {
    case 'AuthorizationPolicy':
      return judge(object, authorizationSpec, authorizationRemarks, (spec) => dryRunErrors(object, spec.action));
    case 'PeerAuthentication':
      return judge(object, peerSpec, peerRemarks, () => dryRunErrors(object, null));
    case 'RequestAuthentication':
      return judge(object, requestSpec, requestRemarks, () => dryRunErrors(object, null));
    default:
      return ACCEPTED;
  }
}

const ACCEPTED: Validation = { valid: true, stage: null, errors: [], warnings: [] };

/** Decodes, then looks at the annotations, then at the spec; what refuses first ends it. */
function judge<T>(
  object: KubeObject,
  message: Message<T>,
  remarksOn: (spec: T) => Remarks,
  dryRunErrorsOf: (spec: T) => readonly string[],
): Validation {
  const spec = decodeSpec(object, object.kind, message);
  if (!spec.ok) return { valid: false, stage: 'decode', errors: [spec.reason], warnings: [] };
  const annotations = [...dryRunErrorsOf(spec.value), ...refusedAnnotations(object)];
  if (annotations.length > 0) return { valid: false, stage: 'istiod', errors: annotations, warnings: [] };
  const { errors, warnings } = remarksOn(spec.value);
  const valid = errors.length === 0;
  return { valid, stage: valid ? null : 'istiod', errors, warnings };
}

/** Only AuthorizationPolicies that allow or deny can be tried out; `action` is null on other kinds. */
function dryRunErrors(object: KubeObject, action: AuthorizationPolicy['action'] | null): readonly string[] {
  const written = object.metadata.annotations?.[DRY_RUN_ANNOTATION];
  if (written === undefined) return [];
  const path = `metadata.annotations[${DRY_RUN_ANNOTATION}]`;
  if (action === null) return [`${path}: is not supported on ${object.kind}`];
  if (action !== 'ALLOW' && action !== 'DENY') return [`${path}: is not supported with action ${action}`];
  return parseGoBool(written) === null ? [`${path}: ${JSON.stringify(written)} is neither true nor false`] : [];
}

function refusedAnnotations(object: KubeObject): readonly string[] {
  const annotations = object.metadata.annotations ?? {};
  return REFUSED_ANNOTATIONS.filter((name) => Object.hasOwn(annotations, name)).map(
    (name) => `metadata.annotations[${name}]: is refused always`,
  );
}

/**
 * Answers like an API server with Istio's CRDs (istio 86c9f01f) and istiod's webhook, as `kubectl apply` would see it:
 * first the CRD, then the webhook. To be asked about every object that is proposed. Never throws.
 */
export function validateForApply(object: KubeObject): Validation {
  const errors = crdErrors(object);
  if (errors.length > 0) return { valid: false, stage: 'crd', errors, warnings: [] };
  return validateObject(object);
}
