import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyPatch as applyDiff } from 'diff';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { decodeManifests } from '../src/mesh/manifests.ts';
import { readMesh } from '../src/mesh/read.ts';
import { createMesh, withObjects } from '../src/mesh/view.ts';
import type { ObjectChange } from '../src/model/remedy.ts';
import { patchObject } from '../src/remedy/edits/change.ts';
import type { Edit } from '../src/remedy/edits/json-patch.ts';
import { diffOf, spliceChange, withDiffs } from '../src/remedy/splice/splice.ts';
import { changeLines } from '../src/render/change.ts';
import { isRecord } from '../src/text/kube-object.ts';
import { type Choose, writeYaml } from './yaml-writer.ts';

const FILE = 'policies/web.yaml';
const CALLER = 'cluster.local/ns/batch/sa/runner';
const SOURCE = ['spec', 'rules', 0, 'from', 0, 'source'];
const RULE = { from: [{ source: { principals: [CALLER] } }], to: [{ operation: { ports: ['8080'] } }] };

const POLICY = `# who may call the shop
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: web # the web
  namespace: shop
spec:
  selector: {matchLabels: {app: web}}
  action: ALLOW
  rules:
  # the front
  - from:
    - source:
        principals:
        - "cluster.local/ns/front/sa/front" # the front
        # - cluster.local/ns/old/sa/old
        namespaces: ['front', 'back']
    to:
    - operation:
        ports: [
          "80",
          "90" # old
        ]
`;
const NAMESPACE = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n';

function change(text: string, edits: readonly Edit[], index = 0): { change: ObjectChange; document: number } {
  const object = decodeManifests(text, FILE).objects[index];
  const planned = object === undefined ? null : patchObject(object, edits);
  if (object === undefined || planned === null) throw new Error('no object, or nothing to change');
  return { change: planned.change, document: object.source.document };
}

/** The lines of the diff that go and come, and the text with the diff applied. */
function changed(text: string, edits: readonly Edit[], index = 0): readonly string[] | null {
  const { change: made, document } = change(text, edits, index);
  const diff = diffOf(made, text, document);
  if (diff === null) return null;
  const applied = applyDiff(text, diff, { autoConvertLineEndings: false });
  expect(applied).toBe(spliceChange(made, text, document));
  const objects = decodeManifests(String(applied), FILE).objects.map(({ raw }) => raw);
  expect(objects[index]).toEqual(made.after);
  return diff.split('\n').filter((line) => /^[+-](?!--|\+\+)/.test(line));
}

describe('the change of an object as a diff of the file it was read from', () => {
  it.each<[string, Edit, readonly string[]]>([
    [
      'an item of a list, quoted as its neighbour, before the comments below it',
      { op: 'append', at: [...SOURCE, 'principals'], value: CALLER },
      [`+        - "${CALLER}"`],
    ],
    [
      'an item of a list in flow style',
      { op: 'append', at: [...SOURCE, 'namespaces'], value: 'batch' },
      [`-        namespaces: ['front', 'back']`, `+        namespaces: ['front', 'back', 'batch']`],
    ],
    [
      'an item of a list in flow style over several lines',
      { op: 'append', at: ['spec', 'rules', 0, 'to', 0, 'operation', 'ports'], value: '100' },
      ['-          "90" # old', '+          "90", # old', '+          "100"'],
    ],
    [
      'a rule, its lists indented as those around',
      { op: 'append', at: ['spec', 'rules'], value: RULE },
      [
        '+  - from:',
        '+    - source:',
        '+        principals:',
        `+        - '${CALLER}'`,
        '+    to:',
        '+    - operation:',
        '+        ports:',
        '+        - "8080"',
      ],
    ],
    ['a scalar', { op: 'set', at: ['spec', 'action'], value: 'DENY' }, ['-  action: ALLOW', '+  action: DENY']],
    [
      'an item of a list that is put right, its comment stays',
      { op: 'set', at: [...SOURCE, 'principals', 0], value: CALLER },
      ['-        - "cluster.local/ns/front/sa/front" # the front', `+        - "${CALLER}" # the front`],
    ],
    [
      'a field in flow style',
      { op: 'set', at: ['spec', 'selector', 'matchLabels', 'tier'], value: 'one' },
      ['-  selector: {matchLabels: {app: web}}', '+  selector: {matchLabels: {app: web, tier: one}}'],
    ],
    [
      'missing fields below one that is there',
      { op: 'set', at: ['metadata', 'labels', 'istio.io/use-waypoint'], value: 'none' },
      ['+  labels:', '+    istio.io/use-waypoint: none'],
    ],
    ['a field that goes', { op: 'unset', at: ['spec', 'selector'] }, ['-  selector: {matchLabels: {app: web}}']],
    [
      'an object that is replaced: only what differs',
      {
        op: 'set',
        at: ['spec', 'rules', 0, 'from'],
        value: [{ source: { namespaces: ['front'], notPrincipals: [CALLER] } }],
      },
      [
        '-        principals:',
        '-        - "cluster.local/ns/front/sa/front" # the front',
        `-        namespaces: ['front', 'back']`,
        `+        namespaces: ['front']`,
        '+        notPrincipals:',
        `+        - '${CALLER}'`,
      ],
    ],
  ])('%s', (_name, edit, lines) => {
    expect(changed(POLICY, [edit])).toEqual(lines);
    expect(changed(`${NAMESPACE}---\n${POLICY}---\n${NAMESPACE}`, [edit], 1)).toEqual(lines);
    const windows = changed(POLICY.replaceAll('\n', '\r\n'), [edit]);
    expect(windows).toEqual(lines.map((line) => `${line}\r`));
  });

  it('puts what is first into an empty list or mapping in its place', () => {
    const rule = {
      op: 'append',
      at: ['spec', 'rules'],
      value: { from: [{ source: { principals: [CALLER] } }] },
    } as const;
    const head = POLICY.slice(0, POLICY.indexOf('spec:'));
    const lines = ['+    - from:', '+        - source:', '+            principals:', `+              - ${CALLER}`];
    expect(changed(`${head}spec:\n  rules: [] # none\n`, [rule])).toEqual([
      '-  rules: [] # none',
      '+  rules: # none',
      ...lines,
    ]);
    expect(changed(`${head}spec: {}\n`, [rule])).toEqual(['-spec: {}', '+spec:', '+  rules:', ...lines]);
    expect(changed(`${head}spec:\n`, [rule])).toEqual(['+  rules:', ...lines]);
    expect(changed(head, [rule])).toEqual(['+spec:', '+  rules:', ...lines]);
    const names = `${head}spec:\n  rules:\n    - from:\n        - source: {principals: []}\n`;
    expect(changed(names, [{ op: 'append', at: [...SOURCE, 'principals'], value: CALLER }])).toEqual([
      '-        - source: {principals: []}',
      `+        - source: {principals: [${CALLER}]}`,
    ]);
  });

  it('keeps a file without a line end at its end so', () => {
    const text = POLICY.trimEnd();
    const edit: Edit = { op: 'set', at: ['spec', 'provider', 'name'], value: 'ext' };
    expect(changed(text, [edit])).toContain('+    name: ext');
    const { change: made, document } = change(text, [edit]);
    expect(spliceChange(made, text, document)?.endsWith('name: ext')).toBe(true);
  });

  it('changes an object in a List, and the object of the right name', () => {
    const items = [NAMESPACE, POLICY, POLICY.replace('name: web', 'name: api')].map((text) =>
      text
        .trimEnd()
        .split('\n')
        .map((line, index) => (index === 0 ? '- ' : '  ') + line)
        .join('\n'),
    );
    const list = `apiVersion: v1\nkind: List\nitems:\n${items.join('\n').replace('- # who may call the shop\n  ', '- ').replace('- # who may call the shop\n  ', '- ')}\n`;
    expect(changed(list, [{ op: 'append', at: [...SOURCE, 'principals'], value: CALLER }], 2)).toEqual([
      `+          - "${CALLER}"`,
    ]);
  });

  it('keeps JSON that somebody wrote JSON', () => {
    const text = `${JSON.stringify(decodeManifests(POLICY, FILE).objects[0]?.raw, null, 2)}\n`;
    expect(changed(text, [{ op: 'append', at: [...SOURCE, 'principals'], value: CALLER }])).toEqual([
      '-                "cluster.local/ns/front/sa/front"',
      '+                "cluster.local/ns/front/sa/front",',
      `+                "${CALLER}"`,
    ]);
    const { change: made } = change(text, [{ op: 'append', at: ['spec', 'rules'], value: RULE }]);
    expect(() => JSON.parse(spliceChange(made, text, 0) ?? '')).not.toThrow();
  });

  it('there is none for what the API server wrote, for aliases, templates and odd files', () => {
    const edit: Edit = { op: 'append', at: [...SOURCE, 'principals'], value: CALLER };
    const dump = POLICY.replace('  namespace: shop', '  namespace: shop\n  uid: 0b1c\n  resourceVersion: "7"');
    expect(changed(dump, [edit])).toBeNull();
    const anchored = POLICY.replace('        principals:', '        principals: &all').replace(
      '    to:',
      '    - source: {notPrincipals: *all}\n    to:',
    );
    expect(changed(anchored, [edit])).toBeNull();
    expect(changed(`${POLICY}    when: [] # {{ .Values.more }}\n`, [edit])).toBeNull();
    expect(changed(`%YAML 1.2\n---\n${POLICY}`, [edit])).toBeNull();
    const { change: made } = change(POLICY, [edit]);
    expect(diffOf(made, POLICY.replace('front/sa/front', 'front/sa/other'), 0)).toBeNull();
    expect(diffOf(made, `${POLICY}---\n${POLICY}`, 2)).toBeNull();
    expect(diffOf({ ...made, file: 'a\nb.yaml' }, POLICY, 0)).toBeNull();
    expect(diffOf({ ...made, file: 'a"b.yaml' }, POLICY, 0)).toBeNull();
  });

  it('names the file so that git and patch take it', () => {
    const { change: made } = change(POLICY, [{ op: 'unset', at: ['spec', 'selector'] }]);
    const names = (file: string): string =>
      (diffOf({ ...made, file }, POLICY, 0) ?? '').split('\n').slice(0, 2).join('|');
    expect(names('./a/../b/c.yaml')).toBe('--- a/b/c.yaml|+++ b/b/c.yaml');
    expect(names('/srv/c.yaml')).toBe('--- a/srv/c.yaml|+++ b/srv/c.yaml');
    expect(names('../c d.yaml')).toBe('--- a/c d.yaml\t|+++ b/c d.yaml\t');
  });

  it('a mesh that knows the texts of its files gives every change its diff', () => {
    const text = `${NAMESPACE}---\n${POLICY}`;
    const { objects } = decodeManifests(text, FILE);
    const mesh = createMesh(objects, { texts: new Map([[FILE, text]]) });
    const { change: made } = change(text, [{ op: 'unset', at: ['spec', 'selector'] }], 1);
    const [first] = withDiffs([made], mesh);
    expect(first?.diff).toContain('@@ -9,7 +9,6 @@');
    expect(withDiffs([made], createMesh(objects))[0]?.diff).toBeNull();
  });
});

describe('the texts of files that the mesh keeps', () => {
  it('are those that stand for the file byte by byte, of up to 1 MiB, as long as objects come from them', () => {
    const folder = mkdtempSync(join(tmpdir(), 'meshmend-texts-'));
    const long = `${NAMESPACE}# ${'x'.repeat(1024 * 1024)}\n`;
    const files = { 'a.yaml': NAMESPACE, 'bom.yaml': `\ufeff${NAMESPACE}`, 'long.yaml': long, 'values.yaml': 'a: 1\n' };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const { objects, texts } = readMesh([folder]);
    expect([...texts]).toEqual([[join(folder, 'a.yaml'), NAMESPACE]]);
    const mesh = withObjects(createMesh(objects, { texts }), []);
    expect(mesh.sourceText(join(folder, 'a.yaml'))).toBe(NAMESPACE);
    expect(mesh.sourceText('elsewhere.yaml')).toBeNull();
  });
});

describe('a change in a terminal', () => {
  it('is the hunk of the file where that is short, and never wider than the terminal', () => {
    const made = (file: string, edit: Edit): ObjectChange => {
      const { change: planned, document } = change(POLICY, [edit]);
      return { ...planned, file, diff: diffOf({ ...planned, file }, POLICY, document) };
    };
    const name: Edit = { op: 'set', at: ['spec', 'action'], value: 'DENY' };
    expect(changeLines(made(FILE, name), 2)).toEqual([
      '  policies/web.yaml:8',
      '     selector: {matchLabels: {app: web}}',
      '  -  action: ALLOW',
      '  +  action: DENY',
      '     rules:',
    ]);
    const wide: Edit = { op: 'set', at: ['spec', 'action'], value: 'x'.repeat(90) };
    const rule: Edit = { op: 'append', at: ['spec', 'rules'], value: RULE };
    for (const edit of [name, wide, rule]) {
      const lines = changeLines(made(`${'long/'.repeat(30)}web.yaml`, edit), 11);
      expect(lines.every((line) => line.length <= 80)).toBe(true);
      expect(lines.some((line) => line.includes('@@'))).toBe(false);
    }
    expect(changeLines(made(FILE, rule), 11)[1]?.trim()).toBe('spec.rules');
  });
});

const word = fc.constantFrom(
  'a',
  'cluster.local/ns/a/sa/b',
  'true',
  '8080',
  'x: y',
  "it's",
  '',
  '*',
  'é',
  'a,b',
  '- c',
  '{d}',
);
const { tree } = fc.letrec<{ tree: unknown; list: unknown; map: unknown }>((tie) => ({
  tree: fc.oneof({ maxDepth: 4 }, word, fc.integer(), fc.boolean(), tie('list'), tie('map')),
  list: fc.array(tie('tree'), { maxLength: 4 }),
  map: fc.dictionary(fc.constantFrom('from', 'to', 'source', 'when', 'mode', 'key one', '8080'), tie('tree'), {
    maxKeys: 4,
  }),
}));
const value = tree;

/** Places in a value, by the keys that lead there. */
function places(root: unknown, at: readonly (string | number)[] = []): readonly (readonly (string | number)[])[] {
  if (Array.isArray(root)) return [at, ...root.flatMap((item, index) => places(item, [...at, index]))];
  if (!isRecord(root)) return [at];
  return [at, ...Object.entries(root).flatMap(([key, item]) => places(item, [...at, key]))];
}

/** An edit of any kind at some place below `spec`. */
function anyEdit(spec: unknown, fresh: unknown, choose: Choose): Edit {
  const all = places(spec, ['spec']);
  const at = all[choose(all.length)] ?? ['spec'];
  const ways: readonly Edit[] = [
    { op: 'append', at, value: fresh },
    { op: 'set', at, value: fresh },
    { op: 'set', at: [...at, 'new', 'field'], value: fresh },
    { op: 'unset', at },
  ];
  return ways[choose(ways.length)] ?? { op: 'set', at, value: fresh };
}

/** Some objects written to one file, and an edit of one of them. */
interface Written {
  readonly text: string;
  readonly eol: string;
  readonly documents: readonly string[];
  readonly wanted: readonly unknown[];
  readonly index: number;
  readonly change: ObjectChange;
}

/** Null: the edit changes nothing. */
function write(specs: readonly unknown[], fresh: unknown, choose: Choose): Written | null {
  const objects = specs.map((spec) => ({ apiVersion: 'x/v1', kind: 'Thing', metadata: { name: 'a' }, spec }));
  const documents = objects.map((object) => `---\n${writeYaml(object, choose)}`);
  const eol = choose(4) === 0 ? '\r\n' : '\n';
  const whole = documents.join('').slice(choose(2) * 4, choose(6) === 0 ? -1 : undefined);
  const text = whole.replaceAll('\n', eol);
  const index = choose(specs.length);
  const found = decodeManifests(text, FILE).objects.find(({ source }) => source.document === index);
  const planned = found === undefined ? null : patchObject(found, [anyEdit(specs[index], fresh, choose)]);
  if (planned === null) return null;
  const wanted = objects.map((object, other) => (other === index ? planned.change.after : object));
  return { text, eol, documents, wanted, index, change: planned.change };
}

function expectKept({ text, eol, documents, wanted, index }: Written, spliced: string): void {
  expect(parseAllDocuments(spliced).map((document) => document.toJS())).toEqual(wanted);
  expect(spliced.endsWith('\n')).toBe(text.endsWith('\n'));
  expect(spliced.replaceAll(eol, '')).not.toMatch(/[\r\n]/);
  const others = documents.filter((_, other) => other > 0 && other !== index && other < documents.length - 1);
  for (const other of others) expect(spliced).toContain(other.replaceAll('\n', eol));
}

describe('laws of splicing', () => {
  it('any edit of any object, in any style: the file reads as wanted, everything around is as it was', () => {
    let [made, refused] = [0, 0];
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 3 }), value, fc.gen(), (specs, fresh, generate) => {
        const written = write(specs, fresh, (count) => generate(fc.nat, { max: count - 1 }));
        if (written === null) return;
        const { text, index } = written;
        const spliced = spliceChange(written.change, text, index);
        if (spliced === null) refused += 1;
        if (spliced === null) return;
        made += 1;
        expectKept(written, spliced);
        const diff = diffOf(written.change, text, index);
        expect(applyDiff(text, diff ?? '', { autoConvertLineEndings: false })).toBe(spliced);
      }),
      { numRuns: 400 },
    );
    // Removals in flow style beside comments may be refused; nearly all must work.
    expect(refused / (made + refused)).toBeLessThan(0.01);
  });

  it('never throws and never makes a diff that does not apply, whatever the text is', () => {
    const { change: made } = change(POLICY, [{ op: 'append', at: [...SOURCE, 'principals'], value: CALLER }]);
    fc.assert(
      fc.property(fc.nat(POLICY.length), fc.nat(40), fc.string({ maxLength: 8 }), (from, length, noise) => {
        const text = POLICY.slice(0, from) + noise + POLICY.slice(from + length);
        const diff = diffOf(made, text, 0);
        if (diff !== null)
          expect(applyDiff(text, diff, { autoConvertLineEndings: false })).toBe(spliceChange(made, text, 0));
      }),
    );
  });
});
