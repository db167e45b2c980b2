import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ReportedFinding } from '../src/model/report.ts';
import { reportOnFiles } from './analysis.ts';
import { hasShared, needsShared, shared } from './shared.ts';

const DROPPED = 'failed: 15008 dropped (10 s)';

/** Which findings tell of which kind of connection of captures/ztunnel/_mixed, by rule and what their cause names. */
const KINDS: Readonly<Record<string, (finding: ReportedFinding) => boolean>> = {
  'denied: ALLOW policies, none matched': (f) =>
    f.ruleId === 'ztunnel-allow-missed' && f.destination.workload === 'ledger',
  'denied: ALLOW policies, none matched (vault)': (f) =>
    f.ruleId === 'ztunnel-allow-missed' && f.destination.workload === 'card-vault',
  'denied: DENY istio-system/no-batch-to-kafka': (f) => f.policies.some(({ name }) => name === 'no-batch-to-kafka'),
  'denied: istio-system/istio_converted_static_strict (plain text)': (f) =>
    f.category === 'mutual-tls' && f.destination.namespace === 'payments',
  'denied: inventory/converted_peer_authentication_stock-mtls (plain text)': (f) =>
    f.category === 'mutual-tls' && f.destination.workload === 'stock-api',
  'failed: application not listening (503)': (f) => f.ruleId === 'ztunnel-application-refused',
  [DROPPED]: (f) => f.category === 'network' && f.destination.workload === 'fraud-score',
  'failed: 15008 refused (RST)': (f) => f.ruleId === 'ztunnel-hbone-refused',
  'failed: no endpoint': (f) =>
    f.ruleId === 'ztunnel-upstream-unhealthy' && f.destination.service === null && f.destination.port === 80,
  'failed: port not in Service': (f) => f.ruleId === 'ztunnel-upstream-unhealthy' && f.destination.port === 8443,
  'failed: waypoint unknown': (f) => f.ruleId === 'ztunnel-waypoint-unknown',
  'failed: caller of another trust domain': (f) => f.ruleId === 'ztunnel-trust-domain-mismatched',
  'failed: certificate identity mismatch (stale workload)': (f) => f.ruleId === 'ztunnel-identity-mismatched',
  'failed: external refused': (f) => f.ruleId === 'ztunnel-plaintext-refused',
  'failed: external timed out': (f) => f.ruleId === 'ztunnel-plaintext-unreachable',
  'failed: plain text to 15008': (f) => f.ruleId === 'ztunnel-port-probed',
  'failed: scan of 15006': (f) => f.ruleId === 'ztunnel-recursion-refused',
};

interface Run {
  readonly files: readonly string[];
  readonly totalsPerKind: Readonly<Record<string, number>>;
  /** Lines by direction, message and error. */
  readonly accessLines: Readonly<Record<string, number>>;
}

interface Meta {
  readonly runs: Readonly<Record<string, Run>>;
}

describe.skipIf(!hasShared)(needsShared('a continuous log of thousands of connections'), () => {
  const path = (file: string): string => shared(`captures/ztunnel/_mixed/${file}`);
  const meta = hasShared ? (parse(readFileSync(path('meta.yaml'), 'utf8')) as Meta) : { runs: {} };

  it.each(Object.entries(meta.runs))(
    'the counts of the %s run are the true totals',
    (_, { files, totalsPerKind, accessLines }) => {
      const report = reportOnFiles(files.map(path));
      const counted = Object.fromEntries(
        Object.entries(KINDS).map(([kind, tells]) => [
          kind,
          report.findings.filter(tells).reduce((sum, finding) => sum + finding.count, 0),
        ]),
      );
      const wanted = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, totalsPerKind[kind]]));
      // Attempts that were still waiting when ztunnel was stopped are logged as drained, not as timed out.
      const drained = accessLines['outbound | connection complete | connection closed due to connection drain'] ?? 0;
      expect(counted).toEqual({ ...wanted, [DROPPED]: (totalsPerKind[DROPPED] ?? 0) - drained });
    },
  );
});

describe.skipIf(!hasShared)(needsShared('a continuous stream of requests through two sidecars'), () => {
  const path = (file: string): string => shared(`captures/envoy/_mixed/${file}`);

  /** What the clients saw, by what a report must call it. */
  function truth(): Record<string, number> {
    const { observedByTheClient } = parse(readFileSync(path('meta.yaml'), 'utf8')) as { observedByTheClient: string[] };
    const count = (text: string): number => observedByTheClient.filter((line) => line.includes(text)).length;
    return {
      authorization: count('RBAC: access denied') + count('-> no response (EOF)'),
      application: count('body "status 503'),
      upstream: count('body "upstream connect error') + count('body "no healthy upstream"'),
    };
  }

  it.each(['text', 'json', 'legacy-1.9-1.22'])(
    'printed as %s, the counts of both logs together are the true totals',
    (format) => {
      const report = reportOnFiles([path(`${format}.log`), path(`client.${format}.log`)]);
      const counted: Record<string, number> = {};
      for (const { category, level, count } of report.findings) {
        if (level !== 'note') counted[category] = (counted[category] ?? 0) + count;
      }
      expect(counted).toEqual(truth());
    },
  );
});
