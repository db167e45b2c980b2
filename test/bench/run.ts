import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FORMATS, type Format, generateLog } from './generate.ts';

/**
 * Times whole commands on generated logs, interleaved, and prints ratios: absolute times are worth nothing on a shared
 * machine. `npm run bench` measures 100 MB of every format; `npm run bench -- 1000 ztunnel-text` one format at 1 GB.
 */
const [megabytes = '100', ...wanted] = process.argv.slice(2);
const bytes = Number(megabytes) * 1_000_000;
const rounds = bytes > 500_000_000 ? 2 : 4;
const folder = join(tmpdir(), 'meshmend-bench');
mkdirSync(folder, { recursive: true });

interface Sample {
  readonly seconds: number;
  /** Peak resident memory in MiB, null where the system does not tell. */
  readonly peakMib: number | null;
}

function commandsFor(path: string, format: Format): Readonly<Record<string, readonly string[]>> {
  return {
    'wc -l': ['wc', '-l', path],
    'grep -c': ['grep', '-c', format.startsWith('ztunnel') ? 'error=' : '403', path],
    naive: [process.execPath, 'test/bench/naive.mjs', path, format],
    meshmend: [process.execPath, 'dist/cli.js', path, '-o', 'json'],
  };
}

async function time(command: readonly string[]): Promise<Sample> {
  const [program = '', ...args] = command;
  const sink = openSync('/dev/null', 'w');
  const start = process.hrtime.bigint();
  const child = spawn(program, args, { stdio: ['ignore', sink, 'inherit'] });
  let peakMib: number | null = null;
  const watch = setInterval(() => {
    peakMib = peakOf(child.pid) ?? peakMib;
  }, 20);
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve());
  });
  clearInterval(watch);
  closeSync(sink);
  return { seconds: Number(process.hrtime.bigint() - start) / 1e9, peakMib };
}

function peakOf(pid: number | undefined): number | null {
  try {
    const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match === null ? null : Math.round(Number(match[1]) / 1024);
  } catch {
    return null;
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

for (const format of FORMATS.filter((name) => wanted.length === 0 || wanted.includes(name))) {
  const path = join(folder, `${format}-${megabytes}.log`);
  if (!existsSync(path) || statSync(path).size < bytes) generateLog(path, format, bytes, 1);
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round <= rounds; round++) {
    for (const [name, command] of Object.entries(commandsFor(path, format))) {
      const sample = await time(command);
      // The first round warms the page cache.
      if (round > 0) samples.set(name, [...(samples.get(name) ?? []), sample]);
    }
  }
  const own = median((samples.get('meshmend') ?? []).map((sample) => sample.seconds));
  console.log(`\n${format}, ${megabytes} MB, median of ${rounds} interleaved rounds`);
  for (const [name, all] of samples) {
    const seconds = median(all.map((sample) => sample.seconds));
    const peak = Math.max(...all.map((sample) => sample.peakMib ?? 0));
    const rate = Math.round(bytes / 1e6 / seconds);
    console.log(
      `  ${name.padEnd(10)} ${seconds.toFixed(2).padStart(7)} s ${String(rate).padStart(6)} MB/s  peak ${String(peak).padStart(4)} MiB  ${name} takes ${(seconds / own).toFixed(2)}x the time of meshmend`,
    );
  }
}
