import { describe, expect, it } from 'vitest';
import { reportOn } from './analysis.ts';

const ENDS =
  'src.addr=10.244.1.7:51234 src.workload="web-7d9c5b6f4-x2x9k" src.namespace="shop" src.identity="spiffe://cluster.local/ns/shop/sa/web" dst.addr=10.244.2.9:15008 dst.hbone_addr=10.244.2.9:8080 dst.service="api.pay.svc.cluster.local" dst.workload="api-5f6d7c8b9-abcde" dst.namespace="pay" dst.identity="spiffe://cluster.local/ns/pay/sa/api"';
const ERRORS = [
  'connection closed due to policy rejection: explicitly denied by: pay/deny-web',
  'connection closed due to policy rejection: allow policies exist, but none allowed',
  'connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: deadline has elapsed',
  'http status: 401 Unauthorized',
];
const WIDTHS = [72, 80, 100, 120, 150, 200];

function line(error: string, separator: string): string {
  return [
    '2026-01-02T03:04:05.123456Z',
    'error',
    'access',
    'connection complete',
    `${ENDS} direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" error="${error}"`,
  ].join(separator);
}

function told(text: string): unknown {
  const { findings } = reportOn({ log: `${text}\n` });
  return findings.map(({ ruleId, level, cause, source, destination }) => ({
    ruleId,
    level,
    cause,
    source,
    destination,
  }));
}

function cutAt(width: number, text: string): readonly string[] {
  return Array.from({ length: Math.ceil(text.length / width) }, (_, index) =>
    text.slice(index * width, (index + 1) * width),
  );
}

describe('a line of ztunnel that a terminal cut at its edge', () => {
  it.each(WIDTHS)('is read like the whole line: %i columns', (width) => {
    for (const error of ERRORS) {
      for (const separator of [' ', '    ']) {
        const whole = line(error, separator);
        expect(told(cutAt(width, whole).join('\n'))).toEqual(told(whole));
      }
    }
  });

  it('is read like the whole line wherever the edge is, if it was met twice', () => {
    const whole = line(ERRORS[0] ?? '', ' ');
    for (let width = 60; width < whole.length / 3; width++) {
      expect([width, told(cutAt(width, whole).join('\n'))]).toEqual([width, told(whole)]);
    }
  });

  it('ends where the next record begins', () => {
    const whole = line(ERRORS[0] ?? '', ' ');
    const two = [...cutAt(80, whole), ...cutAt(80, whole)].join('\n');
    const { findings, inputs } = reportOn({ log: `${two}\n` });
    expect(findings.map(({ ruleId, count }) => [ruleId, count])).toEqual([['ztunnel-policy-denied', 2]]);
    expect(inputs[0]?.records).toBe(2);
  });
});
