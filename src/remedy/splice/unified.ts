import { formatPatch, OMIT_HEADERS, structuredPatch } from 'diff';

/** Unchanged lines around a change, as git and diff have them. */
const CONTEXT = 3;

/** Where a path of a diff begins, for the `-d` of patch: '' is the working folder; `/`, or `..` and further up, of other paths. */
export interface DiffPath {
  readonly root: string;
  readonly path: string;
}

/**
 * A file's path as diffs have it: git and patch refuse those that are absolute or lead upwards, so these are told from
 * another root. Null: it has characters that tools read in different ways.
 */
export function diffPath(file: string): DiffPath | null {
  if (/["\\\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(file)) return null;
  const parts: string[] = [];
  for (const part of file.split('/').filter((name) => name !== '' && name !== '.')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else parts.push(part);
  }
  const up = parts.findIndex((part) => part !== '..');
  if (up < 0 || parts.length === 0) return null;
  const upwards = file.startsWith('/') ? '/' : parts.slice(0, up).join('/');
  return { root: upwards, path: parts.slice(up).join('/') };
}

/** A part of a text, by offsets and by the number of lines before it, and what stands in its place after a change. */
export interface ChangedPart {
  readonly from: number;
  readonly to: number;
  readonly line: number;
  readonly after: string;
}

/**
 * The unified diff of a file in which one part, of whole lines, is changed, for `git apply` and `patch -p1`; null: nothing is
 * changed, or the path cannot be written safely. An empty file is one that is not there yet. Costs time by the length of the part.
 */
export function unifiedDiff(file: string, text: string, { from, to, line, after }: ChangedPart): string | null {
  const name = diffPath(file);
  if (name === null || text.slice(from, to) === after) return null;
  const start = linesUp(text, from);
  const end = linesDown(text, to);
  const [head, tail] = [text.slice(start, from), text.slice(to, end)];
  const options = { context: CONTEXT };
  const { hunks, ...patch } = structuredPatch('a', 'b', text.slice(start, end), head + after + tail, '', '', options);
  const before = line - (head.split('\n').length - 1);
  const moved = hunks.map((hunk) => ({ ...hunk, oldStart: hunk.oldStart + before, newStart: hunk.newStart + before }));
  // A tab ends a name that has blanks in it.
  const stop = name.path.includes(' ') ? '\t' : '';
  const body = formatPatch({ ...patch, hunks: moved }, OMIT_HEADERS);
  const old = text === '' ? '/dev/null' : `a/${name.path}${stop}`;
  return `--- ${old}\n+++ b/${name.path}${stop}\n${body}`;
}

/** Offset of the line that is some lines above the one at an offset. */
function linesUp(text: string, offset: number): number {
  let start = offset;
  for (let lines = 0; lines < CONTEXT && start > 0; lines += 1) start = text.lastIndexOf('\n', start - 2) + 1;
  return start;
}

/** Offset behind some lines below an offset. */
function linesDown(text: string, offset: number): number {
  let end = offset;
  for (let lines = 0; lines < CONTEXT && end < text.length; lines += 1) {
    const feed = text.indexOf('\n', end);
    end = feed < 0 ? text.length : feed + 1;
  }
  return end;
}
