import { type Document, LineCounter, parseAllDocuments, visit } from 'yaml';
import type { KubeObject } from '../model/mesh.ts';
import type { Problem } from '../model/report.ts';
import { isRecord } from '../text/kube-object.ts';
import { flattenObjects } from './flatten.ts';
import { isScenario, scenarioManifests } from './scenario.ts';
import { dumpedManifests, isZtunnelDump } from './ztunnel-dump.ts';

/** Objects of manifests, in the order of the text, and what could not be used. */
export interface Manifests {
  readonly objects: readonly KubeObject[];
  readonly problems: readonly Problem[];
}

/** One document of a text: its value, or why there is none. `line` is where it starts, or where it broke; null: unknown. */
interface RawDocument {
  readonly line: number | null;
  readonly value: unknown;
  readonly error: string | null;
  /** `{{` stands in it: a template of Helm, which only looks like YAML. */
  readonly templated: boolean;
}

/** A document with aliases may grow when they are written out; a longer text with aliases is refused. */
const MAX_ALIASED_LENGTH = 1024 * 1024;
/** `yaml` refuses documents whose aliases stand for more nodes than this (billion laughs). */
const MAX_ALIASES = 100;

/**
 * Reads YAML with any number of documents, JSON, Lists of kubectl, mesh scenarios, and dumps of ztunnel. `file` names the text in problems
 * and in the objects' source. A document that cannot be read is a problem; the others are used. A text without any object
 * is a problem too, unless it is empty. The text is untrusted. Never throws.
 */
export function decodeManifests(text: string, file: string): Manifests {
  const manifests = decodeDocuments(text, file);
  if (manifests.objects.length > 0 || manifests.problems.length > 0 || text.trim() === '') return manifests;
  return { objects: [], problems: [problem(`${file}: no Kubernetes object in it`)] };
}

/** The same for a file that was found in a folder: documents which do not claim to be Kubernetes objects are passed over. */
export function decodeDocuments(text: string, file: string): Manifests {
  const decoded = readDocuments(text, file).map((raw, document) => decodeDocument(raw, { file, document }));
  const problems = decoded.flatMap((manifests) => manifests.problems);
  // Where a template is no YAML, each of its documents says so; once is enough.
  const [template] = problems.filter(isTemplateProblem);
  return {
    objects: decoded.flatMap((manifests) => manifests.objects),
    problems: problems.filter((other) => other === template || !isTemplateProblem(other)),
  };
}

function decodeDocument(raw: RawDocument, source: KubeObject['source']): Manifests {
  const at = raw.line === null ? source.file : `${source.file}:${raw.line}`;
  const complain = (reason: string): Problem => problem(`${at}: ${raw.templated ? TEMPLATE : reason}`);
  if (raw.error !== null) return { objects: [], problems: [complain(raw.error)] };
  if (!claimsToBeObject(raw.value)) return { objects: [], problems: [] };
  const value = manifestOf(raw.value);
  const { objects, reasons } = flattenObjects(value, source);
  const named = objects.filter(({ metadata }) => !`${metadata.namespace}/${metadata.name}`.includes('{{'));
  const unnamed = objects.length - named.length;
  return { objects: named, problems: [...reasons, ...(unnamed > 0 ? [TEMPLATE] : [])].map(complain) };
}

/** The objects that a document stands for: itself, mostly. */
function manifestOf(value: unknown): unknown {
  if (isScenario(value)) return scenarioManifests(value);
  return isZtunnelDump(value) ? dumpedManifests(value) : value;
}

const TEMPLATE = 'a Helm template, not a manifest: render it first (helm template)';

function isTemplateProblem({ message }: Problem): boolean {
  return message.endsWith(TEMPLATE);
}

function problem(message: string): Problem {
  return { about: 'mesh', message };
}

/** Values files, chart descriptions and other YAML have no kind; a folder may hold many of them. */
function claimsToBeObject(value: unknown): boolean {
  if (isZtunnelDump(value)) return true;
  if (Array.isArray(value)) return value.some(claimsToBeObject);
  return isRecord(value) && (value['kind'] !== undefined || isScenario(value)) && !isKustomization(value);
}

/** Instructions for kustomize have a kind but no name, and never reach a cluster. */
function isKustomization(value: Readonly<Record<string, unknown>>): boolean {
  return typeof value['apiVersion'] === 'string' && value['apiVersion'].startsWith('kustomize.config.k8s.io/');
}

function readDocuments(text: string, file: string): readonly RawDocument[] {
  const start = text.trimStart().charAt(0);
  if (file.endsWith('.json') || start === '{' || start === '[') {
    const value = readJson(text);
    // Not JSON after all: YAML in flow style, or JSON that YAML can tell the broken line of.
    if (value !== undefined) return [{ line: null, value, error: null, templated: false }];
  }
  try {
    const lines = new LineCounter();
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      merge: true,
      prettyErrors: false,
      logLevel: 'silent',
    });
    return Array.isArray(documents) ? documents.map((document) => readDocument(document, text, lines)) : [];
  } catch (error) {
    return [{ line: null, value: null, error: `unreadable YAML: ${messageOf(error)}`, templated: false }];
  }
}

/** The value of a JSON text; undefined if it is none. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readDocument(document: Document.Parsed, text: string, lines: LineCounter): RawDocument {
  const [from, , to] = document.range;
  const templated = text.slice(from, to).includes('{{');
  const [broken] = document.errors;
  if (broken !== undefined) {
    const { line } = lines.linePos(broken.pos[0]);
    return { line, value: null, error: `no valid YAML: ${messageOf(broken)}`, templated };
  }
  const { line } = lines.linePos(document.contents?.range[0] ?? from);
  try {
    return { line, value: plainValue(document, to - from), error: null, templated };
  } catch (error) {
    return { line, value: null, error: messageOf(error), templated };
  }
}

/**
 * The document as plain data in which no part occurs twice. YAML allows an anchor to contain itself and one node to stand
 * in several places; an edit of the one must not change the other, so what aliases share is written out.
 */
function plainValue(document: Document.Parsed, length: number): unknown {
  if (!hasAliases(document)) return document.toJS({ maxAliasCount: MAX_ALIASES });
  if (length > MAX_ALIASED_LENGTH) throw new Error('too long for a document with aliases');
  return JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: MAX_ALIASES })) ?? 'null');
}

function hasAliases(document: Document.Parsed): boolean {
  let found = false;
  visit(document, {
    Alias: () => {
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}

/** The first line of an error's message; those of `yaml` and V8 go on with excerpts. */
function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n', 1)[0] ?? message;
}
