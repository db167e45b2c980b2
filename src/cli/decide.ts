import { Command, Option } from 'commander';
import { Failure } from '../model/failure.ts';
import { decide } from '../policy/decide.ts';
import { describeRequest, type RequestWords } from '../policy/way/describe.ts';
import { type FoundEnd, findDestination, findSource } from '../policy/way/ends.ts';
import type { ProbeSource } from '../policy/way/probe.ts';
import { renderWay, renderWayJson } from '../render/decision.ts';
import { printable } from '../text/sanitize.ts';
import { useColour } from './colour.ts';
import { deployedMesh } from './mesh.ts';

const OUTPUTS = ['terminal', 'json'] as const;

interface DecideOptions {
  readonly mesh: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly tls?: true;
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly header: readonly string[];
  readonly jwtClaim: readonly string[];
  readonly output: (typeof OUTPUTS)[number];
  readonly color: boolean;
}

const ENDS = `
FROM is namespace/pod or namespace/workload, a SPIFFE id, an address, or plaintext:ADDRESS for a caller that
speaks past the mesh. TO is namespace/pod:port (the pod's port), service.namespace:port, or address:port.
A request that is described by --method, --path, … has no other headers and no other token than those given.`;

/** `meshmend decide`: what would the mesh answer, and why. */
export function decideCommand(): Command {
  return new Command('decide')
    .description('what would the mesh answer to one connection or request, hop by hop, and why')
    .requiredOption('--mesh <PATH...>', 'manifests, kubectl dumps, folders; - is stdin')
    .requiredOption('--from <FROM>', 'who calls')
    .requiredOption('--to <TO>', 'who is called')
    .option('--tls', 'a caller outside the mesh speaks TLS by itself (https)')
    .option('--method <METHOD>', 'of the request')
    .option('--path <PATH>', 'with query')
    .option('--host <HOST>', 'the Host header')
    .option('--header <HEADER>', "'name: value'; may be given several times", collect, [])
    .option('--jwt-claim <CLAIM>', 'name=value of a valid token; a value that is JSON counts as such', collect, [])
    .addOption(new Option('-o, --output <FORMAT>', 'how to print').choices(OUTPUTS).default('terminal'))
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .addHelpText('after', ENDS)
    .action(async (options: DecideOptions) => {
      process.stdout.write(await run(options));
    });
}

async function run(options: DecideOptions): Promise<string> {
  const words = wordsOf(options);
  const { mesh, problems } = await deployedMesh(options.mesh);
  for (const { message } of problems) process.stderr.write(`meshmend: ${printable(message)}\n`);
  const source = withTls(found('--from', findSource(options.from, mesh)), options);
  const destination = found('--to', findDestination(options.to, mesh));
  const way = decide(mesh, { source, destination, request: describeRequest(words) });
  return options.output === 'json' ? renderWayJson(way) : renderWay(way, { colour: useColour(options.color) });
}

/** Throws `Failure` for an end that is not in the mesh. */
function found<T>(option: string, end: FoundEnd<T>): T {
  if (end.ok) return end.value;
  throw new Failure('usage', `${option}: ${end.message}`, end.hint);
}

function withTls(source: ProbeSource, { tls }: DecideOptions): ProbeSource {
  if (tls !== true) return source;
  if (source.kind === 'plain') return { ...source, tls: true };
  throw new Failure('usage', '--tls is for callers outside the mesh', 'of a pod the mesh itself knows how it speaks');
}

function wordsOf({ method, path, host, header, jwtClaim }: DecideOptions): RequestWords {
  const claims = jwtClaim.map((claim) => readClaim(claim));
  return {
    method: method ?? null,
    path: path ?? null,
    host: host ?? null,
    headers: header.map(readHeader),
    claims: claims.length === 0 ? null : Object.fromEntries(claims),
    authorizer: null,
  };
}

function readHeader(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1) throw new Failure('usage', `--header ${text}: there is no colon`, "write --header 'name: value'");
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
}

function readClaim(text: string): readonly [string, unknown] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new Failure('usage', `--jwt-claim ${text}: there is no =`, 'write --jwt-claim sub=alice');
  return [text.slice(0, equals), readValue(text.slice(equals + 1))];
}

/** Lists and objects are claims too; anything that is no JSON is a text. */
function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
