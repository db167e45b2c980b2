import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { rules } from '../rules/index.ts';
import type { Category } from '../src/model/finding.ts';
import type { Report } from '../src/model/report.ts';
import { reportOn } from './analysis.ts';
import { hasShared, needsShared, shared } from './shared.ts';

interface Case {
  readonly id: string;
  readonly lines: readonly string[];
  readonly expected: { readonly class: string; readonly is_failure: boolean };
}

/** Categories that are right for a class of the corpus; the first one is the best. `none`: nothing above `note`. */
const RIGHT: Readonly<Record<string, readonly (Category | 'none')[]>> = {
  benign: ['none'],
  'startup-noise': ['none', 'platform'],
  draining: ['none', 'platform', 'upstream'],
  'authz-dry-run-deny': ['none', 'authorization'],
  'authz-dry-run-nomatch': ['none', 'authorization'],
  'downstream-disconnect': ['none', 'client'],
  'authz-allow-nomatch': ['authorization'],
  'authz-deny-explicit': ['authorization'],
  'authz-denied-unspecified': ['authorization'],
  'authz-policy-change-close': ['authorization'],
  'http-401-hbone': ['authorization'],
  'http-403-rbac': ['authorization'],
  'tcp-rbac-denied': ['authorization'],
  'peerauth-strict-plaintext': ['mutual-tls'],
  'http-503-tls-mismatch': ['mutual-tls', 'upstream', 'identity'],
  'tcp-tls-mismatch': ['mutual-tls', 'upstream', 'identity'],
  'jwt-invalid': ['authentication'],
  'jwt-missing': ['authentication'],
  'jwks-fetch-failed': ['authentication', 'platform'],
  'ext-authz-denied': ['external-authorization'],
  'ext-authz-error': ['external-authorization'],
  'hbone-network-policy-timeout': ['network'],
  'hbone-network-policy-refused': ['network', 'upstream'],
  'network-policy-timeout': ['network', 'upstream'],
  'identity/cert': ['identity'],
  'no-route': ['routing'],
  'cluster-not-found': ['routing'],
  'egress-blocked-registry-only': ['routing'],
  'ztunnel-no-service': ['routing', 'platform', 'upstream'],
  dns: ['platform', 'upstream', 'network', 'routing'],
  'http-503-no-healthy-upstream': ['upstream'],
  'http-503-reset': ['upstream', 'application', 'mutual-tls'],
  'http-503-connect-failure': ['upstream', 'network'],
  'connect-failure': ['upstream', 'network'],
  timeout: ['upstream', 'client'],
  'circuit-breaker-overflow': ['upstream'],
  'http-502-protocol-error': ['upstream', 'application', 'client'],
  'hbone-stream-reset': ['upstream', 'network', 'client', 'none'],
  'http-200-broken-upstream': ['upstream', 'application'],
  'http-400-protocol': ['client'],
  'http-426-http10': ['client'],
  'http-503-app': ['application', 'upstream'],
  'http-403-app': ['application'],
  'http-4xx-app': ['application', 'none', 'client'],
  'http-5xx-app': ['application', 'upstream'],
  'direct-response-error': ['traffic-control', 'application', 'routing'],
  'fault-injected': ['traffic-control'],
  'xds-disconnected': ['platform', 'none'],
  'xds-workload-missing': ['platform'],
  'ztunnel-startup-failure': ['platform'],
  'cni-no-ztunnel': ['platform'],
  'knative-probe-failure': ['upstream', 'network', 'application', 'platform', 'authorization', 'mutual-tls'],
};

/**
 * The diagnoses that are right for a class, of which one must be told: `none` where nothing failed or the line itself shows
 * no failure of the mesh. Strict: `envoy-request-failed`, `envoy-upstream-connect-failed`, `ztunnel-connection-failed` and
 * their like, which stand for what nothing more is known of, are right nowhere.
 */
const DIAGNOSES: Readonly<Record<string, readonly string[]>> = {
  benign: ['none'],
  'startup-noise': ['none', 'envoy-xds-disconnected', 'platform-xds-disconnected'],
  draining: ['envoy-connection-drained', 'ztunnel-connection-drained', 'platform-drain-expired'],
  'authz-dry-run-deny': ['envoy-shadow-denied', 'ztunnel-dry-run-denied'],
  'authz-dry-run-nomatch': ['envoy-shadow-denied', 'ztunnel-dry-run-denied'],
  'downstream-disconnect': ['envoy-client-left', 'ztunnel-stream-interrupted'],
  'authz-allow-nomatch': ['ztunnel-allow-missed', 'ztunnel-policy-rejected', 'envoy-rbac-denied-none'],
  'authz-deny-explicit': ['ztunnel-policy-denied', 'envoy-rbac-denied-rule'],
  'authz-denied-unspecified': ['ztunnel-policy-rejected', 'ztunnel-connect-denied', 'envoy-rbac-denied-unnamed'],
  'authz-policy-change-close': ['ztunnel-policy-changed'],
  'http-401-hbone': ['ztunnel-connect-denied'],
  'http-403-rbac': [
    'envoy-rbac-denied-none',
    'envoy-rbac-denied-rule',
    'envoy-rbac-denied-unnamed',
    'envoy-peer-denied',
    'envoy-debug-denied',
  ],
  'tcp-rbac-denied': ['envoy-rbac-denied-none', 'envoy-rbac-denied-rule', 'envoy-debug-denied'],
  'peerauth-strict-plaintext': ['ztunnel-mtls-required', 'envoy-filter-chain-missed', 'agentgateway-request-failed'],
  'http-503-tls-mismatch': [
    'envoy-tls-answered-in-plaintext',
    'envoy-tls-handshake-failed',
    'envoy-peer-certificate-rejected',
    'envoy-own-certificate-rejected',
    'envoy-client-certificate-missed',
    'envoy-filter-chain-missed',
    'knative-plaintext-refused',
    // Plain text that a STRICT sidecar closes leaves nothing else at the caller; its finding says so.
    'envoy-upstream-closed',
  ],
  'tcp-tls-mismatch': [
    'envoy-tls-answered-in-plaintext',
    'envoy-tls-handshake-failed',
    'envoy-peer-certificate-rejected',
    'envoy-client-certificate-missed',
    'envoy-filter-chain-missed',
  ],
  'jwt-invalid': [
    'envoy-jwt-audience-refused',
    'envoy-jwt-expired',
    'envoy-jwt-issuer-unknown',
    'envoy-jwt-key-missed',
    'envoy-jwt-keys-unusable',
    'envoy-jwt-refused',
    'envoy-jwt-signature-refused',
    'envoy-debug-jwt-refused',
  ],
  'jwt-missing': ['envoy-jwt-missed', 'envoy-debug-jwt-refused'],
  'jwks-fetch-failed': ['platform-jwks-unfetched', 'envoy-jwks-fetch-failed'],
  'ext-authz-denied': ['envoy-authorizer-denied'],
  'ext-authz-error': ['envoy-authorizer-failed', 'envoy-authorizer-misconfigured'],
  'hbone-network-policy-timeout': ['ztunnel-hbone-blocked', 'envoy-hbone-unreached'],
  'hbone-network-policy-refused': ['ztunnel-hbone-refused', 'ztunnel-hbone-rejected', 'ztunnel-hbone-blocked'],
  'network-policy-timeout': ['envoy-upstream-unreached', 'ztunnel-plaintext-unreachable'],
  'identity/cert': [
    'envoy-certificate-not-supplied',
    'ztunnel-certificate-unavailable',
    'platform-certificate-unissued',
  ],
  'no-route': ['envoy-route-missed'],
  'cluster-not-found': ['envoy-cluster-missed'],
  'egress-blocked-registry-only': ['envoy-egress-blocked'],
  'ztunnel-no-service': ['ztunnel-destination-unroutable', 'ztunnel-upstream-unhealthy'],
  dns: ['platform-dns-failed', 'envoy-dns-failed', 'envoy-xds-disconnected'],
  'http-503-no-healthy-upstream': ['envoy-endpoints-missed'],
  'http-503-reset': [
    'envoy-upstream-closed',
    'envoy-upstream-stream-reset',
    'envoy-response-cut',
    'envoy-peer-proxy-failed',
  ],
  'http-503-connect-failure': ['envoy-upstream-refused', 'envoy-upstream-unreached'],
  'connect-failure': ['envoy-upstream-refused', 'envoy-upstream-unreached', 'envoy-client-left'],
  timeout: ['envoy-upstream-timed-out', 'envoy-stream-timed-out'],
  'circuit-breaker-overflow': ['envoy-upstream-overflowed'],
  'http-502-protocol-error': ['envoy-upstream-garbled'],
  'hbone-stream-reset': ['ztunnel-stream-aborted', 'ztunnel-stream-interrupted'],
  'http-200-broken-upstream': ['envoy-response-cut'],
  'http-400-protocol': ['envoy-request-malformed'],
  'http-426-http10': ['envoy-request-malformed'],
  'http-503-app': ['envoy-application-failed'],
  'http-403-app': ['envoy-application-refused'],
  'http-4xx-app': ['none', 'envoy-application-refused'],
  'http-5xx-app': ['envoy-application-failed'],
  'direct-response-error': ['envoy-direct-response-sent', 'envoy-filter-answered'],
  'fault-injected': ['envoy-fault-injected'],
  'xds-disconnected': ['envoy-xds-disconnected', 'platform-xds-disconnected'],
  'xds-workload-missing': ['platform-workload-awaited', 'ztunnel-workload-unknown'],
  'ztunnel-startup-failure': ['platform-bind-failed', 'platform-proxy-unstarted'],
  'cni-no-ztunnel': ['platform-ztunnel-missing', 'platform-cni-unreachable'],
  'knative-probe-failure': ['knative-revision-unreached', 'knative-plaintext-refused', 'knative-request-denied'],
};

const POLICY: ReadonlySet<string> = new Set([
  'authorization',
  'mutual-tls',
  'authentication',
  'external-authorization',
]);

const cases: readonly Case[] = hasShared
  ? readFileSync(shared('corpus/cases.jsonl'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Case)
  : [];

/**
 * The category of the worst and most frequent finding above `note`; `none` without one. A gRPC status of the application's own
 * is told as a note, for servers give it in normal operation too (`../shared/captures/expected.yaml`, rbac-grpc).
 */
function verdictOf(report: Report): string {
  const [worst] = report.findings.filter(
    ({ level, ruleId }) => level !== 'note' || ruleId === 'envoy-application-failed',
  );
  return worst?.category ?? 'none';
}

/**
 * Whether a right diagnosis is among the findings of the worst level, as lines of one thread may tell of several failures.
 * Where none may be right, nothing above `note` is as good as no finding.
 */
function isDiagnosed(name: string, { findings }: Report): boolean {
  const right = DIAGNOSES[name] ?? [];
  const worst = findings.filter(({ level }) => level === findings[0]?.level);
  if (right.includes('none') && (worst[0]?.level ?? 'note') === 'note') return true;
  return worst.some(({ ruleId }) => right.includes(ruleId));
}

describe.skipIf(!hasShared)(needsShared('lines from public threads'), () => {
  const judged = cases.map(({ id, lines, expected }) => {
    const report = reportOn({ [id]: `${lines.join('\n')}\n` });
    return {
      id,
      class: expected.class,
      verdict: verdictOf(report),
      told: report.findings[0]?.ruleId ?? 'nothing',
      isDiagnosed: isDiagnosed(expected.class, report),
      records: report.totals.records,
      inputs: report.inputs,
    };
  });

  it('every class of the corpus has its right categories and diagnoses', () => {
    const classes = [...new Set(judged.map((one) => one.class))];
    expect(classes.filter((name) => RIGHT[name] === undefined || DIAGNOSES[name] === undefined)).toEqual([]);
    const known = new Set(rules.map(({ meta }) => meta.id));
    expect(Object.values(DIAGNOSES).flatMap((ids) => ids.filter((id) => id !== 'none' && !known.has(id)))).toEqual([]);
  });

  it('98 % get the right category', () => {
    const wrong = judged.filter((one) => !(RIGHT[one.class] ?? []).includes(one.verdict as Category));
    console.log(`corpus: ${judged.length - wrong.length} of ${judged.length} right`);
    for (const one of wrong) console.log(`  ${one.id}: ${one.class}, told ${one.verdict} (${one.records} records)`);
    expect(wrong.length).toBeLessThanOrEqual(judged.length * 0.02);
  });

  it('90 % get the right diagnosis', () => {
    const wrong = judged.filter((one) => !one.isDiagnosed);
    console.log(`corpus: ${judged.length - wrong.length} of ${judged.length} diagnosed`);
    for (const one of wrong) console.log(`  ${one.id}: ${one.class}, diagnosed as ${one.told}`);
    expect(wrong.length).toBeLessThanOrEqual(judged.length * 0.1);
  });

  it('every line is part of a record, told as broken, or of a shape or notice that is told', () => {
    const count = (told: readonly { readonly count: number }[]): number =>
      told.reduce((sum, one) => sum + one.count, 0);
    const silent = judged.filter(({ inputs }) =>
      inputs.some(
        ({ lines, records, joined, malformed, truncated, unrecognised, notices }) =>
          records + joined + malformed + truncated + count(unrecognised) + count(notices) !== lines,
      ),
    );
    expect(silent.map(({ id }) => id)).toEqual([]);
  });

  it('a fault of another kind is never called a policy denial, nor the reverse', () => {
    const mixedUp = judged.filter(({ class: name, verdict }) => {
      if (verdict === 'none') return false;
      const right = RIGHT[name] ?? [];
      return POLICY.has(verdict)
        ? !right.some((category) => POLICY.has(category))
        : right.every((category) => POLICY.has(category));
    });
    expect(mixedUp).toEqual([]);
  });
});
