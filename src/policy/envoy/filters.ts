import type { ObjectRef } from '../../model/mesh.ts';
import type { AuthorizationPolicy } from '../../model/policy.ts';
import { compileRules, type RuleContext, type RuleSet } from './compile.ts';
import { type CustomFilter, compileCustom } from './custom.ts';
import type { JwtProvider } from './jwt-provider.ts';
import type { MeshService } from './services.ts';
import type { EnvoySettings } from './settings.ts';
import { isAtLeast } from './settings.ts';

/** An RBAC filter: rules in force, and rules that are only evaluated. Null: there is no policy of that sort. */
export interface RbacFilter {
  readonly action: 'AUDIT' | 'DENY' | 'ALLOW';
  readonly enforced: RuleSet | null;
  readonly shadow: RuleSet | null;
  /** The policies in force. */
  readonly policies: readonly ObjectRef[];
}

/** The filters of one filter chain, in the order in which a request meets them. */
export interface Filters {
  readonly custom: readonly CustomFilter[];
  /** Empty on TCP. */
  readonly jwt: readonly JwtProvider[];
  /** The RequestAuthentications that they come from. */
  readonly tokenPolicies: readonly ObjectRef[];
  /** AUDIT, DENY, ALLOW; absent where there is no policy. */
  readonly rbac: readonly RbacFilter[];
}

const ACTIONS = ['AUDIT', 'DENY', 'ALLOW'] as const;

/** Compiles the policies that are in force at one filter chain (istio 86c9f01f pilot/pkg/security/authz/builder/builder.go). */
export function compileFilters(
  policies: readonly AuthorizationPolicy[],
  tokens: Pick<Filters, 'jwt' | 'tokenPolicies'>,
  services: readonly MeshService[],
  settings: EnvoySettings,
  tcp: boolean,
): Filters {
  const context: RuleContext = {
    tcp,
    trustDomains: [settings.trustDomain, ...settings.trustDomainAliases],
    joinHeaderLines: !isAtLeast(settings.envoyVersion, [1, 38, 0]),
    idPrefix: () => '',
    idSuffix: '',
  };
  const custom = policies.filter(({ action }) => action === 'CUSTOM');
  return {
    custom: compileCustom(custom, settings.extensionProviders, services, context),
    jwt: tcp ? [] : tokens.jwt,
    tokenPolicies: tokens.tokenPolicies,
    rbac: ACTIONS.flatMap((action) => {
      const mine = policies.filter((policy) => policy.action === action);
      const rules = (dryRun: boolean): RuleSet | null => {
        const chosen = mine.filter((policy) => policy.dryRun === dryRun);
        return chosen.length === 0 ? null : compileRules(chosen, context);
      };
      const inForce = mine.filter(({ dryRun }) => !dryRun).map(({ ref }) => ref);
      return mine.length === 0 ? [] : [{ action, enforced: rules(false), shadow: rules(true), policies: inForce }];
    }),
  };
}
