import { existsSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMesh, unknownMesh } from '../src/mesh/view.ts';
import { missingEnd } from '../src/missing-end.ts';
import { UNKNOWN_ORIGIN } from '../src/model/line.ts';
import {
  type ConnectionRecord,
  type EnvoyFacts,
  type LogRecord,
  type RequestRecord,
  UNKNOWN_ENVOY,
  UNKNOWN_PEER,
} from '../src/model/record.ts';
import type { Flow } from '../src/model/traffic.ts';
import { clockProblems, readClocks } from '../src/traffic/join/clocks.ts';
import type { Incident } from '../src/traffic/join/incident.ts';
import { joinEnds } from '../src/traffic/join/join.ts';
import { emptyTraffic, fold } from '../src/traffic/traffic.ts';
import { reportOn, reportOnFiles } from './analysis.ts';
import { hasShared, needsShared, shared } from './shared.ts';

/** One failure that two proxies print. */
interface Event {
  readonly id: number;
  readonly caller: string;
  readonly pod: string;
  readonly port: number;
  readonly kind: 'tunnel' | 'request';
  /** What only the destination says. */
  readonly cause: string;
  /** What the source says of that. */
  readonly answer: string;
  readonly second: number;
  /** Which ends' lines are in the logs. */
  readonly ends: readonly ('source' | 'destination')[];
}

const TUNNEL_CAUSES = [
  ['connection closed due to policy rejection: explicitly denied by: a/one', 'http status: 401 Unauthorized'],
  ['connection closed due to policy rejection: explicitly denied by: a/two', 'http status: 401 Unauthorized'],
  ['connection failed: Connection refused (os error 111)', 'http status: 503 Service Unavailable'],
] as const;
const REQUEST_CAUSES = [
  ['rbac_access_denied_matched_policy[none]', 'via_upstream'],
  ['rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]', 'via_upstream'],
] as const;

const BOTH = ['source', 'destination'] as const;

function eventsOf(ends: fc.Arbitrary<readonly ('source' | 'destination')[]>): fc.Arbitrary<Event[]> {
  const event = fc
    .record({
      caller: fc.constantFrom('10.0.1.1', '10.0.1.2'),
      pod: fc.constantFrom('10.0.2.1', '10.0.2.2'),
      port: fc.constantFrom(8080, 9090),
      what: fc.oneof(
        fc.constantFrom(...TUNNEL_CAUSES).map((pair) => ({ kind: 'tunnel' as const, pair })),
        fc.constantFrom(...REQUEST_CAUSES).map((pair) => ({ kind: 'request' as const, pair })),
      ),
      second: fc.nat(100),
      ends,
    })
    .map(({ what: { kind, pair }, ...rest }) => ({ ...rest, kind, cause: pair[0], answer: pair[1] }));
  return fc.array(event, { maxLength: 40 }).map((events) => events.map((one, id) => ({ ...one, id })));
}

const ENVOY: EnvoyFacts = { ...UNKNOWN_ENVOY, flags: [], detailsKnown: true, upstreamKnown: true };

function timeOf(second: number): string {
  return new Date(Date.UTC(2026, 0, 2) + second * 1000).toISOString().replace('Z', '000Z');
}

function lineOf(event: Event, end: 'source' | 'destination', ahead = 0): LogRecord {
  const { id, caller, pod, port, cause, answer } = event;
  const isSource = end === 'source';
  const base = {
    parser: 'test',
    reporter: end,
    origin: UNKNOWN_ORIGIN,
    time: timeOf(event.second + (isSource ? ahead : 0)),
    raw: `event ${id}`,
    at: { input: `${event.kind}-${end}.log`, line: id + 1 },
    service: null,
    bytesSent: 0,
    bytesReceived: 0,
    durationMs: 1,
  };
  const source = { ...UNKNOWN_PEER, address: caller, port: 40000 + id };
  if (event.kind === 'tunnel') {
    return {
      ...base,
      kind: 'connection',
      proxy: 'ztunnel',
      phase: 'complete',
      source: isSource ? source : { ...source, port: 50000 },
      destination: { ...UNKNOWN_PEER, address: pod, port: 15008 },
      hboneAddress: `${pod}:${port}`,
      error: isSource ? answer : cause,
      envoy: null,
    } satisfies ConnectionRecord;
  }
  const envoy: EnvoyFacts = {
    ...ENVOY,
    details: isSource ? answer : cause,
    upstreamHost: isSource ? `${pod}:${port}` : null,
    upstreamLocal: isSource ? `${caller}:${41000 + id}` : null,
    downstreamLocal: isSource ? '10.96.0.1:80' : `${pod}:${port}`,
    downstreamRemote: `${caller}:${41000 + id}`,
    requestId: `id-${id}`,
  };
  return {
    ...base,
    kind: 'request',
    proxy: 'envoy',
    source,
    destination: { ...UNKNOWN_PEER, address: pod, port },
    method: 'GET',
    path: '/',
    authority: 'web',
    protocol: 'HTTP/1.1',
    status: 403,
    envoy,
  } satisfies RequestRecord;
}

function linesOf(events: readonly Event[], ahead = 0): LogRecord[] {
  return events.flatMap((event) => event.ends.map((end) => lineOf(event, end, ahead)));
}

function flowsOf(records: readonly LogRecord[]): readonly Flow[] {
  const traffic = emptyTraffic();
  for (const record of records) fold(traffic, record);
  return [...traffic.flows.values()];
}

function total(incidents: readonly Incident[]): number {
  return incidents.reduce((sum, { count }) => sum + count, 0);
}

/** Incidents as plain data, in an order of their own. */
function plain(incidents: readonly Incident[]): readonly string[] {
  return incidents
    .map(({ flow, others, count }) => JSON.stringify([flow.key, count, others.map(({ key }) => key).sort()]))
    .sort();
}

const SOME_ENDS = fc.constantFrom<readonly ('source' | 'destination')[]>(BOTH, BOTH, ['source'], ['destination']);

describe('joining the ends of random failures', () => {
  it('gives the same incidents in any order of the lines', () => {
    fc.assert(
      fc.property(eventsOf(SOME_ENDS), fc.func(fc.integer()), (events, by) => {
        const lines = linesOf(events);
        const shuffled = [...lines].sort((a, b) => by(a.raw, a.reporter) - by(b.raw, b.reporter));
        expect(plain(joinEnds(flowsOf(shuffled)))).toEqual(plain(joinEnds(flowsOf(lines))));
      }),
    );
  });

  it('joins no line of another caller, pod, port, answer or request', () => {
    fc.assert(
      fc.property(eventsOf(SOME_ENDS), (events) => {
        const idsOf = (flow: Flow): readonly number[] =>
          events
            .filter((event) => event.ends.some((end) => flowsOf([lineOf(event, end)])[0]?.key === flow.key))
            .map(({ id }) => id);
        for (const { flow, others } of joinEnds(flowsOf(linesOf(events)))) {
          for (const other of others) {
            const [a, b] = [idsOf(flow), idsOf(other)].map((ids) =>
              ids.map((id) => events[id]).filter((event) => event !== undefined),
            );
            expect(b?.some((seen) => a?.some((named) => isAlike(named, seen)))).toBe(true);
            const isWhole = flow.count <= 3 && other.count <= 3;
            if (other.record.kind === 'request' && isWhole) {
              expect(b?.some((seen) => a?.some((named) => named.id === seen.id))).toBe(true);
            }
          }
        }
      }),
    );
  });

  it('counts each failure once if both ends are whole, and never fewer than an end saw', () => {
    fc.assert(
      fc.property(eventsOf(fc.constant(BOTH)), (events) => {
        expect(total(joinEnds(flowsOf(linesOf(events))))).toBe(events.length);
      }),
    );
    fc.assert(
      fc.property(eventsOf(SOME_ENDS), (events) => {
        const told = total(joinEnds(flowsOf(linesOf(events))));
        for (const end of BOTH) {
          expect(told).toBeGreaterThanOrEqual(events.filter(({ ends }) => ends.includes(end)).length);
        }
        expect(told).toBeLessThanOrEqual(linesOf(events).length);
      }),
    );
  });

  it('requests are joined by their ids whatever the clocks say, and the clocks are told', () => {
    const requests = eventsOf(fc.constant(BOTH)).map((events) => events.filter(({ kind }) => kind === 'request'));
    fc.assert(
      fc.property(requests, fc.integer({ min: 2, max: 100_000 }), (events, ahead) => {
        const incidents = joinEnds(flowsOf(linesOf(events, ahead)));
        const clocks = [...readClocks(incidents).values()];
        for (const clock of clocks) {
          expect(clock).toMatchObject({ logs: ['request-destination.log', 'request-source.log'] });
          expect(clock.aheadMs).toBe(-ahead * 1000);
        }
        if (events.length <= 3) expect(total(incidents)).toBe(events.length);
        if (events.length >= 2 && events.length <= 3) {
          expect(clockProblems(incidents)).toMatchObject([{ about: 'clocks' }]);
        }
      }),
    );
  });

  it('logs of pods with one name in two namespaces have a clock each', () => {
    const events = [1, 2].map((id): Event => ({ ...EVENT, ...REQUEST, id, second: id }));
    const records = events.flatMap((event) =>
      BOTH.map((end): LogRecord => {
        const origin = { ...UNKNOWN_ORIGIN, namespace: end === 'source' ? 'shop' : 'batch', pod: 'web-0' };
        return { ...lineOf(event, end, 30), origin };
      }),
    );
    expect(clockProblems(joinEnds(flowsOf(records)))).toMatchObject([
      { message: expect.stringContaining('behind shop/web-0 is 30 s ahead of the one behind batch/web-0') },
    ]);
  });

  it('right clocks are not called wrong', () => {
    fc.assert(
      fc.property(eventsOf(SOME_ENDS), (events) => {
        for (const { aheadMs, pairs } of readClocks(joinEnds(flowsOf(linesOf(events)))).values()) {
          expect([aheadMs, pairs]).toEqual([0, 0]);
        }
      }),
    );
  });

  it('more flows of one key than can be compared are not joined', () => {
    const many = Array.from({ length: 3000 }, (_, id): LogRecord => {
      const event = { ...EVENT, id, cause: `${EVENT.cause}-${id}` };
      return { ...lineOf(event, id % 2 === 0 ? 'source' : 'destination'), service: `service-${id}` } as LogRecord;
    });
    expect(joinEnds(flowsOf(many))).toHaveLength(3000);
  });
});

function isAlike(a: Event, b: Event): boolean {
  return a.caller === b.caller && a.pod === b.pod && a.port === b.port && a.answer === b.answer && a.kind === b.kind;
}

const EVENT: Event = {
  id: 0,
  caller: '10.0.1.1',
  pod: '10.0.2.1',
  port: 8080,
  kind: 'tunnel',
  cause: TUNNEL_CAUSES[0][0],
  answer: TUNNEL_CAUSES[0][1],
  second: 0,
  ends: BOTH,
};

const REQUEST = { kind: 'request', cause: REQUEST_CAUSES[0][0], answer: REQUEST_CAUSES[0][1] } as const;

describe('what may be one of several', () => {
  it('is counted with them, and shown with none', () => {
    const [one, two] = TUNNEL_CAUSES;
    const events = [
      { ...EVENT, id: 0, cause: one[0] },
      { ...EVENT, id: 1, cause: two[0] },
    ];
    expect(joinEnds(flowsOf(linesOf(events))).map(({ others, count }) => [others.length, count])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it('is not joined where that could hide another failure', () => {
    const refused = (id: number, port: number): LogRecord => ({
      ...(lineOf({ ...EVENT, id, port }, 'source') as ConnectionRecord),
      error: 'io error: tls handshake eof',
    });
    const unsigned: LogRecord = {
      ...(lineOf(EVENT, 'destination') as ConnectionRecord),
      hboneAddress: null,
      error: 'signing error: workload is unknown: sa.ns (pod)',
    };
    expect(joinEnds(flowsOf([refused(0, 8080), refused(1, 9090), unsigned]))).toHaveLength(3);
    expect(joinEnds(flowsOf([refused(0, 8080), unsigned]))).toHaveLength(1);
  });

  it('requests with other ids are not joined, even of one caller and path', () => {
    const event = { ...EVENT, kind: 'request' as const, cause: REQUEST_CAUSES[0][0], answer: 'via_upstream' };
    const lines = [lineOf({ ...event, id: 1 }, 'source'), lineOf({ ...event, id: 2 }, 'destination')];
    expect(joinEnds(flowsOf(lines))).toHaveLength(2);
  });
});

describe('the missing end', () => {
  const told = (record: LogRecord, mesh = unknownMesh): string | null => {
    const [incident] = joinEnds(flowsOf([record]));
    return incident === undefined ? null : missingEnd(incident, mesh);
  };
  const pod = (name: string, ip: string, node: string, labels: Readonly<Record<string, string>>): unknown => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'istio-system', labels },
    spec: { nodeName: node, containers: [{ name: 'app' }, { name: 'istio-proxy' }] },
    status: { podIP: ip, phase: 'Running' },
  });

  it('is nothing where the line names the cause itself', () => {
    expect(told(lineOf(EVENT, 'destination'))).toBeNull();
  });

  it('is the ztunnel on the node of the destination, by name where the mesh tells it', () => {
    const web = pod('web-1', EVENT.pod, 'node-b', { app: 'web' });
    const source = lineOf(EVENT, 'source');
    expect(told(source)).toMatch(/kubectl -n istio-system logs -l app=ztunnel .*\| grep -F 10\.0\.1\.1$/);
    expect(told(source, createMesh([web]))).toMatch(/--field-selector=spec\.nodeName=node-b -o name\)"/);
    const mesh = createMesh([web, pod('ztunnel-b', '10.0.9.1', 'node-b', { app: 'ztunnel' })]);
    expect(told(source, mesh)).toMatch(
      /: kubectl -n istio-system logs ztunnel-b --since-time=2026-01-02T00:00:00Z \| grep -F 10\.0\.1\.1$/,
    );
  });

  it('is the log of the container before, where the proxy started anew since', () => {
    const restarted = (startedAt: string): Readonly<Record<string, unknown>> => ({
      name: 'istio-proxy',
      restartCount: 1,
      state: { running: { startedAt } },
    });
    const about = (statuses: 'containerStatuses' | 'initContainerStatuses', startedAt: string): string => {
      const web = pod('web-1', EVENT.pod, 'node-b', { app: 'web' });
      const ztunnel = pod('ztunnel-b', '10.0.9.1', 'node-b', { app: 'ztunnel' }) as { readonly status: object };
      const status = { ...ztunnel.status, [statuses]: [restarted(startedAt)] };
      return told(lineOf(EVENT, 'source'), createMesh([web, { ...ztunnel, status }])) ?? '';
    };
    expect(about('containerStatuses', '2026-01-02T00:05:00Z')).toMatch(
      /: kubectl -n istio-system logs ztunnel-b --previous --since-time=2026-01-02T00:00:00Z \|/,
    );
    expect(about('initContainerStatuses', '2026-01-02T00:05:00Z')).toContain(' --previous ');
    expect(about('containerStatuses', '2026-01-01T00:00:00Z')).not.toContain('--previous');
    expect(about('containerStatuses', 'yesterday')).toMatch(
      /\(its proxy started anew: with --previous for what came before\): kubectl -n istio-system logs ztunnel-b --since/,
    );
  });

  it('is in the other cluster where the line tells so', () => {
    const source = lineOf(EVENT, 'source') as ConnectionRecord;
    const between = (from: string | null, to: string | null): string | null =>
      told({
        ...source,
        source: { ...source.source, cluster: from },
        destination: { ...source.destination, cluster: to },
      });
    expect(between('east', 'west')).toMatch(
      /of the destination, in cluster west \(add the --context of it\): kubectl /,
    );
    for (const one of [between('east', 'east'), between(null, 'west'), between('east', null)]) {
      expect(one).not.toContain('--context');
    }
  });

  it('is the waypoint or gateway that is the next hop', () => {
    const source = lineOf(EVENT, 'source') as ConnectionRecord;
    const destination = {
      ...UNKNOWN_PEER,
      address: '10.0.3.3',
      port: 15008,
      workload: 'waypoint-1',
      namespace: 'shop',
    };
    expect(told({ ...source, destination })).toMatch(/kubectl -n shop logs waypoint-1 .*\| grep -F 10\.0\.1\.1$/);
  });

  it('is the sidecar of the pod that was called, and its line has the id of the request', () => {
    const event = { ...EVENT, kind: 'request' as const, cause: REQUEST_CAUSES[0][0], answer: 'via_upstream' };
    const source = lineOf(event, 'source');
    expect(told(source)).toMatch(/the pod with address 10\.0\.2\.1.* -c istio-proxy .*\| grep -F id-0$/);
    const mesh = createMesh([pod('web-1', EVENT.pod, 'node-b', { app: 'web' })]);
    expect(told(source, mesh)).toMatch(/kubectl -n istio-system logs web-1 -c istio-proxy .*\| grep -F id-0$/);
  });
});

/** Captures in which only one end prints a line that can be told to be of the failure, and why. */
const ONE_END: readonly RegExp[] = [
  // Up to 1.25 a failed handshake is printed without addresses.
  /^ztunnel\/_1\.2[2-5]-(?:certificate-.*|trust-domain-mismatch|unknown-local-workload)$/,
  // The next hop is no proxy whose log is there.
  /^ztunnel\/(?:hbone-peer-not-ztunnel|waypoint-answers-403|path-lost-mid-transfer)/,
  // The server prints nothing of a failed handshake.
  /^envoy\/client-(?:dr-simple-to-strict|own-cert-expired)/,
  // Only one of the servers' logs is there.
  /^envoy\/_mixed$/,
];

describe.skipIf(!hasShared)(needsShared('captures with both ends'), () => {
  const base = (proxy: string): string => shared(`captures/${proxy}`);
  const cases = (proxy: string, sets: readonly (readonly string[])[]): [string, string[]][] =>
    (hasShared ? readdirSync(base(proxy)) : []).flatMap((folder) =>
      sets
        .map((files): [string, string[]] => [
          `${proxy}/${folder}`,
          files.map((file) => `${base(proxy)}/${folder}/${file}`).filter(existsSync),
        ])
        .filter(([name, paths]) => paths.length > 1 && !ONE_END.some((pattern) => pattern.test(name))),
    );
  const ends = (suffix: string): string[] => [`source${suffix}.log`, `destination${suffix}.log`];
  const sidecars = (format: string): string[] => [`${format}.log`, `client.${format}.log`, `server.${format}.log`];

  it.each([
    ...cases('ztunnel', [ends(''), ends('.json'), ends('.debug')]),
    ...cases('envoy', [sidecars('text'), sidecars('json'), sidecars('legacy-1.3-1.7')]),
  ])('%s: nothing is missing', (_, paths) => {
    const missing = reportOnFiles(paths).findings.flatMap(({ unchecked }) =>
      unchecked.filter((text) => text.startsWith('not in the input')),
    );
    expect(missing).toEqual([]);
  });

  it.each([
    ['allow-none-matched', ['ztunnel-allow-missed 3']],
    ['app-not-listening', ['ztunnel-application-refused 2', 'ztunnel-application-refused 1']],
    ['authz-info-logging', ['ztunnel-policy-denied 2', 'ztunnel-allow-missed 1']],
    ['certificate-clock-skew', ['ztunnel-certificate-expired 2']],
    ['certificate-san-mismatch', ['ztunnel-identity-mismatched 2']],
    ['certificate-unknown-issuer-client', ['ztunnel-certificate-untrusted 2']],
    ['certificate-unknown-issuer-server', ['ztunnel-certificate-untrusted 2']],
    ['deny-by-root-namespace-policy', ['ztunnel-policy-denied 3']],
    ['ip-mismatch', ['ztunnel-request-misrouted 2']],
    ['policy-change-closes-connection', ['ztunnel-policy-denied 1', 'ztunnel-policy-changed 1']],
    ['remote-network-double-hbone', ['ztunnel-allow-missed 2']],
    ['unknown-local-workload', Array.from({ length: 3 }, () => 'ztunnel-workload-unknown 1')],
    ['waypoint-identity-not-allowed', ['ztunnel-allow-missed 2']],
  ])('ztunnel/%s: one finding for each failure', (folder, wanted) => {
    for (const suffix of ['', '.json']) {
      const paths = ends(suffix).map((file) => `${base('ztunnel')}/${folder}/${file}`);
      const findings = reportOnFiles(paths).findings.filter(({ level }) => level !== 'note');
      expect(findings.map(({ ruleId, count }) => `${ruleId} ${count}`)).toEqual(wanted);
    }
  });

  it.each([
    ['rbac-both-sides', ['envoy-rbac-denied-none 2', 'envoy-rbac-denied-none 1']],
    ['client-dr-disable-to-strict', ['envoy-filter-chain-missed 1', 'envoy-filter-chain-missed 1']],
  ])('envoy/%s: one finding for each failure', (folder, wanted) => {
    for (const format of ['text', 'json', 'legacy-1.9-1.22']) {
      const paths = sidecars(format).map((file) => `${base('envoy')}/${folder}/${file}`);
      const findings = reportOnFiles(paths.filter(existsSync)).findings.filter(({ level }) => level !== 'note');
      expect(findings.map(({ ruleId, count }) => `${ruleId} ${count}`)).toEqual(wanted);
    }
  });
});

describe('lines of three programs about one failure', () => {
  const denial = 'error="connection closed due to policy rejection: allow policies exist, but none allowed"';
  const ztunnel = (time: string, fields: string): string =>
    `2026-11-21T12:40:${time}Z\terror\taccess\tconnection complete\t${fields}`;

  it('a request through a waypoint whose tunnel the ztunnel of the pod refuses', () => {
    const waypoint = [
      '[2026-11-21T12:40:18.254Z] "- - -" 0 UF,URX - - "tunnel_response:401" 0 0 1 - "-" "-" "-" "-" "10.244.1.17:15008" connect_originate - 10.244.1.17:8080 envoy://internal_client_address/ - -',
      '[2026-11-21T12:40:18.254Z] "GET /v1/list HTTP/1.1" 503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95 1 - "-" "python-requests/2.32.3" "e4861d5c-0c3a-4c1e-9b7a-a1b200008cdf" "refunds.shop" "envoy://connect_originate/10.244.1.17:8080" inbound-vip|80|http|refunds.shop.svc.cluster.local envoy://internal_client_address/ 10.96.10.42:80 10.244.2.20:46323 - default',
    ];
    const pod = (caller: string): string =>
      ztunnel(
        '18.255000',
        `src.addr=10.244.1.2:40000 src.workload="${caller}" src.namespace="shop" src.identity="spiffe://cluster.local/ns/shop/sa/waypoint" dst.addr=10.244.1.17:15008 dst.hbone_addr=10.244.1.17:8080 dst.workload="refunds-1" dst.namespace="shop" direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" ${denial}`,
      );
    const told = (caller: string): unknown =>
      reportOn({ 'waypoint.log': waypoint.join('\n'), 'ztunnel.log': pod(caller) }).findings.map(
        ({ ruleId, count, evidence }) => [ruleId, count, evidence.map(({ input }) => input)],
      );
    expect(told('waypoint-5d9c-abcde')).toEqual([
      ['ztunnel-allow-missed', 1, ['ztunnel.log', 'waypoint.log', 'waypoint.log']],
    ]);
    // Another caller of the same pod and port is none of the waypoint's failures.
    expect(told('batch-5d9c-abcde')).toHaveLength(2);
  });

  it('a 502 of Knative, with the denial under it', () => {
    const gateway =
      '[2026-11-21T12:40:18.200Z] "GET / HTTP/1.1" 502 - via_upstream - "-" 0 53 41 40 "203.0.113.9" "curl/8" "7dbec14f-034d-4c12-bbba-057298a480b7" "digits.models.example.com" "10.244.4.4:8012" outbound|80||digits-00001.models.svc.cluster.local 10.244.0.9:50000 10.244.0.9:8080 203.0.113.9:50100 - -';
    const activator =
      '{"severity":"ERROR","timestamp":"2026-11-21T12:40:18.236Z","logger":"activator","commit":"6a2d1a5","caller":"handler/handler.go:80","message":"error reverse proxying request; sockstat: inuse 7","error":"read tcp 10.244.4.4:45678->10.244.5.5:8012: read: connection reset by peer"}';
    const ends = `src.workload="activator-7c9f-abcde" src.namespace="knative-serving" src.identity="spiffe://cluster.local/ns/knative-serving/sa/controller" dst.addr=10.244.5.5:15008 dst.hbone_addr=10.244.5.5:8012 dst.workload="digits-00001-deployment-6b7-xyz12" dst.namespace="models"`;
    const source = ztunnel(
      '18.235000',
      `src.addr=10.244.4.4:45678 ${ends} direction="outbound" bytes_sent=0 bytes_recv=0 duration="4ms" error="http status: 401 Unauthorized"`,
    );
    const pod = ztunnel(
      '18.234000',
      `src.addr=10.244.4.4:50123 ${ends} direction="inbound" bytes_sent=0 bytes_recv=0 duration="0ms" ${denial}`,
    );
    const { findings } = reportOn({
      'gateway.log': gateway,
      'activator.log': activator,
      'ztunnel.log': `${source}\n${pod}`,
    });
    expect(
      findings.map(({ ruleId, count, evidence }) => [ruleId, count, evidence.map(({ input }) => input).sort()]),
    ).toEqual([['ztunnel-allow-missed', 1, ['activator.log', 'gateway.log', 'ztunnel.log', 'ztunnel.log']]]);
  });

  const summary = (inputs: Readonly<Record<string, string>>): readonly string[] =>
    reportOn(inputs).findings.map(({ ruleId, count, evidence }) =>
      [ruleId, count, ...evidence.map(({ input }) => input).sort()].join(' '),
    );
  const refused = (request: string, host: string, id: string): string =>
    `[2026-11-21T12:40:18.236Z] "GET ${request} HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "curl/8" "${id}" "${host}" "-" inbound|8012|| - 10.244.5.5:8012 10.244.4.4:45678 - default`;
  const said = (logger: string, message: string, error: string): string =>
    JSON.stringify({
      severity: 'ERROR',
      timestamp: '2026-11-21T12:40:18.240Z',
      logger,
      commit: '6a2d1a5',
      'knative.dev/key': 'models/digits-00001',
      message,
      error,
    });

  it.each([
    [
      'activator',
      'Failed to probe clusterIP 10.96.1.10:80',
      'unexpected status code: want [200], got 403',
      '10.96.1.10',
      '/healthz',
    ],
    [
      'activator',
      'Failed to probe clusterIP 10.96.1.10:80',
      'unexpected body: want "queue", got "RBAC: access denied"',
      '10.96.1.10:80',
      '/healthz',
    ],
    [
      'autoscaler.collector',
      'Failed to scrape metrics',
      'unsuccessful scrape, sampleSize=1: GET request for URL "http://digits-00001-private.models:9090/metrics" returned HTTP status 403',
      'digits-00001-private.models:9090',
      '/metrics',
    ],
  ])('a call of Knative itself that a sidecar denies: %s %s %s', (logger, message, error, host, path) => {
    const sidecar = refused(path, host, '7dbec14f-034d-4c12-bbba-057298a480b7');
    expect(summary({ 'knative.log': said(logger, message, error), 'sidecar.log': sidecar })).toEqual([
      'envoy-rbac-denied-none 1 knative.log sidecar.log',
    ]);
    const other = refused(path, 'other.models:80', '7dbec14f-034d-4c12-bbba-057298a480b7');
    expect(summary({ 'knative.log': said(logger, message, error), 'sidecar.log': other })).toHaveLength(2);
  });

  it('a probe of Knative that a ztunnel denies, which Go calls the end of the stream', () => {
    const line = (caller: string, end: string, error: string): string =>
      ztunnel(
        '18.235000',
        `src.addr=10.244.4.4:45678 src.workload="${caller}" src.namespace="knative-serving" src.identity="spiffe://cluster.local/ns/knative-serving/sa/controller" dst.addr=10.244.5.5:15008 dst.hbone_addr=10.244.5.5:8012 dst.workload="digits-00001-deployment-6b7-xyz12" dst.namespace="models" direction="${end}" bytes_sent=0 bytes_recv=0 duration="4ms" ${error}`,
      );
    const both = (caller: string): string =>
      `${line(caller, 'outbound', 'error="http status: 401 Unauthorized"')}\n${line(caller, 'inbound', denial)}`;
    const probe = said('activator', 'Failed probing pods', 'error roundtripping http://10.244.5.5:8012/healthz: EOF');
    expect(summary({ 'activator.log': probe, 'ztunnel.log': both('activator-7c9f-abcde') })).toEqual([
      'ztunnel-allow-missed 1 activator.log ztunnel.log ztunnel.log',
    ]);
    expect(summary({ 'activator.log': probe, 'ztunnel.log': both('batch-7c9f-abcde') })).toHaveLength(2);
  });

  it('a request through gateway and activator that the sidecar of the revision denies', () => {
    const gateway = (id: string): string =>
      `[2026-11-21T12:40:18.200Z] "GET /v1/models?a=b HTTP/1.1" 403 - via_upstream - "-" 0 19 41 40 "203.0.113.9" "curl/8" "${id}" "digits.models.example.com" "10.244.4.4:8012" outbound|80||digits-00001.models.svc.cluster.local 10.244.0.9:50000 10.244.0.9:8080 203.0.113.9:50100 - -`;
    const id = '7dbec14f-034d-4c12-bbba-057298a480b7';
    const sidecar = refused('/v1/models?a=b', 'digits.models.example.com', id);
    expect(summary({ 'gateway.log': gateway(id), 'sidecar.log': sidecar })).toEqual([
      'envoy-rbac-denied-none 1 gateway.log sidecar.log',
    ]);
    expect(summary({ 'gateway.log': gateway(id.replace('7', '8')), 'sidecar.log': sidecar })).toHaveLength(2);
  });

  it('a request through a gateway that the sidecar denies, whatever address the sidecar prints', () => {
    const line = (time: string, answer: string, rest: string): string =>
      `[2026-11-21T12:40:${time}Z] "GET /admin HTTP/1.1" 403 - ${answer} - "-" 0 19 4 3 "203.0.113.9" "curl/8" "7dbec14f-034d-4c12-bbba-057298a480b7" "shop.example.com" ${rest}`;
    const gateway = line(
      '18.200',
      'via_upstream',
      '"10.244.1.10:8080" outbound|80||web.shop.svc.cluster.local 10.244.0.9:50000 10.244.0.9:8080 203.0.113.9:50100 - -',
    );
    const server = line(
      '18.202',
      'rbac_access_denied_matched_policy[none]',
      '"-" inbound|8080|| - 10.244.1.10:8080 203.0.113.9:0 outbound_.80_._.web.shop.svc.cluster.local default',
    );
    const { findings } = reportOn({ 'gateway.log': gateway, 'server.log': server });
    expect(findings.map(({ ruleId, count, evidence }) => [ruleId, count, evidence.length])).toEqual([
      ['envoy-rbac-denied-none', 1, 2],
    ]);
  });

  it.each([
    ['[C12][S345] ', 'text'],
    ['[Tags: "ConnectionId":"12","StreamId":"345"] ', 'text'],
    ['', 'text'],
    ['[Tags: "ConnectionId":"12","StreamId":"345"] ', 'json'],
  ])('the verdict of the RBAC filter in the debug log, tagged %s, as %s', (tags, layout) => {
    const access =
      '[2026-11-21T12:40:18.200Z] "GET /admin HTTP/1.1" 403 - rbac_access_denied_matched_policy[ns[shop]-policy[a]-rule[0]] - "-" 0 19 0 - "-" "curl/8" "7dbec14f-034d-4c12-bbba-057298a480b7" "web.shop" "-" inbound|8080|| - 10.244.1.10:8080 10.244.2.20:50100 - default';
    const said = (policy: string): string =>
      `${tags}enforced denied, matched policy ns[shop]-policy[${policy}]-rule[0]`;
    const debug = (policy: string): string =>
      layout === 'json'
        ? JSON.stringify({
            level: 'debug',
            time: '2026-11-21T12:40:18.200500Z',
            scope: 'envoy rbac',
            msg: `source/rbac_filter.cc:233\t${said(policy)}\tthread=21`,
          })
        : `2026-11-21T12:40:18.200500Z\tdebug\tenvoy rbac source/rbac_filter.cc:233\t${said(policy)}\tthread=21`;
    const told = (policy: string): readonly string[] =>
      reportOn({ log: `${access}\n${debug(policy)}\n` }).findings.map(({ ruleId, count, evidence }) =>
        [ruleId, count, evidence.length].join(' '),
      );
    expect(told('a')).toEqual(['envoy-rbac-denied-rule 1 2']);
    // Another policy's verdict is of another request.
    expect(told('b')).toHaveLength(2);
  });

  it('a verdict of the RBAC filter is told with the dump of its own thread, whatever stands between', () => {
    const debug = (thread: number, message: string): string =>
      `2026-11-21T12:40:18.200500Z\tdebug\tenvoy rbac source/rbac_filter.cc:233\t${message}\tthread=${thread}`;
    const dump = (thread: number): string =>
      debug(
        thread,
        `checking request: requestedServerName: -, sourceIP: 10.0.1.${thread}:40000, directRemoteIP: 10.0.1.${thread}:40000, remoteIP: 10.0.1.${thread}:40000,localAddress: 10.0.2.1:8080, ssl: uriSanPeerCertificate: spiffe://cluster.local/ns/shop/sa/caller-${thread}, dnsSanPeerCertificate: , subjectPeerCertificate: , headers: ':authority', 'web'\n':path', '/'\n':method', 'GET'\n, dynamicMetadata: `,
      );
    const denied = (thread: number): string => debug(thread, 'enforced denied, matched policy none');
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 20 })), fc.func(fc.integer()), (threads, by) => {
        const shuffled = [...threads].sort((a, b) => by(a) - by(b));
        const lines = [...threads.map(dump), ...shuffled.map(denied)];
        const callers = reportOn({ log: lines.join('\n') }).findings.map(
          ({ source, count }) => `${source.principal} ${count}`,
        );
        expect(callers.sort()).toEqual(threads.map((thread) => `cluster.local/ns/shop/sa/caller-${thread} 1`).sort());
      }),
      { numRuns: 30 },
    );
    // A second verdict is of a dump that is not there, and so is one that comes much later.
    const unknown = [dump(1), denied(1), denied(1), dump(2), denied(2).replace('12:40', '12:41')];
    expect(
      reportOn({ log: unknown.join('\n') }).findings.map(({ source, count }) => [source.principal, count]),
    ).toEqual([
      [null, 2],
      ['cluster.local/ns/shop/sa/caller-1', 1],
    ]);
  });

  it.each([
    ["rejected the request. Response status code: '403'", 'ext_authz_denied', true],
    ["rejected the request. Response status code: '403'", 'ext_authz_error', false],
    ['rejected the request with an error. Response status code: 403', 'ext_authz_error', true],
    ['allowed the request with error: other, since failure_mode_allow is set', 'ext_authz_error', false],
  ])('what the filter for external authorizers says of itself: %s is of %s: %s', (said, details, isOne) => {
    const access = `[2026-11-21T12:40:18.200Z] "GET / HTTP/1.1" 403 UAEX ${details} - "-" 0 0 12 - "-" "curl/8" "7dbec14f-034d-4c12-bbba-057298a480b7" "web.shop" "-" inbound|8080|| - 10.244.1.10:8080 10.244.2.20:50100 - default`;
    const debug = `[2026-11-21 12:40:18.212][21][trace][ext_authz] [source/extensions/filters/http/ext_authz/ext_authz.cc:468] [Tags: "ConnectionId":"12","StreamId":"345"] ext_authz filter ${said}`;
    const { findings } = reportOn({ log: `${access}\n${debug}` });
    expect(findings.map(({ evidence }) => evidence.length)).toEqual([isOne ? 2 : 1]);
  });

  it('pods of one name in two namespaces are not joined', () => {
    const debug =
      '2026-11-21T12:40:18.200500Z\tdebug\tenvoy rbac source/rbac_filter.cc:233\tenforced denied, matched policy none\tthread=21';
    const access =
      '[2026-11-21T12:40:18.200Z] "GET / HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "curl/8" "7dbec14f-034d-4c12-bbba-057298a480b7" "web.shop" "-" inbound|8080|| - 10.244.1.10:8080 10.244.2.20:50100 - default';
    const told = (namespace: string): number =>
      reportOn({
        'b.tgz!proxies/shop/web-0/istio-proxy.log': access,
        [`b.tgz!proxies/${namespace}/web-0/istio-proxy.log`]: namespace === 'shop' ? `${access}\n${debug}` : debug,
      }).findings.length;
    expect([told('shop'), told('batch')]).toEqual([1, 2]);
  });
});
