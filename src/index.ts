/**
 * meshmend as a library: free of I/O, typed. `analyze` turns lines into a report; parsers and rules are plain values.
 *
 * @packageDocumentation
 */
import { inferFormat, parsers, wrappings } from '../parsers/index.ts';
import { rules } from '../rules/index.ts';
import { staticRules } from '../rules/static/index.ts';
import { Analysis } from './analyze.ts';
import { lintMesh } from './lint/lint.ts';
import { unknownMesh } from './mesh/view.ts';
import type { Rule } from './model/finding.ts';
import type { Instant, Line } from './model/line.ts';
import type { MeshView } from './model/mesh.ts';
import type { Parser } from './model/record.ts';
import { NO_WISHES, type Wishes } from './model/remedy.ts';
import type { Report } from './model/report.ts';
import type { StaticRule } from './model/static.ts';
import { ownFormat } from './own-formats.ts';

export { envoyJsonParser, envoyTextParser } from '../parsers/envoy/index.ts';
export { deployed } from './mesh/deployed.ts';
export { createMesh, unknownMesh } from './mesh/view.ts';
export type * from './model/finding.ts';
export type * from './model/line.ts';
export type * from './model/mesh.ts';
export type * from './model/policy.ts';
export type * from './model/record.ts';
export type * from './model/remedy.ts';
export type * from './model/report.ts';
export type * from './model/static.ts';
export type * from './model/traffic.ts';
export type * from './model/way.ts';
export { decide } from './policy/decide.ts';
export { describeRequest, type RequestWords } from './policy/way/describe.ts';
export { type FoundEnd, findDestination, findSource } from './policy/way/ends.ts';
export type { Probe, ProbeDestination, ProbeRequest, ProbeSource } from './policy/way/probe.ts';
export { renderJson } from './render/json.ts';
export { renderTerminal } from './render/terminal.ts';
export { reportSchema } from './report/schema.ts';
export { parsers, rules, staticRules, wrappings };

/** What `analyze` may be told. */
export interface AnalyzeOptions {
  /** When the report is made, RFC 3339 in UTC with microseconds; the library reads no clock. */
  readonly generatedAt: Instant;
  /** What is known of the mesh, its access log formats included; default: nothing. */
  readonly mesh?: MeshView;
  readonly parsers?: readonly Parser[];
  readonly rules?: readonly Rule[];
  readonly since?: Instant;
  readonly until?: Instant;
  /** Default: nothing asked for. */
  readonly wishes?: Partial<Wishes>;
}

/**
 * Reads lines (of any inputs; those of one input in order) and reports. Lines may be plain text or come with their place.
 * Works on arrays, generators and streams; memory is bounded however many lines come.
 */
export async function analyze(
  lines: Iterable<string | Line> | AsyncIterable<string | Line>,
  options: AnalyzeOptions,
): Promise<Report> {
  const mesh = options.mesh ?? unknownMesh;
  const own = ownFormat([], mesh);
  const analysis = new Analysis({
    parsers: [...(own.parser === null ? [] : [own.parser]), ...(options.parsers ?? parsers)],
    infer: inferFormat,
    wrappings,
    rules: options.rules ?? rules,
    mesh,
    tool: { name: 'meshmend', version: 'library' },
    since: options.since ?? null,
    until: options.until ?? null,
    wishes: { ...NO_WISHES, ...options.wishes },
  });
  for (const problem of own.problems) analysis.addProblem(problem);
  const inputs = new Set<string>();
  let number = 0;
  for await (const line of lines) {
    number++;
    const whole =
      typeof line === 'string' ? { at: { input: 'lines', line: number }, text: line, truncated: false } : line;
    inputs.add(whole.at.input);
    analysis.feed(whole);
  }
  for (const input of inputs) analysis.end(input);
  return analysis.report(options.generatedAt, false);
}

/** What `lint` may be told. */
export interface LintOptions {
  /** When the report is made, RFC 3339 in UTC with microseconds; the library reads no clock. */
  readonly generatedAt: Instant;
  readonly rules?: readonly StaticRule[];
}

/**
 * What manifests alone show to be wrong, without any log: policies that cannot do what they say. Give a mesh of `deployed`
 * objects where workloads are known by their manifests only.
 */
export function lint(mesh: MeshView, { generatedAt, rules: asked = staticRules }: LintOptions): Report {
  return lintMesh({ rules: asked, mesh, tool: { name: 'meshmend', version: 'library' }, generatedAt, problems: [] });
}
