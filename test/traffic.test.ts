import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UNKNOWN_ORIGIN } from '../src/model/line.ts';
import { type ConnectionRecord, type LogRecord, UNKNOWN_PEER } from '../src/model/record.ts';
import type { Traffic } from '../src/model/traffic.ts';
import { pathShape } from '../src/text/path-shape.ts';
import { parseSpiffeId } from '../src/text/spiffe.ts';
import { joinEnds } from '../src/traffic/join/join.ts';
import { flowKey, maskVolatile } from '../src/traffic/key.ts';
import { emptyTally, emptyTraffic, fold, MAX_FLOWS, merge } from '../src/traffic/traffic.ts';

const connection = (line: number, change: Partial<ConnectionRecord> = {}): ConnectionRecord => ({
  kind: 'connection',
  at: { input: 'a.log', line },
  parser: 'ztunnel-text',
  proxy: 'ztunnel',
  reporter: 'destination',
  origin: UNKNOWN_ORIGIN,
  time: `2026-01-02T03:04:${String(line % 60).padStart(2, '0')}.000000Z`,
  raw: `line ${line}`,
  phase: 'complete',
  source: {
    ...UNKNOWN_PEER,
    address: '10.0.0.1',
    port: 30000 + line,
    identity: parseSpiffeId('spiffe://td/ns/a/sa/web'),
  },
  destination: { ...UNKNOWN_PEER, address: '10.0.0.2', port: 15008 },
  service: null,
  hboneAddress: '10.0.0.2:8080',
  bytesSent: 1,
  bytesReceived: 2,
  durationMs: line,
  error: null,
  envoy: null,
  ...change,
});

const arbitraryRecord: fc.Arbitrary<LogRecord> = fc
  .record({
    line: fc.integer({ min: 1, max: 500 }),
    input: fc.constantFrom('a.log', 'b.log'),
    address: fc.constantFrom('10.0.0.1', '10.0.0.9', '8.8.8.8', '9.9.9.9', null),
    error: fc.constantFrom(null, 'http status: 401 Unauthorized', 'io error: deadline has elapsed'),
    second: fc.option(fc.integer({ min: 0, max: 59 }), { nil: null }),
  })
  .map(({ line, input, address, error, second }) =>
    connection(line, {
      at: { input, line },
      error,
      source: { ...UNKNOWN_PEER, address, port: line },
      time: second === null ? null : `2026-01-02T03:04:${String(second).padStart(2, '0')}.000000Z`,
    }),
  );

function observe(records: readonly LogRecord[]): Traffic {
  const traffic = emptyTraffic();
  for (const record of records) {
    const tally = traffic.tallies.get(record.at.input) ?? emptyTally(record.at.input);
    tally.lines++;
    tally.records++;
    traffic.tallies.set(record.at.input, tally);
    fold(traffic, record);
  }
  return traffic;
}

/** Traffic as plain data, flows and tallies in the order of their keys. */
function plain(traffic: Traffic): unknown {
  const sorted = <T>(map: Map<string, T>): [string, T][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
  return { flows: sorted(traffic.flows), tallies: sorted(traffic.tallies), overflow: traffic.overflow };
}

describe('traffic is a commutative monoid', () => {
  it('the order of records changes nothing', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(arbitraryRecord, { selector: (record) => `${record.at.input}:${record.at.line}` }),
        fc.func(fc.integer()),
        (records, by) => {
          const shuffled = [...records].sort((a, b) => by(a.at.line, a.at.input) - by(b.at.line, b.at.input));
          expect(plain(observe(shuffled))).toEqual(plain(observe(records)));
        },
      ),
    );
  });

  it('merge of parts equals the whole, in any order, and nothing is the neutral element', () => {
    const unique = fc.uniqueArray(arbitraryRecord, { selector: (record) => `${record.at.input}:${record.at.line}` });
    fc.assert(
      fc.property(unique, fc.nat(100), (records, cut) => {
        const [a, b] = [observe(records.slice(0, cut)), observe(records.slice(cut))];
        const whole = plain(observe(records));
        expect(plain(merge(a, b))).toEqual(whole);
        expect(plain(merge(b, a))).toEqual(whole);
        expect(plain(merge(emptyTraffic(), merge(a, b)))).toEqual(whole);
      }),
    );
  });

  it('a log twice doubles the counts and changes nothing else', () => {
    fc.assert(
      fc.property(fc.array(arbitraryRecord), (records) => {
        const once = observe(records);
        const twice = merge(once, once);
        expect([...twice.flows.keys()]).toEqual([...once.flows.keys()]);
        for (const [key, flow] of once.flows) expect(twice.flows.get(key)?.count).toBe(flow.count * 2);
      }),
    );
  });

  it('more flows than the bound are counted as overflow, failures last, and totals stay exact', () => {
    const traffic = emptyTraffic();
    const flows = MAX_FLOWS + 5000;
    for (let index = 0; index < flows; index++) {
      const failed = index % 100 === 0;
      fold(traffic, connection(index, { hboneAddress: `10.0.0.2:${index}`, error: failed ? 'odd' : null }));
    }
    const kept = [...traffic.flows.values()];
    expect(kept.length).toBeLessThanOrEqual(MAX_FLOWS);
    expect(kept.reduce((sum, flow) => sum + flow.count, 0) + traffic.overflow.records).toBe(flows);
    expect(traffic.overflow.failures).toBe(0);
  });
});

describe('flow keys', () => {
  it('hold no source port, time, size or duration', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9999 }), fc.integer({ min: 1, max: 9999 }), (a, b) => {
        expect(flowKey(connection(a))).toBe(flowKey(connection(b)));
      }),
    );
  });

  it.each([
    ['certificate expired: verification time 1789000000 (UNIX)', 'certificate expired: verification time # (UNIX)'],
    ['no healthy upstream: 10.96.0.7:80', 'no healthy upstream: 10.96.0.7:80'],
    ['explicitly denied by: shop/deny-2', 'explicitly denied by: shop/deny-2'],
    ['peer 10.0.0.1:54321 gone after 300ms', 'peer 10.0.0.1:# gone after #'],
    ['http status: 401 Unauthorized', 'http status: 401 Unauthorized'],
    ['from [fd00::1]:43210 closed', 'from [fd00::1]:# closed'],
  ])('mask %s', (text, masked) => {
    expect(maskVolatile(text)).toBe(masked);
  });

  it.each([
    ['/api/items/42?page=2', '/api/items/*'],
    ['/v1/users/5f3c2b1a-9d8e-4f70-8a6b-5c4d3e2f1a0b/cart', '/v1/users/*/cart'],
    ['/static/app.js#top', '/static/app.js'],
    ['/v1/models/mnist:predict', '/v1/models/mnist:predict'],
  ])('the shape of %s is %s', (path, shape) => {
    expect(pathShape(path)).toBe(shape);
  });
});

describe('joining both ends', () => {
  const denied = (line: number): ConnectionRecord =>
    connection(line, { error: 'connection closed due to policy rejection: allow policies exist, but none allowed' });
  const refused = (line: number): ConnectionRecord =>
    connection(line, { reporter: 'source', error: 'http status: 401 Unauthorized' });

  function incidentsOf(records: readonly LogRecord[]): { error: string | null; count: number; others: number }[] {
    return joinEnds([...observe(records).flows.values()]).map(({ flow, others, count }) => ({
      error: flow.record.kind === 'connection' ? flow.record.error : null,
      count,
      others: others.length,
    }));
  }

  it('a 401 at the source and the rejection at the destination are one incident', () => {
    expect(incidentsOf([refused(1), denied(2), refused(3), denied(4)])).toEqual([
      { error: denied(2).error, count: 2, others: 1 },
    ]);
  });

  it('what the source saw beyond what the destination saw stays an incident of its own', () => {
    const incidents = incidentsOf([refused(1), refused(2), refused(3), denied(4)]);
    expect(incidents).toContainEqual({ error: denied(4).error, count: 1, others: 1 });
    expect(incidents).toContainEqual({ error: refused(1).error, count: 2, others: 0 });
  });

  it('ends of different callers are not joined', () => {
    const stranger = connection(9, {
      reporter: 'source',
      error: 'http status: 401 Unauthorized',
      source: { ...UNKNOWN_PEER, address: '10.0.0.77', port: 1 },
    });
    expect(incidentsOf([stranger, denied(2)])).toHaveLength(2);
  });

  it('the order of flows changes nothing', () => {
    const someone = fc.record({
      port: fc.constantFrom('10.0.0.2:1', '10.0.0.2:2'),
      source: fc.boolean(),
      service: fc.constantFrom('a', 'b', 'c'),
    });
    fc.assert(
      fc.property(fc.array(someone, { maxLength: 40 }), fc.func(fc.integer()), (items, by) => {
        const records = items.map(({ port, source, service }, index) => ({
          ...(source ? refused(index) : denied(index)),
          hboneAddress: port,
          service,
        }));
        const told = (order: readonly LogRecord[]): unknown =>
          joinEnds([...observe(order).flows.values()])
            .map(({ flow, others, count }) => [flow.key, count, others.map((other) => other.key).sort()])
            .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
        const shuffled = [...records].sort((a, b) => by(a.at.line) - by(b.at.line));
        expect(told(shuffled)).toEqual(told(records));
      }),
    );
  });

  it('what one end saw at another time is not explained by what the other end named', () => {
    const at = (record: ConnectionRecord, time: string): ConnectionRecord => ({
      ...record,
      time: `2026-01-02T${time}.000000Z`,
    });
    const other = (line: number): ConnectionRecord =>
      connection(line, { error: 'connection closed due to policy rejection: explicitly denied by: a/b' });
    const counts = incidentsOf([
      ...Array.from({ length: 5 }, (_, index) => at(denied(index + 1), '00:00:00')),
      ...Array.from({ length: 5 }, (_, index) => at(other(index + 10), '00:59:00')),
      ...Array.from({ length: 10 }, (_, index) => at(refused(index + 20), '00:01:00')),
    ]);
    expect(counts.map(({ count }) => count).sort()).toEqual([5, 5, 5]);
  });

  it('no failure is lost or counted twice: the larger end decides', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.nat(20), (sources, destinations) => {
        const records = [
          ...Array.from({ length: sources }, (_, index) => refused(index + 1)),
          ...Array.from({ length: destinations }, (_, index) => denied(index + 100)),
        ];
        const total = incidentsOf(records).reduce((sum, incident) => sum + incident.count, 0);
        expect(total).toBe(Math.max(sources, destinations));
      }),
    );
  });
});

describe('who printed a record', () => {
  const from = (pod: string | null, namespace: string | null, cluster: string | null, input = 'a.log'): string =>
    flowKey(connection(1, { origin: { ...UNKNOWN_ORIGIN, pod, namespace, cluster }, at: { input, line: 1 } }));

  it('tells pods of one name in two namespaces or clusters apart', () => {
    const keys = [from('web-0', 'shop', null), from('web-0', 'batch', null), from('web-0', 'shop', 'east')];
    expect(new Set(keys).size).toBe(3);
  });

  it('tells the archives and folders of two clusters apart, and no two logs of one', () => {
    const of = (input: string): string => from('web-0', 'shop', null, input);
    expect(of('east.tgz!proxies/shop/web-0/istio-proxy.log')).not.toBe(
      of('west.tgz!proxies/shop/web-0/istio-proxy.log'),
    );
    expect(of('east/proxies/shop/web-0/istio-proxy.log')).not.toBe(of('west/proxies/shop/web-0/istio-proxy.log'));
    expect(of('east.tgz!proxies/shop/web-0/istio-proxy.log')).toBe(
      of('east.tgz!proxies/shop/web-0/istio-proxy.prev.log'),
    );
    expect(of('a.log')).toBe(of('b.log'));
  });
});
