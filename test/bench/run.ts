import { existsSync, mkdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FORMATS, type Format, generateLog } from './generate.ts';
import { benchPolicy } from './policy.ts';
import { benchRemedies } from './remedy.ts';
import { GNU_TIME, medianOf, type Sample, time } from './time.ts';
import { benchWrappings } from './wrappings.ts';

/**
 * Times whole commands on generated logs, interleaved, and prints ratios: absolute times are worth nothing on a shared
 * machine, and where it is busy only processor time is comparable. `npm run bench` measures 100 MB of every format;
 * `npm run bench -- 1000 ztunnel-text` one format at 1 GB, `npm run bench -- wrappings` the same lines as collectors and consoles give
 * them. Needs GNU time.
 */
const given = process.argv.slice(2);
const megabytes = given.find((word) => /^\d+$/.test(word)) ?? '100';
const wanted = given.filter((word) => word !== megabytes);
const bytes = Number(megabytes) * 1_000_000;
const rounds = bytes > 500_000_000 ? 3 : 7;
const folder = join(tmpdir(), 'meshmend-bench');

function commandsFor(path: string, format: Format): Readonly<Record<string, readonly string[]>> {
  return {
    'wc -l': ['wc', '-l', path],
    'grep -c': ['grep', '-c', format.startsWith('ztunnel') ? 'error=' : '403', path],
    naive: [process.execPath, 'test/bench/naive.mjs', path, format],
    meshmend: [process.execPath, 'dist/cli.js', path, '-o', 'json'],
  };
}

function measure(path: string, format: Format): ReadonlyMap<string, readonly Sample[]> {
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round <= rounds; round++) {
    for (const [name, command] of Object.entries(commandsFor(path, format))) {
      const sample = time(command);
      // The first round warms the page cache.
      if (round > 0) samples.set(name, [...(samples.get(name) ?? []), sample]);
    }
  }
  return samples;
}

function table(samples: ReadonlyMap<string, readonly Sample[]>): string {
  const of = (name: string, key: keyof Sample): number => medianOf(samples.get(name) ?? [], key);
  const ratio = (name: string, key: 'seconds' | 'user'): string =>
    `${(of(name, key) / of('meshmend', key)).toFixed(2)}x`.padStart(7);
  const rows = [...samples.keys()].map((name) => {
    const numbers = [of(name, 'seconds').toFixed(2), of(name, 'user').toFixed(2), of(name, 'peakMib').toFixed(0)];
    const cells = numbers.map((text) => text.padStart(9)).join('');
    return `  ${name.padEnd(10)}${cells}${ratio(name, 'seconds').padStart(12)}${ratio(name, 'user').padStart(12)}`;
  });
  return ['                wall s   user s      MiB  wall/meshmend user/meshmend', ...rows].join('\n');
}

if (!existsSync(GNU_TIME)) throw new Error(`${GNU_TIME} is not there: install GNU time`);
mkdirSync(folder, { recursive: true });
for (const format of FORMATS.filter((name) => wanted.length === 0 || wanted.includes(name))) {
  const path = join(folder, `${format}-${megabytes}.log`);
  if (!existsSync(path) || statSync(path).size < bytes) generateLog(path, format, bytes, 1);
  console.log(`\n${format}, ${megabytes} MB, medians of ${rounds} interleaved rounds`);
  console.log(table(measure(path, format)));
}

if (wanted.length === 0 || wanted.includes('policy')) benchPolicy();
if (wanted.length === 0 || wanted.includes('remedies')) benchRemedies();
if (wanted.includes('wrappings')) benchWrappings(folder, bytes, rounds);
