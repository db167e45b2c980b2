import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import type { MeshView } from '../model/mesh.ts';
import type { ProbeResult } from '../model/suite.ts';
import { decide } from '../policy/decide.ts';
import { describeRequest } from '../policy/way/describe.ts';
import { type FoundEnd, findDestination, findSource, identitySource } from '../policy/way/ends.ts';
import type { Probe, ProbeRequest, ProbeSource } from '../policy/way/probe.ts';
import { parseSpiffeId } from '../text/spiffe.ts';
import { decodeSuite, type FromWords, type ProbeWords, type SuiteWords } from './case-format.ts';
import { type CaseMesh, type LoadManifests, meshOf } from './case-mesh.ts';
import { judge } from './judge.ts';
import { malformed, type SuiteResults } from './result.ts';

/** `yaml` refuses documents whose aliases stand for more nodes than this. */
const MAX_ALIASES = 100;

/**
 * Runs a file of cases in our own format (README.md, "Test your mesh policies"): YAML, one document or several. What cannot
 * be read is a failure that names its place. `load` reads what `objects` names by path. Untrusted; throws only what `load`
 * does.
 */
export function runSuite(file: string, text: string, load: LoadManifests): SuiteResults {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    merge: true,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const read = Array.isArray(documents)
    ? documents.filter(({ contents, errors }) => contents !== null || errors.length > 0)
    : [];
  if (read.length === 0) return { results: [malformed(file, 'file', 'there is no case in it')], skipped: 0 };
  return { results: read.flatMap((document) => runDocument(file, document, lines, load)), skipped: 0 };
}

function runDocument(
  file: string,
  document: Document.Parsed,
  lines: LineCounter,
  load: LoadManifests,
): readonly ProbeResult[] {
  const [broken] = document.errors;
  const { line } = lines.linePos(broken?.pos[0] ?? document.contents?.range[0] ?? 0);
  const place = `line ${line}`;
  if (broken !== undefined) return [malformed(file, place, firstLine(broken))];
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    return [malformed(file, place, firstLine(error))];
  }
  const suite = decodeSuite(value);
  if (!suite.ok) return [malformed(file, place, suite.reason)];
  return runCases(file, suite.value, load);
}

/** The first line of an error's message; those of `yaml` go on with excerpts. */
function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? message;
}

function runCases(file: string, suite: SuiteWords, load: LoadManifests): readonly ProbeResult[] {
  const common = meshOf(file, suite, null, load);
  const results: ProbeResult[] = [];
  const told = new Set<string>();
  for (const [index, own] of suite.cases.entries()) {
    const isOwn = own.mesh !== null || own.objects.length > 0;
    const built = isOwn ? meshOf(file, suite, own, load) : common;
    const name = own.name ?? suite.about ?? `case ${index}`;
    results.push(...problemResults(file, name, built, told));
    results.push(...own.probes.map((words) => runProbe(file, name, words, built.mesh)));
  }
  return results;
}

/** Each problem is told once, at the first case it concerns. */
function problemResults(file: string, name: string, { problems }: CaseMesh, told: Set<string>): readonly ProbeResult[] {
  const fresh = problems.filter((problem) => !told.has(problem));
  for (const problem of fresh) told.add(problem);
  return fresh.map((problem) => malformed(file, name, problem));
}

function runProbe(file: string, name: string, words: ProbeWords, mesh: MeshView): ProbeResult {
  const probe = probeOf(words, mesh);
  if (!probe.ok) {
    const hint = probe.hint === null ? '' : ` (${probe.hint})`;
    return { ...malformed(file, name, `${probe.message}${hint}`), probe: probeName(words) };
  }
  return { file, case: name, probe: probeName(words), ...judge(words, decide(mesh, probe.value)) };
}

function probeName({ name, from, to, method, path }: ProbeWords): string {
  if (name !== null) return name;
  const who = typeof from === 'string' ? from : (from.identity ?? from.ip ?? 'plaintext');
  return [`${who} -> ${to}`, method, path].filter((part) => part !== null).join(' ');
}

function probeOf(words: ProbeWords, mesh: MeshView): FoundEnd<Probe> {
  const source = sourceOf(words.from, mesh);
  if (!source.ok) return { ...source, message: `from: ${source.message}` };
  const destination = findDestination(words.to, mesh);
  if (!destination.ok) return { ...destination, message: `to: ${destination.message}` };
  return { ok: true, value: { source: source.value, destination: destination.value, request: requestOf(words) } };
}

function sourceOf(from: FromWords, mesh: MeshView): FoundEnd<ProbeSource> {
  if (typeof from === 'string') return findSource(from, mesh);
  const { identity, ip, tls } = from;
  if (identity === null) {
    const source = findSource(`plaintext:${ip ?? '0.0.0.0'}`, mesh);
    return source.ok && source.value.kind === 'plain' ? { ok: true, value: { ...source.value, tls } } : source;
  }
  const spiffe = parseSpiffeId(identity.startsWith('spiffe://') ? identity : `spiffe://${identity}`);
  if (spiffe === null) return { ok: false, message: `${identity} is no identity`, hint: null };
  return { ok: true, value: identitySource(spiffe, ip, mesh) };
}

function requestOf({ tcp, method, path, host, headers, jwt, authorizer }: ProbeWords): ProbeRequest {
  const request = describeRequest({
    ...{ method, path, host, claims: jwt },
    headers: [...headers].flatMap(([name, values]) => (values ?? []).map((value) => [name, value] as const)),
    authorizer:
      typeof authorizer === 'number'
        ? { kind: 'deny', status: authorizer, body: '' }
        : authorizer === null
          ? null
          : { kind: authorizer },
  });
  return tcp ? { ...request, protocol: 'tcp' } : request;
}
