import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
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

describe.skipIf(!hasShared)(needsShared('lines from public threads'), () => {
  const judged = cases.map(({ id, lines, expected }) => {
    const report = reportOn({ [id]: `${lines.join('\n')}\n` });
    return {
      id,
      class: expected.class,
      verdict: verdictOf(report),
      records: report.totals.records,
      inputs: report.inputs,
    };
  });

  it('every class of the corpus has its right categories', () => {
    expect([...new Set(judged.map((one) => one.class))].filter((name) => RIGHT[name] === undefined)).toEqual([]);
  });

  it('98 % get the right category', () => {
    const wrong = judged.filter((one) => !(RIGHT[one.class] ?? []).includes(one.verdict as Category));
    console.log(`corpus: ${judged.length - wrong.length} of ${judged.length} right`);
    for (const one of wrong) console.log(`  ${one.id}: ${one.class}, told ${one.verdict} (${one.records} records)`);
    expect(wrong.length).toBeLessThanOrEqual(judged.length * 0.02);
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
