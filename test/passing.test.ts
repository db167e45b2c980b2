import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { createMesh } from '../src/mesh/view.ts';
import type { MeshView } from '../src/model/mesh.ts';
import type { ReportedFinding } from '../src/model/report.ts';
import { reportOn } from './analysis.ts';

const NONE_ALLOWED = 'connection closed due to policy rejection: allow policies exist, but none allowed';
const DENIED = 'connection closed due to policy rejection: explicitly denied by: pay/no-web';
const REFUSED = 'connection failed: Connection refused (os error 111)';
const API = 'api-6d4cf56db6-x7x2p';
const OTHER_API = 'api-6d4cf56db6-kkkkk';

/** A moment `seconds` after noon. */
const at = (seconds: number): string => new Date(Date.UTC(2026, 0, 2, 12, 0, 0) + seconds * 1000).toISOString();

function call(seconds: number, error: string | null = null, pod = API, durationMs = 0): string {
  const ip = pod === API ? '10.0.1.1' : '10.0.1.2';
  const [level, outcome] = error === null ? ['info', ''] : ['error', ` error="${error}"`];
  return `${at(seconds)}\t${level}\taccess\tconnection complete\tsrc.addr=10.0.0.10:40000 src.workload="web-5f7c9d8b4-abcde" src.namespace="shop" src.identity="spiffe://cluster.local/ns/shop/sa/web" dst.addr=${ip}:15008 dst.hbone_addr=${ip}:8080 dst.service="api.pay.svc.cluster.local" dst.workload="${pod}" dst.namespace="pay" dst.identity="spiffe://cluster.local/ns/pay/sa/api" direction="inbound" bytes_sent=0 bytes_recv=0 duration="${durationMs}ms"${outcome}`;
}

const received = (seconds: number, name = API): string =>
  `${at(seconds)}\tinfo\tinpod::statemanager\tpod received, starting proxy\tuid="d1f9da73-6b17-5cb3-b1d1-2e76d38e9377" name="${name}" namespace="pay"`;
const deleted = (seconds: number, uid = 'd1f9da73-6b17-5cb3-b1d1-2e76d38e9377'): string =>
  `${at(seconds)}\tinfo\tinpod::statemanager\tpod delete request, shutting down proxy\tuid="${uid}"`;

/** A mesh that holds the pod of the API with this status and metadata, as YAML in braces. */
function meshWith(status: string, metadata = ''): MeshView {
  const pod = `{apiVersion: v1, kind: Pod, metadata: {name: ${API}, namespace: pay, labels: {app: api}${metadata}}, spec: {serviceAccountName: api, containers: [{name: app}]}, status: {podIP: 10.0.1.1, phase: Running, ${status}}}`;
  return createMesh(decodeManifests(pod, 'mesh.yaml').objects);
}

function findingsOf(lines: readonly string[], mesh?: MeshView): readonly ReportedFinding[] {
  return reportOn({ log: `${lines.join('\n')}\n` }, mesh).findings;
}

function only(lines: readonly string[], mesh?: MeshView): ReportedFinding {
  const [finding, ...others] = findingsOf(lines, mesh);
  expect(others).toEqual([]);
  if (finding === undefined) throw new Error('no finding');
  return finding;
}

describe('what fails only while a pod starts, and works afterwards', () => {
  const started = [received(0), call(2, NONE_ALLOWED), call(4.2, NONE_ALLOWED), call(9), call(300)];

  it('is a note that says so, and nothing is to be changed', () => {
    const finding = only(started);
    expect(finding.level).toBe('note');
    expect(finding.category).toBe('authorization');
    expect(finding.cause).toContain(
      `Seen only in the first 5 seconds of the proxy of pod pay/${API}; the same calls worked afterwards.`,
    );
    expect(finding.remedies.map(({ kind, changes }) => [kind, changes.length])).toEqual([['none', 0]]);
  });

  it.each([
    ['startTime', `startTime: "${at(0)}"`],
    ['a container', `containerStatuses: [{name: app, state: {running: {startedAt: "${at(0)}"}}}]`],
  ])('by %s in the status of the pod', (_name, status) => {
    const finding = only([call(2, NONE_ALLOWED), call(9)], meshWith(status));
    expect(finding.level).toBe('note');
    expect(finding.cause).toContain(`Seen only in the first 2 seconds of pod pay/${API};`);
  });

  it('may take as long as the pod takes until it is ready', () => {
    const ready = (seconds: number): MeshView =>
      meshWith(
        `startTime: "${at(0)}", conditions: [{type: Ready, status: "True", lastTransitionTime: "${at(seconds)}"}]`,
      );
    const lines = [call(2, REFUSED), call(200, REFUSED), call(260)];
    expect(only(lines, ready(240)).level).toBe('note');
    expect(only(lines, ready(2)).level).toBe('error');
    expect(only(lines, ready(7200)).level).toBe('error');
  });

  it('is as bad as ever where it fails again later', () => {
    const finding = only([...started, call(4000, NONE_ALLOWED), call(4010)]);
    expect(finding.level).toBe('error');
    expect(finding.cause).not.toContain('Seen only');
  });

  it('is as bad as ever where the call that worked was open before', () => {
    expect(only([received(0), call(2, NONE_ALLOWED), call(9, null, API, 8000)]).level).toBe('error');
  });

  it('is as bad as ever where nobody is named whose calls worked', () => {
    const handshake = `${at(2)}\twarn\thyper_util:proxy{wl=pay/${API}}\tTLS handshake error: tls handshake error: Custom { kind: InvalidData, error: InvalidCertificate(Other(OtherError(SanTrustDomainError("cluster.local", [Spiffe { trust_domain: "old.example", namespace: "shop", service_account: "web" }])))) }`;
    const finding = only([received(0), handshake, call(9)]);
    expect([finding.ruleId, finding.level]).toEqual(['ztunnel-trust-domain-mismatched', 'error']);
  });

  it('is as bad as ever in a pod that runs for long', () => {
    expect(only([received(-3600), call(2, NONE_ALLOWED), call(9)]).level).toBe('error');
    expect(only([call(2, NONE_ALLOWED), call(9)]).level).toBe('error');
  });

  it('is no start-up where a DENY policy is named', () => {
    expect(only([received(0), call(2, DENIED), call(9)]).level).toBe('error');
  });

  it('counts pod by pod', () => {
    const rollout = [received(0), call(2, REFUSED), call(9), received(600, OTHER_API), call(603, REFUSED, OTHER_API)];
    expect(only([...rollout, call(620, null, OTHER_API)]).level).toBe('note');
    expect(only(rollout.with(3, received(500, OTHER_API))).level).toBe('error');
  });
});

describe('what fails only while a pod starts, and was not tried again', () => {
  it('is a warning, if calls of one of the ends went on and no policy refused', () => {
    const others = call(300).replaceAll('10.0.0.10', '10.0.0.11').replaceAll('web', 'cart');
    const finding = only([received(0), call(2, REFUSED), others]);
    expect(finding.level).toBe('warning');
    expect(finding.cause).toContain('the same calls were not seen again, so it may be over.');
    expect(finding.remedies.length).toBeGreaterThan(0);
    expect(only([received(0), call(2, NONE_ALLOWED), others]).level).toBe('error');
    expect(only([received(0), call(2, REFUSED)]).level).toBe('error');
    expect(only([received(0), call(2, REFUSED), others.replace(at(300), at(30))]).level).toBe('error');
  });
});

describe('what fails only while a pod ends', () => {
  const ending = [call(2), call(605, REFUSED), call(608, REFUSED), call(640, null, OTHER_API)];

  it('is a note, by the line of ztunnel or by the pod', () => {
    const told = only([received(0), ...ending, deleted(604)]);
    expect(told.level).toBe('note');
    expect(told.cause).toContain(`Seen only around the end of the proxy of pod pay/${API};`);
    const metadata = `, deletionTimestamp: "${at(634)}", deletionGracePeriodSeconds: 30`;
    expect(only(ending, meshWith(`startTime: "${at(0)}"`, metadata)).level).toBe('note');
  });
});

it('the end of another pod, told by its uid alone, is not the end of this one', () => {
  const other = '0b5c1c1e-2f0a-4c52-9d4c-7c0e1a4f3d21';
  const lines = [received(0), call(905, REFUSED), call(940, null, OTHER_API), deleted(900, other)];
  expect(only([...lines, deleted(901)]).level).toBe('error');
  expect(only([received(0), call(905, REFUSED), call(940, null, OTHER_API), deleted(901)]).level).toBe('note');
  expect(only([...lines, deleted(100)]).level).toBe('error');
});

describe('a ztunnel that waits for data about a pod', () => {
  const waited = (seconds: number): string =>
    `${at(seconds)}\twarn\tstate\ttimed out waiting for workload 'api.pay (${API})' from xds`;

  it('does no harm in the first seconds of the pod, and tells of the control plane later', () => {
    expect(only([received(0), waited(5), call(9)]).level).toBe('note');
    expect(only([received(0), waited(5), call(9), waited(900)]).level).toBe('warning');
  });
});

describe('a sidecar', () => {
  const roleOf = (seconds: number, pod: string, ip: string): string =>
    `${at(seconds).replace('Z', '000Z')}\tinfo\tProxy role\tips=[${ip}] type=sidecar id=${pod}.pay domain=pay.svc.cluster.local`;
  const role = roleOf(0, API, '10.0.1.1');
  const request = (seconds: number, path: string, outcome: string): string =>
    `[${at(seconds)}] "GET ${path} HTTP/1.1" ${outcome} "-" "curl/8" "r" "api.pay:8080" "10.0.1.1:8080" inbound|8080|| 127.0.0.6:1 10.0.1.1:8080 10.0.0.10:5 outbound_.8080_._.api.pay.svc.cluster.local default`;
  const refused = (seconds: number): string =>
    request(
      seconds,
      '/',
      '503 UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} - "delayed_connect_error:_Connection_refused" 0 91 0 -',
    );
  const served = (seconds: number, path = '/'): string => request(seconds, path, '200 - via_upstream - "-" 0 91 0 0');

  it('names its pod when it starts', () => {
    const finding = only([role, refused(3), served(20)]);
    expect(finding.level).toBe('note');
    expect(finding.cause).toContain('Seen only in the first 3 seconds');
    expect(only([role, refused(3), served(20), refused(800)]).level).toBe('error');
  });

  it('names the pod of the input, unless several wrote into it', () => {
    const own = roleOf(0, API, '10.0.9.1');
    const others = [OTHER_API, 'api-6d4cf56db6-zzzzz'].map((pod, index) => roleOf(-3600, pod, `10.0.9.${index + 2}`));
    expect(only([own, refused(3), served(20)]).level).toBe('note');
    for (const count of [1, 2])
      expect(only([...others.slice(0, count), own, refused(3), served(20)]).level).toBe('error');
  });

  it('names no pod for an address that two had', () => {
    const [own, former] = [roleOf(0, API, '10.0.1.1'), roleOf(-3600, OTHER_API, '10.0.1.1')];
    for (const order of [
      [own, former],
      [former, own],
    ])
      expect(only([...order, refused(3), served(20)]).level).toBe('error');
  });

  it('denies one operation and serves another all the time', () => {
    const denied = request(3, '/admin', '403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 -');
    expect(only([role, denied, served(20)]).level).toBe('error');
    expect(only([role, denied, served(20, '/admin')]).level).toBe('note');
  });
});

it('tells where a pod began thousands of times, as a hostile log may say', () => {
  const letters = (index: number): string => [...String(index)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
  const starts = Array.from({ length: 2000 }, (_, index) => `${received(index)} ${letters(index)}="x"`);
  const finding = only([...starts, call(1000.5, REFUSED), call(1003)]);
  expect(finding.level).toBe('note');
  expect(finding.cause).toContain('Seen only in the first 60 seconds');
});

it('laws: neither the order of lines nor a log that is read twice changes what is told', () => {
  const lines = [
    received(0),
    call(2, NONE_ALLOWED),
    call(4.2, NONE_ALLOWED),
    call(9),
    deleted(400),
    call(401, REFUSED),
  ];
  const told = (some: readonly string[]): unknown =>
    findingsOf(some).map(({ ruleId, level, cause }) => ({ ruleId, level, cause }));
  expect(told([...lines, ...lines])).toEqual(told(lines));
  fc.assert(
    fc.property(fc.shuffledSubarray(lines, { minLength: lines.length }), (shuffled) => {
      expect(told(shuffled)).toEqual(told(lines));
    }),
  );
});
