import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { LineCutter, MAX_LINE_BYTES } from '../src/input/line-cutter.ts';
import { readLines } from '../src/input/lines.ts';
import type { Line } from '../src/model/line.ts';
import type { Report } from '../src/model/report.ts';
import { analysisOf, SOME_TIME } from './analysis.ts';

const POD = 'ztunnel-4wq7x';

/** Connections of a few pods, one in ten refused; as many as no line has room for. */
const LINES = Array.from({ length: 4000 }, (_, index) => {
  const time = `2026-01-02T03:04:05.${String(index).padStart(6, '0')}Z`;
  const error =
    index % 10 === 0
      ? ' error="connection closed due to policy rejection: allow policies exist, but none allowed"'
      : '';
  return `${time}\t${error === '' ? 'info' : 'error'}\taccess\tconnection complete\tsrc.addr=10.0.0.${index % 3}:4${1000 + (index % 999)} src.workload="web-${index % 3}" src.namespace="shop" src.identity="spiffe://cluster.local/ns/shop/sa/web" dst.addr=10.0.1.1:15008 dst.hbone_addr=10.0.1.1:80 dst.service="db.shop.svc.cluster.local" dst.workload="db-1" dst.namespace="shop" dst.identity="spiffe://cluster.local/ns/shop/sa/db" direction="inbound" bytes_sent=1 bytes_recv=2 duration="3ms"${error}`;
});

const labels = { app: 'ztunnel', namespace: 'istio-system', pod: POD };
const half = LINES.length / 2;
const pairs = (lines: readonly string[]): unknown =>
  lines.map((line, index) => [String(1_795_262_748_000_000_000 + index), line]);
const attribute = (key: string, value: string): unknown => ({ key, value: { stringValue: value } });

const DOCUMENTS: Readonly<Record<string, unknown>> = {
  'Loki, two streams': {
    status: 'success',
    data: {
      resultType: 'streams',
      result: [
        { stream: labels, values: pairs(LINES.slice(0, half)) },
        { stream: { ...labels, container: 'other' }, values: pairs(LINES.slice(half)) },
      ],
      stats: { summary: { totalLines: LINES.length } },
    },
  },
  'Elasticsearch hits': {
    took: 5,
    hits: {
      total: { value: LINES.length },
      hits: LINES.map((line, index) => ({
        _id: `a${index}`,
        _source: { log: line, kubernetes: { pod_name: POD } },
        sort: [index, 'x'],
      })),
    },
  },
  'gcloud list': LINES.map((line) => ({
    textPayload: line,
    resource: { type: 'k8s_container', labels: { pod_name: POD } },
  })),
  'Azure table': {
    tables: [
      { name: 'T', columns: [{ name: 'LogMessage' }, { name: 'PodName' }], rows: LINES.map((line) => [line, POD]) },
    ],
  },
  'OTLP resource': {
    resourceLogs: [
      {
        resource: { attributes: [attribute('k8s.pod.name', POD)] },
        scopeLogs: [{ scope: {}, logRecords: LINES.map((line) => ({ body: { stringValue: line } })) }],
      },
    ],
  },
};

/** What another program says, more often than is looked at. */
const OTHERS = Array.from({ length: 25_000 }, (_, index) => ({
  time: '2026-01-02T03:04:05Z',
  level: 'info',
  message: `user ${index} was told that all is well`,
}));

/** The report on a text, by bytes or by split2. */
async function reportBy(road: 'bulk' | 'plain', text: string): Promise<Report> {
  const analysis = analysisOf();
  const bytes = Buffer.from(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, index) =>
    bytes.subarray(index * 65_536, (index + 1) * 65_536),
  );
  if (road === 'bulk') {
    const cutter = new LineCutter('log', analysis);
    for (const chunk of chunks) cutter.take(chunk);
    cutter.end();
  } else {
    const stream = Readable.from(chunks, { objectMode: false });
    await readLines(stream, 'log', (line: Line) => analysis.feed(line), new AbortController().signal);
  }
  analysis.end('log');
  return analysis.report(SOME_TIME, false);
}

/** How often each finding was seen. */
function counts({ findings }: Report): readonly unknown[] {
  return findings.map(({ fingerprint, count }) => [fingerprint, count]);
}

const isAccounted = ({ inputs }: Report): boolean =>
  inputs.every(
    ({ lines, records, joined, skipped, malformed, truncated }) =>
      lines === records + joined + skipped + malformed + truncated,
  );

describe('documents that are longer than a line may be', () => {
  it.each(Object.entries(DOCUMENTS))('%s: one line or laid out, all records are read', async (_, document) => {
    const bare = await reportBy('bulk', LINES.join('\n'));
    for (const text of [JSON.stringify(document), JSON.stringify(document, null, 2)]) {
      expect(text.length).toBeGreaterThan(1.5 * MAX_LINE_BYTES);
      const [bulk, plain] = [await reportBy('bulk', text), await reportBy('plain', text)];
      expect(bulk).toEqual(plain);
      expect(isAccounted(bulk)).toBe(true);
      expect(bulk.inputs[0]?.records).toBe(LINES.length);
      expect(counts(bulk).length).toBe(counts(bare).length);
    }
  });

  it('of one that is cut off, all that is whole is read', async () => {
    const text = JSON.stringify(DOCUMENTS['Loki, two streams']);
    const cut = text.slice(0, Math.floor(text.length * 0.9));
    const report = await reportBy('bulk', cut);
    expect(isAccounted(report)).toBe(true);
    const whole = LINES.filter((line) => cut.includes(JSON.stringify(line))).length;
    expect(report.inputs[0]?.records).toBe(whole);
    expect(await reportBy('plain', cut)).toEqual(report);
  });

  it.each([
    { name: 'brackets only', text: '['.repeat(3 * MAX_LINE_BYTES) },
    { name: 'nested ever deeper', text: '[[[[1,'.repeat(MAX_LINE_BYTES / 2) },
    { name: 'nested ever deeper, with records', text: '{"a":[{"log":"x"},'.repeat(MAX_LINE_BYTES / 8) },
    { name: 'nested ever deeper, with commas', text: '[{},'.repeat(MAX_LINE_BYTES) },
    { name: 'objects of another program', text: JSON.stringify(OTHERS) },
    { name: 'one text', text: `{"hits":[{"log":"${'x'.repeat(3 * MAX_LINE_BYTES)}"}]}` },
    { name: 'closed too often', text: `[[1,${']}'.repeat(2 * MAX_LINE_BYTES)}` },
  ])('$name: every line is accounted for', async ({ text }) => {
    const report = await reportBy('bulk', `${text}\n${LINES[0]}\n`);
    expect(isAccounted(report)).toBe(true);
    expect(report.inputs[0]?.records).toBe(1);
    expect(await reportBy('plain', `${text}\n${LINES[0]}\n`)).toEqual(report);
  });
});
