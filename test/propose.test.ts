import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { Remedy, Wishes } from '../src/model/remedy.ts';
import { renderTerminal } from '../src/render/terminal.ts';
import { decodeKubeObject } from '../src/text/kube-object.ts';
import { reportOn, reportOnFiles } from './analysis.ts';
import { namespace, pod, podOf, policy, smallMesh } from './small-mesh.ts';

const MISSED = 'allow policies exist, but none allowed';

/** What is proposed after `shop/web` was refused at `pay/api`, as the destination's ztunnel says it. */
function remediesFor(mesh: MeshView, reason: string, wishes: Partial<Wishes> = {}): readonly Remedy[] {
  const whole = smallMesh([]);
  const [from, to] = [podOf(whole, 'shop', 'web'), podOf(whole, 'pay', 'api')];
  const caller = `src.addr=${from.ips[0]}:40000 src.workload="${from.name}" src.namespace="shop" src.identity="spiffe://cluster.local/ns/shop/sa/web"`;
  const called = `dst.addr=${to.ips[0]}:15008 dst.hbone_addr=${to.ips[0]}:8080 dst.workload="${to.name}" dst.namespace="pay" dst.identity="spiffe://cluster.local/ns/pay/sa/api"`;
  const rest = `direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" error="connection closed due to policy rejection: ${reason}"`;
  const line = `2026-01-02T03:04:05.000000Z\terror\taccess\tconnection complete\t${caller} ${called} ${rest}`;
  return reportOn({ log: `${line}\n` }, mesh, wishes).findings.flatMap(({ remedies }) => remedies);
}

const admitting = (account: string): unknown =>
  policy('pay', 'callers', {
    rules: [{ from: [{ source: { principals: [`cluster.local/ns/shop/sa/${account}`] } }] }],
  });

describe('that there is nothing to do', () => {
  it('is said where the policies given admit the call', () => {
    const [first] = remediesFor(smallMesh([admitting('web')]), MISSED);
    expect(first?.summary).toMatch(/^Nothing to do:/);
  });

  it('is not said without the policies that refused: those are to be given first', () => {
    const [unnamed] = remediesFor(smallMesh([]), MISSED);
    expect(unnamed?.summary).toMatch(/^Read the ALLOW policies/);
    for (const others of [[], [admitting('web')]]) {
      const [named] = remediesFor(smallMesh(others), 'explicitly denied by: pay/hidden');
      expect(named?.summary).toMatch(/^Fetch AuthorizationPolicy pay\/hidden/);
    }
  });
});

describe('a ceiling', () => {
  const nothing = decodeKubeObject(policy('istio-system', 'ceiling', {}), { file: '', document: 0 });
  const ceiling = typeof nothing === 'string' ? [] : [nothing];

  it('holds for what could not be proved as well', () => {
    const whole = smallMesh([admitting('cart')]);
    const pods = whole.pods.filter(({ namespace }) => namespace !== 'pay');
    const mesh: MeshView = { ...whole, pods, podByIp: () => null, podByName: () => null };
    expect(remediesFor(mesh, MISSED).some(({ changes }) => changes.length > 0)).toBe(true);
    const bounded = remediesFor(mesh, MISSED, { ceiling });
    expect(bounded.flatMap(({ changes }) => changes)).toEqual([]);
    expect(bounded[0]?.summary).toMatch(/^No change is printed: it cannot be compared with the ceiling/);
  });
});

describe('what a change closes', () => {
  it('is told in a terminal beside what it opens', () => {
    const folder = 'fixtures/rules/ztunnel-allow-missed/caller-is-waypoint';
    const { objects } = decodeManifests(readFileSync(`${folder}/mesh.yaml`, 'utf8'), 'mesh.yaml');
    const report = reportOnFiles([`${folder}/input.log`], createMesh(objects));
    const [closed] = report.findings.flatMap(({ remedies: [best] }) => best?.verification.newlyDenies ?? []);
    expect(closed).toBeDefined();
    const text = renderTerminal(report, { colour: false, top: 9 });
    expect(text.replace(/\n +/g, ' ')).toContain(`Closes  ${closed}`);
  });
});

describe('the order of remedies', () => {
  it('is that the caller comes into the mesh before plain text is let in, however much it may then do', () => {
    const mesh = smallMesh([
      namespace('legacy'),
      pod('legacy', 'cron', 'cron', 'none'),
      policy('pay', 'strict', { mtls: { mode: 'STRICT' } }, 'PeerAuthentication'),
    ]);
    const [from, to] = [podOf(mesh, 'legacy', 'cron'), podOf(mesh, 'pay', 'api')];
    const ends = `src.addr=${from.ips[0]}:40000 src.workload="${from.name}" src.namespace="legacy" dst.addr=${to.ips[0]}:8080 dst.workload="${to.name}" dst.namespace="pay"`;
    const line = `2026-01-02T03:04:05.000000Z\terror\taccess\tconnection complete\t${ends} direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" error="connection closed due to policy rejection: explicitly denied by: istio-system/istio_converted_static_strict"`;
    const [finding] = reportOn({ log: `${line}\n` }, mesh).findings;
    const proved = finding?.remedies.filter(({ verification }) => verification.status === 'verified') ?? [];
    expect(proved.map(({ kind }) => kind)).toEqual(['enrol', 'enrol', 'policy-change']);
    const [first, , last] = proved.map(({ verification }) => verification.newlyAllows.length);
    expect(first).toBeGreaterThan(last ?? 0);
  });
});
