import { CATEGORIES, CERTAINTIES, LEVELS } from '../model/finding.ts';

type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: 'string' };
const count: Schema = { type: 'integer', minimum: 0 };
const textOrNull: Schema = { type: ['string', 'null'] };
const instantOrNull: Schema = {
  type: ['string', 'null'],
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{6}Z$',
  description: 'UTC with microseconds; null: no record had a time',
};
const port: Schema = { type: ['integer', 'null'], minimum: 0, maximum: 65535 };

function list(items: Schema): Schema {
  return { type: 'array', items };
}

/** Null: not known. */
function listOrNull(items: Schema): Schema {
  return { anyOf: [list(items), { type: 'null' }] };
}

function oneOf(values: readonly (string | null)[]): Schema {
  return { enum: values };
}

/** An object with these members, all required. Others are allowed: later releases may add some. */
function object(properties: Readonly<Record<string, Schema>>): Schema {
  return { type: 'object', properties, required: Object.keys(properties) };
}

const objectRef = object({ kind: text, namespace: text, name: text });
const anyObjectOrNull: Schema = { type: ['object', 'null'] };

const input = object({
  name: text,
  lines: { ...count, description: 'records + joined + skipped + malformed + truncated' },
  records: count,
  joined: count,
  skipped: count,
  malformed: count,
  truncated: count,
  parsers: { type: 'object', additionalProperties: count },
  problems: list(object({ line: count, reason: text, sample: text })),
  unrecognised: {
    ...list(object({ shape: text, count: { ...count, description: 'at least' }, sample: text })),
    description: 'shapes of skipped lines, most frequent first; the rest up to skipped are others',
  },
  notices: list(object({ meaning: text, count, line: count, sample: text })),
});

const change = object({
  op: oneOf(['create', 'patch', 'delete']),
  object: object({ apiVersion: text, kind: text, namespace: text, name: text }),
  before: anyObjectOrNull,
  after: anyObjectOrNull,
  jsonPatch: { anyOf: [list(object({ op: text, path: text })), { type: 'null' }] },
  yaml: text,
  file: textOrNull,
  diff: { ...textOrNull, description: 'unified diff of file' },
});

const remedy = object({
  kind: oneOf(['policy-change', 'enrol', 'network-policy', 'configuration', 'investigate', 'none']),
  summary: text,
  risk: textOrNull,
  decision: { ...textOrNull, description: 'why an owner must decide before it is made' },
  verification: object({
    status: oneOf(['verified', 'refuted', 'unverifiable']),
    reason: text,
    fixes: object({ of: count, fixed: count }),
    newlyAllows: list(text),
    newlyDenies: list(text),
    probes: list(object({ probe: text, before: text, after: text })),
  }),
  reach: {
    anyOf: [
      object({
        callers: list(object({ principal: text, workloads: listOrNull(text) })),
        selected: listOrNull(text),
        others: listOrNull(objectRef),
      }),
      { type: 'null' },
    ],
    description: 'whom the change reaches beside the caller and the destination; null: it changes no object',
  },
  changes: list(change),
  commands: object({ confirm: list(text), apply: list(text), verify: list(text), rollback: list(text) }),
});

const finding = object({
  fingerprint: { type: 'string', pattern: '^[0-9a-f]{16}$' },
  ruleId: text,
  category: oneOf(CATEGORIES),
  level: oneOf(LEVELS),
  certainty: oneOf(CERTAINTIES),
  title: text,
  cause: text,
  count: { type: 'integer', minimum: 1 },
  firstSeen: instantOrNull,
  lastSeen: instantOrNull,
  source: object({
    identity: textOrNull,
    principal: textOrNull,
    workload: textOrNull,
    namespace: textOrNull,
    addresses: list(text),
  }),
  destination: object({
    identity: textOrNull,
    workload: textOrNull,
    namespace: textOrNull,
    service: textOrNull,
    address: textOrNull,
    port,
  }),
  enforcedBy: oneOf(['ztunnel', 'sidecar', 'waypoint', 'gateway', null]),
  policies: list(objectRef),
  nearMiss: list(object({ policy: objectRef, rule: count, field: text, wanted: text, seen: text })),
  intended: oneOf(['yes', 'likely', 'unknown', 'no']),
  intendedBecause: textOrNull,
  evidence: list(object({ input: text, line: count, raw: text })),
  unchecked: list(text),
  remedies: list(remedy),
});

/** JSON Schema (2020-12) of the report, `meshmend schema`. Members are only ever added. */
export const reportSchema: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'meshmend report',
  ...object({
    schemaVersion: { const: 1 },
    tool: object({ name: text, version: text }),
    generatedAt: { type: 'string' },
    partial: { type: 'boolean', description: 'reading was interrupted' },
    inputs: list(input),
    totals: object({ records: count, failures: count, flows: count }),
    overflow: object({ records: count, failures: count }),
    mesh: object({
      known: { type: 'boolean' },
      sources: list(text),
      takenAt: instantOrNull,
      counts: { type: 'object', additionalProperties: count },
    }),
    findings: list(finding),
    problems: list(object({ about: text, message: text })),
  }),
};
