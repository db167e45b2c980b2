import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { platformIstiod } from '../parsers/platform/istiod.ts';
import { platformProbe } from '../parsers/platform/probe.ts';
import { platformSandbox } from '../parsers/platform/sandbox.ts';
import { platformWebhook } from '../parsers/platform/webhook.ts';
import { readSecretFailure } from '../src/causes/gateway-secret.ts';
import { probeFailure } from '../src/causes/probe-failure.ts';
import { webhookFailure } from '../src/causes/webhook-failure.ts';
import { UNKNOWN_ORIGIN } from '../src/model/line.ts';
import type { LogRecord, Parsed } from '../src/model/record.ts';
import { readWebhookCall } from '../src/text/webhook-call.ts';
import { expectGolden } from './parser-cases.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/parsers/', import.meta.url));
const PARSERS = [platformProbe, platformSandbox, platformWebhook, platformIstiod];

function read(payload: string): Parsed {
  const envelope = { at: { input: 'test', line: 1 }, wrappings: [], time: null, origin: UNKNOWN_ORIGIN, payload };
  return PARSERS.map((parser) => parser.parse(envelope)).find((parsed) => parsed !== null) ?? null;
}

function record(payload: string): LogRecord {
  const parsed = read(payload);
  if (parsed === null || parsed.kind === 'malformed' || parsed.kind === 'unfinished') throw new Error(payload);
  return parsed;
}

describe('fixtures', () => {
  const folders = readdirSync(FIXTURES).filter((name) => name.startsWith('platform-'));
  const cases = folders.flatMap((folder) => readdirSync(`${FIXTURES}${folder}`).map((name) => `${folder}/${name}`));

  test.each(cases)('%s', async (name) => {
    await expectGolden(`${FIXTURES}${name}`, read);
  });
});

describe('probes', () => {
  test.each([
    ['Get "http://10.1.1.1:80/": context deadline exceeded', 'unreached'],
    ['Get "http://10.1.1.1:80/": net/http: request canceled while waiting for connection', 'unreached'],
    ['dial tcp 10.1.1.1:80: i/o timeout', 'unreached'],
    ['dial tcp 10.1.1.1:80: connect: no route to host', 'unreached'],
    ['dial tcp 10.1.1.1:80: connect: connection refused', 'refused'],
    ['Get "http://10.1.1.1:80/": EOF', 'reset'],
    ['Get "http://10.1.1.1:80/": read tcp 10.0.0.1:4000->10.1.1.1:80: read: connection reset by peer', 'reset'],
    ['HTTP probe failed with statuscode: 503', 'answered'],
    ['service unhealthy (responded with "NOT_SERVING")', 'answered'],
    ['cat: /tmp/healthy: No such file or directory', 'command'],
    ['command "check" timed out: context deadline exceeded', 'command'],
  ])('%s', (text, kind) => {
    expect(probeFailure(record(`Readiness probe failed: ${text}`))?.kind).toBe(kind);
  });

  test('an application that speaks of probes is none', () => {
    expect(read('INFO health: Readiness probe failed: Get "http://10.1.1.1:80/": EOF')).toBeNull();
  });
});

describe('webhooks', () => {
  test.each([
    ['x509: certificate is not valid for any names, but wanted to match a.b.svc', 'mesh-certificate'],
    ['tls: failed to verify certificate: x509: certificate is valid for a, b, not a.b.svc', 'other-host'],
    ['x509: certificate relies on legacy Common Name field, use SANs instead', 'other-host'],
    ['x509: certificate signed by unknown authority', 'untrusted'],
    ['x509: certificate has expired or is not yet valid: current time x is after y', 'expired'],
    ['EOF', 'closed'],
    ['dial tcp 10.96.0.1:443: connect: connection refused', 'refused'],
    ['no endpoints available for service "a"', 'refused'],
    ['context deadline exceeded', 'unreached'],
    ['net/http: TLS handshake timeout', 'unreached'],
    ['unexpected response code 500', 'failed'],
  ])('%s', (error, kind) => {
    const line = `Internal error occurred: failed calling webhook "w": failed to call webhook: Post "https://a.b.svc:443/x?timeout=1s": ${error}`;
    expect(webhookFailure(record(line))).toMatchObject({ kind, webhook: 'w', host: 'a.b.svc', port: 443, error });
  });

  test('escaped once is the same text', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/);
    const error = fc.stringMatching(/^[a-z][a-z "\\:]{0,30}[a-z]$/);
    fc.assert(
      fc.property(name, name, error, (webhook, host, words) => {
        const text = `failed calling webhook "${webhook}": failed to call webhook: Post "https://${host}.svc:443/x": ${words}`;
        expect(readWebhookCall(`{"error":${JSON.stringify(text)},"x":"y"}`)).toEqual(readWebhookCall(text));
      }),
    );
  });
});

describe('secrets of gateways', () => {
  test.each([
    [
      'failed to fetch key and certificate for kubernetes://web: secret edge/web not found',
      { kind: 'absent', namespace: 'edge', name: 'web', forClients: false },
    ],
    [
      'failed to fetch ca certificate for kubernetes://web-cacert: secret edge/web not found',
      { kind: 'absent', namespace: 'edge', name: 'web', forClients: true },
    ],
    [
      'failed to fetch key and certificate for kubernetes-gateway://edge/web: found keys "tls.crt" and "tls.key", but they were empty',
      { kind: 'keys', namespace: 'edge', name: 'web', forClients: false },
    ],
    [
      'gRPC config: secret kubernetes://web not found',
      { kind: 'absent', namespace: null, name: 'web', forClients: false },
    ],
  ])('%s', (message, failure) => {
    expect(readSecretFailure(message)).toEqual(failure);
  });

  test('a certificate that was found is none', () => {
    expect(readSecretFailure('invalid certificates: "kubernetes://web": certificate is expired')).toBeNull();
  });
});

test('no text makes a parser throw', () => {
  const words = fc.constantFrom(
    'Readiness probe failed: ',
    'Unhealthy ',
    'failed calling webhook "',
    'Post "https://',
    '\\"',
    '"',
    ': ',
    'failed to fetch key and certificate for kubernetes://',
    'secret a/b not found',
    '"Probe failed" probeType="Liveness" output="',
    '[::',
    'dial tcp ',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(words, fc.string())), (parts) => {
      read(parts.join(''));
    }),
  );
});
