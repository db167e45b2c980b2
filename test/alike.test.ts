import { describe, expect, it } from 'vitest';
import { unknownMesh } from '../src/mesh/view.ts';
import { renderTerminal } from '../src/render/terminal.ts';
import { reportOn } from './analysis.ts';

/** A refused connection of one account to a port, at a second of the minute. */
function refused(account: string, port: number, second: number): string {
  const ends = `src.addr=10.0.0.9:${40_000 + second} src.workload="${account}-1" src.namespace="ops" src.identity="spiffe://cluster.local/ns/ops/sa/${account}" dst.addr=10.0.0.20:15008 dst.hbone_addr=10.0.0.20:${port} dst.workload="api-1" dst.namespace="pay" dst.identity="spiffe://cluster.local/ns/pay/sa/api"`;
  const error = 'connection closed due to policy rejection: allow policies exist, but none allowed';
  return `2026-01-02T03:04:${String(second).padStart(2, '0')}.000000Z\terror\taccess\tconnection complete\t${ends} direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" error="${error}"`;
}

const told = (lines: readonly string[]): string =>
  renderTerminal(reportOn({ log: `${lines.join('\n')}\n` }, unknownMesh, {}), { colour: false, top: 20 });

describe('a scanner in the terminal', () => {
  const ports = Array.from({ length: 30 }, (_, index) => 8000 + index);
  const scan = ports.map((port, index) => refused('scan', port, index));

  it('is told once, with what else it knocked at', () => {
    const text = told(scan);
    expect(text).toContain('1 cause behind 30 failures');
    expect(text.match(/ERROR/g)).toHaveLength(1);
    expect(text).toMatch(/Also +29 more of this caller: pay\/api:8\d+/);
  });

  it('hides no other caller, and nobody who was refused at one port', () => {
    const text = told([...scan, refused('web', 8001, 40), refused('cart', 8002, 41)]);
    expect(text).toContain('ops/web -> pay/api:8001');
    expect(text).toContain('ops/cart -> pay/api:8002');
    expect(text).toContain('3 causes behind 32 failures');
  });
});
