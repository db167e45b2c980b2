import type { StaticRule } from '../../src/model/static.ts';
import { rule as allowEverything } from './allow-everything.ts';
import { rule as allowNegatedSource } from './allow-negated-source.ts';
import { rule as allowNothing } from './allow-nothing.ts';
import { rule as allowSourceMissing } from './allow-source-missing.ts';
import { rule as clientTlsContradicted } from './client-tls-contradicted.ts';
import { rule as clientTlsFixed } from './client-tls-fixed.ts';
import { rule as denyExceptionsSplit } from './deny-exceptions-split.ts';
import { rule as denyHttpOnTcp } from './deny-http-on-tcp.ts';
import { rule as denyIdentityEscaped } from './deny-identity-escaped.ts';
import { rule as egressPruned } from './egress-pruned.ts';
import { rule as headerUnproved } from './header-unproved.ts';
import { rule as knativeIsolationBypassed } from './knative-isolation-bypassed.ts';
import { rule as networkHboneOmitted } from './network-hbone-omitted.ts';
import { rule as objectRefused } from './object-refused.ts';
import { rule as peerDefaultSelective } from './peer-default-selective.ts';
import { rule as peerDisableAtZtunnel } from './peer-disable-at-ztunnel.ts';
import { rule as peerModeOpen } from './peer-mode-open.ts';
import { rule as peerPortsIdle } from './peer-ports-idle.ts';
import { rule as peerSelectorInRoot } from './peer-selector-in-root.ts';
import { rule as peerShadowed } from './peer-shadowed.ts';
import { rule as policyAllowDroppedAtZtunnel } from './policy-allow-dropped-at-ztunnel.ts';
import { rule as policyDenyDeadAtZtunnel } from './policy-deny-dead-at-ztunnel.ts';
import { rule as policyDenyWidenedAtZtunnel } from './policy-deny-widened-at-ztunnel.ts';
import { rule as policyMeshWide } from './policy-mesh-wide.ts';
import { rule as policyRuleRedundant } from './policy-rule-redundant.ts';
import { rule as policyRuleSplit } from './policy-rule-split.ts';
import { rule as policySelectorMissed } from './policy-selector-missed.ts';
import { rule as policyTargetMissed } from './policy-target-missed.ts';
import { rule as principalAccountMissed } from './principal-account-missed.ts';
import { rule as principalAny } from './principal-any.ts';
import { rule as principalSchemeWritten } from './principal-scheme-written.ts';
import { rule as principalTrustDomainForeign } from './principal-trust-domain-foreign.ts';
import { rule as probePathsPublic } from './probe-paths-public.ts';
import { rule as providerMissed } from './provider-missed.ts';
import { rule as ruleValueIdle } from './rule-value-idle.ts';
import { rule as tokenUnchecked } from './token-unchecked.ts';

/** All static rules, sorted by id. A test proves the list complete. */
export const staticRules: readonly StaticRule[] = [
  allowEverything,
  allowNegatedSource,
  allowNothing,
  allowSourceMissing,
  clientTlsContradicted,
  clientTlsFixed,
  denyExceptionsSplit,
  denyHttpOnTcp,
  denyIdentityEscaped,
  egressPruned,
  headerUnproved,
  knativeIsolationBypassed,
  networkHboneOmitted,
  objectRefused,
  peerDefaultSelective,
  peerDisableAtZtunnel,
  peerModeOpen,
  peerPortsIdle,
  peerSelectorInRoot,
  peerShadowed,
  policyAllowDroppedAtZtunnel,
  policyDenyDeadAtZtunnel,
  policyDenyWidenedAtZtunnel,
  policyMeshWide,
  policyRuleRedundant,
  policyRuleSplit,
  policySelectorMissed,
  policyTargetMissed,
  principalAccountMissed,
  principalAny,
  principalSchemeWritten,
  principalTrustDomainForeign,
  probePathsPublic,
  providerMissed,
  ruleValueIdle,
  tokenUnchecked,
];
