import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server of ours. */
export interface Running {
  readonly name: string;
  /** False once it has ended by itself or was stopped. */
  isAlive(): boolean;
  /** Its last words. */
  log(): string;
  /** Asks it to end, and ends it after a while. */
  stop(): Promise<void>;
}

const STOP_LIMIT_MS = 15_000;
const POLL_MS = 100;

/** Starts a server. It gets no signals from the terminal, so that servers can be stopped in order. */
export function start(name: string, program: string, args: readonly string[], logFile: string): Running {
  const out = openSync(logFile, 'w');
  const child = spawn(program, args, { detached: true, stdio: ['ignore', out, out] });
  closeSync(out);
  child.on('error', () => {});
  const isAlive = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  const killNow = (): void => signal(child, 'SIGKILL');
  process.on('exit', killNow);
  return {
    name,
    isAlive,
    log: () => readFileSync(logFile, 'utf8').split('\n').slice(-15).join('\n'),
    stop: async () => {
      signal(child, 'SIGTERM');
      await until(() => !isAlive(), STOP_LIMIT_MS);
      killNow();
      process.off('exit', killNow);
    },
  };
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(name);
}

/** Asks again and again; false: the answer was not yes in time. */
export async function until(isSo: () => boolean | Promise<boolean>, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!(await isSo())) {
    if (performance.now() > end) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Waits for a server; throws with its last words if it ends first or takes too long. */
export async function untilReady(server: Running, isReady: () => Promise<boolean>, limitMs: number): Promise<void> {
  let ready = false;
  await until(async () => {
    ready = await isReady();
    return ready || !server.isAlive();
  }, limitMs);
  if (!ready)
    throw new Error(`${server.name} ${server.isAlive() ? 'was not ready in time' : 'ended'}:\n${server.log()}`);
}

/** Ports of loopback that nobody listens on. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listen));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

function listen(): Promise<Server> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => done(server));
  });
}
