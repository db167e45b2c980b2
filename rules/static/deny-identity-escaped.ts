import type { PolicySource } from '../../src/model/policy.ts';
import type { StaticMatch, StaticRule } from '../../src/model/static.ts';
import { plaintextAt } from '../../src/policy/survey/modes.ts';
import { authorizationPolicies } from '../../src/policy/survey/policies.ts';
import { step } from '../../src/remedy/edits/index.ts';
import { nameOf } from '../../src/text/object-ref.ts';

const IDENTITY: readonly (keyof PolicySource)[] = ['principals', 'namespaces', 'serviceAccounts', 'trustDomains'];

/** A DENY that names callers by identity where plain text comes in: without identity they are not denied. */
export const rule: StaticRule = {
  meta: {
    id: 'deny-identity-escaped',
    category: 'authorization',
    level: 'warning',
    title: 'Callers escape a DENY by speaking plain text',
    page: {
      meaning:
        'The namespace and the principal of a caller come from its certificate. A DENY that names them does not match a caller that speaks plain text, so where plain text is accepted a caller from that namespace passes it by leaving the mesh (ISTIO-SECURITY-2021-003).',
      printedBy: 'Nobody: what comes in looks like any other connection without src.identity.',
      confirm: ['kubectl get peerauthentications -A -o yaml'],
      change:
        'Demand mutual TLS there: PeerAuthentication STRICT. Or turn the rule around: deny all but those who may (notNamespaces, notPrincipals), which plain text matches.',
      never: 'Do not add the addresses of pods to the rule: they change.',
    },
    cites: ['istio/ztunnel 62d82653 src/rbac.rs', 'ISTIO-SECURITY-2021-003'],
  },
  check: (mesh) =>
    authorizationPolicies(mesh)
      .filter(({ policy }) => policy.action === 'DENY')
      .flatMap(({ object, policy }) => {
        const named = policy.rules.flatMap((one, index) =>
          one.from.some((source) => source !== null && IDENTITY.some((field) => source[field].length > 0))
            ? [index]
            : [],
        );
        const plaintext = named.length === 0 ? 'refused' : plaintextAt(policy, mesh);
        if (plaintext === 'refused') return [];
        return named.map(
          (index): StaticMatch => ({
            object,
            at: ['spec', 'rules', index],
            certainty: plaintext === 'accepted' ? 'certain' : 'possible',
            level: plaintext === 'accepted' ? 'warning' : 'note',
            cause: `Rule ${index} of ${nameOf(policy.ref)} denies callers by their identity. ${plaintext === 'accepted' ? 'PeerAuthentications there let plain text in' : 'Unless mutual TLS is STRICT there plain text comes in'}, and that has none.`,
            unchecked:
              plaintext === null ? ['Whether mutual TLS is STRICT: kubectl get peerauthentications -A -o yaml.'] : [],
            drafts: [
              step('configuration', `Demand mutual TLS (STRICT) of the workloads of ${nameOf(policy.ref)}.`, {
                risk: 'Callers outside the mesh are refused then: look first who speaks plain text.',
              }),
            ],
          }),
        );
      }),
};
