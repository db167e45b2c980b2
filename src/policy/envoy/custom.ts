import type { AuthorizationPolicy } from '../../model/policy.ts';
import { compileRules, type RuleContext, type RuleSet } from './compile.ts';
import type { AuthorizerAnswer } from './request.ts';
import type { MeshService } from './services.ts';
import type { AuthorizationProvider } from './settings.ts';

/**
 * The CUSTOM policies of one provider. `ask`: what `triggers` matches is sent to the authorizer, what `enforced` (the
 * dry-run ones, which istiod turns into plain DENYs) matches is refused. `refuse`: the provider cannot be used.
 */
export interface CustomFilter {
  readonly provider: AuthorizationProvider | null;
  readonly triggers: RuleSet | null;
  readonly enforced: RuleSet | null;
}

type Base = Omit<RuleContext, 'idPrefix' | 'idSuffix'>;

const BAD_ACTION = '-deny-due-to-bad-CUSTOM-action';

/**
 * One filter per provider, sorted by name. Two providers at one workload are refused by default (istio 86c9f01f
 * pilot/pkg/security/authz/builder/{builder,extauthz}.go). On TCP an HTTP provider is ignored.
 */
export function compileCustom(
  policies: readonly AuthorizationPolicy[],
  providers: readonly AuthorizationProvider[],
  services: readonly MeshService[],
  base: Base,
): readonly CustomFilter[] {
  const names = [...new Set(policies.map(({ provider }) => provider ?? ''))].sort();
  return names.flatMap((name): readonly CustomFilter[] => {
    const mine = policies.filter(({ provider }) => (provider ?? '') === name);
    const rules = (dryRun: boolean, idSuffix: string): RuleSet =>
      compileRules(
        mine.filter((policy) => policy.dryRun === dryRun),
        { ...base, idPrefix: () => (name === '' ? 'istio-ext-authz-' : `istio-ext-authz-${name}-`), idSuffix },
      );
    const provider = names.length > 1 ? null : usableProvider(name, providers, services);
    if (provider === null) return [{ provider, triggers: null, enforced: rules(false, BAD_ACTION) }];
    if (base.tcp && provider.kind === 'http') return [];
    const dry = rules(true, '');
    return [{ provider, triggers: rules(false, ''), enforced: dry.rules.length === 0 ? null : dry }];
  });
}

/** Null: unknown, of another kind, of an impossible port, or its service is not in the mesh exactly once. */
function usableProvider(
  name: string,
  providers: readonly AuthorizationProvider[],
  services: readonly MeshService[],
): AuthorizationProvider | null {
  const provider = providers.find((candidate) => candidate.name === name);
  if (provider === undefined || provider.kind === null || provider.port < 1 || provider.port > 65535) return null;
  const parts = provider.service.split('/');
  const host = parts.length === 2 ? parts[1] : provider.service;
  const found = services.filter(
    ({ ref, hosts }) => hosts.some((known) => known === host) && (parts.length !== 2 || ref.namespace === parts[0]),
  );
  return found.length === 1 ? provider : null;
}

/** How Envoy refuses on an authorizer's answer. */
export interface AuthorizerRefusal {
  readonly details: 'ext_authz_denied' | 'ext_authz_error';
  readonly status: number;
  readonly body: string | null;
}

/** Null: the request goes on. An HTTP authorizer that answers 5xx is one that failed (envoy 1.40 source/extensions/filters/common/ext_authz). */
export function judgeAnswer(provider: AuthorizationProvider, answer: AuthorizerAnswer): AuthorizerRefusal | null {
  if (answer.kind === 'allow') return null;
  if (answer.kind === 'deny' && (provider.kind === 'grpc' || answer.status < 500)) {
    return { details: 'ext_authz_denied', status: answer.status, body: answer.body };
  }
  return provider.failOpen ? null : { details: 'ext_authz_error', status: provider.statusOnError, body: null };
}
