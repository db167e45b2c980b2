import {
  bad,
  choice,
  entries,
  flag,
  good,
  list,
  mapping,
  number,
  type Read,
  type Reader,
  readFields,
  required,
  text,
} from './read-fields.ts';

type Json = Readonly<Record<string, unknown>>;

/** What holds for the mesh of a file; null: Istio's default. */
export interface MeshWords {
  readonly rootNamespace: string | null;
  readonly trustDomain: string | null;
  readonly trustDomainAliases: readonly string[] | null;
  readonly istioVersion: string | null;
  /** MeshConfig, its fields as in meshConfig.yaml. */
  readonly config: Json | null;
}

/** How a workload takes part; null: as the labels of its namespace say. */
export type WorkloadMesh = 'ambient' | 'sidecar' | 'none' | 'gateway' | 'waypoint' | null;

/** A pod in short. */
export interface WorkloadWords {
  readonly labels: ReadonlyMap<string, string>;
  readonly serviceAccount: string | null;
  readonly ip: string | null;
  readonly mesh: WorkloadMesh;
  /** Ports of its containers by name. */
  readonly ports: ReadonlyMap<string, number | null>;
}

/** Who calls: a text as `meshmend decide --from` takes it, or identity and address told apart. */
export type FromWords =
  | string
  | { readonly identity: string | null; readonly ip: string | null; readonly tls: boolean };

/** What a near miss must have; null: anything. */
export interface NearMissWords {
  readonly policy: string | null;
  readonly rule: number | null;
  readonly field: string | null;
  readonly wanted: string | null;
  readonly seen: string | null;
}

/** What is wanted of an answer beside the outcome; null: anything. */
export interface Wanted {
  readonly expect: 'allow' | 'deny' | 'unknown';
  /** `namespace/name`, or with its kind in front. Each must have decided; an empty list: nobody did. */
  readonly policy: readonly string[] | null;
  /** A part of the reason. */
  readonly because: string | null;
  /** Which hop decides: `ztunnel`, `network-policy`, … */
  readonly by: string | null;
  readonly error: string | null;
  readonly status: number | null;
  readonly flags: readonly string[] | null;
  readonly details: string | null;
  readonly nearMiss: readonly NearMissWords[] | null;
}

/** One question and the answer that is wanted. */
export interface ProbeWords extends Wanted {
  readonly name: string | null;
  readonly from: FromWords;
  readonly to: string;
  /** Bytes that are no HTTP. */
  readonly tcp: boolean;
  readonly method: string | null;
  readonly path: string | null;
  readonly host: string | null;
  readonly headers: ReadonlyMap<string, readonly string[] | null>;
  /** Payload of a valid token. */
  readonly jwt: Json | null;
  /** What an external authorizer says: the status of its refusal, or that it does not answer. */
  readonly authorizer: 'allow' | 'unreachable' | number | null;
}

/** Probes with what only they have; a case that is a probe itself has one. */
export interface CaseWords {
  readonly name: string | null;
  readonly mesh: MeshWords | null;
  readonly objects: readonly unknown[];
  readonly probes: readonly ProbeWords[];
}

/** One document of a file. An object is one written down, or the path of a file or folder. */
export interface SuiteWords {
  readonly about: string | null;
  readonly mesh: MeshWords | null;
  readonly namespaces: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly workloads: ReadonlyMap<string, WorkloadWords>;
  readonly objects: readonly unknown[];
  readonly cases: readonly CaseWords[];
}

const anything: Reader<unknown> = (value) => good(value);
const objects: Reader<readonly unknown[]> = (value, path) => orElse(list(anything)(value, path), []);

const meshWords: Reader<MeshWords> = readFields<MeshWords>({
  rootNamespace: text,
  trustDomain: text,
  trustDomainAliases: list(required),
  istioVersion: text,
  config: mapping,
});

const optionalMesh: Reader<MeshWords | null> = (value, path) =>
  value === null || value === undefined ? good(null) : meshWords(value, path);

const workload: Reader<WorkloadWords> = (value, path) =>
  readFields<WorkloadWords>({
    labels: entries(required),
    serviceAccount: text,
    ip: text,
    mesh: choice(['ambient', 'sidecar', 'none', 'gateway', 'waypoint']),
    ports: entries(number),
  })(value ?? {}, path);

const fromParts = readFields<Exclude<FromWords, string>>({ identity: text, ip: text, tls: flag });

const from: Reader<FromWords> = (value, path) => {
  if (typeof value === 'string') return good(value);
  return value === null || value === undefined ? bad(path, 'is missing') : fromParts(value, path);
};

const expected: Reader<Wanted['expect']> = (value, path) => {
  const read = choice(['allow', 'deny', 'unknown'])(value, path);
  if (!read.ok) return read;
  return read.value === null ? bad(path, 'is missing: allow, deny or unknown') : good(read.value);
};

const authorizer: Reader<ProbeWords['authorizer']> = (value, path) => {
  if (value === 'deny') return good(403);
  if (value === null || value === undefined || typeof value === 'number') return good(value ?? null);
  return value === 'allow' || value === 'unreachable'
    ? good(value)
    : bad(path, 'must be allow, deny, unreachable or a status');
};

const nearMiss = readFields<NearMissWords>({ policy: text, rule: number, field: text, wanted: text, seen: text });

const PROBE = {
  name: text,
  from,
  to: required,
  tcp: flag,
  method: text,
  path: text,
  host: text,
  headers: entries(list(required)),
  jwt: mapping,
  authorizer,
  expect: expected,
  policy: list(required),
  because: text,
  by: text,
  error: text,
  status: number,
  flags: list(required),
  details: text,
  nearMiss: list(nearMiss),
} as const;

const probe: Reader<ProbeWords> = readFields<ProbeWords>(PROBE);

/** A case with `probes`, or one that is a probe. What it adds stands in `mesh` and `objects` either way. */
const suiteCase: Reader<CaseWords> = (value, path) => {
  const own = mapping(value, path);
  if (!own.ok) return own;
  if (own.value !== null && 'probes' in own.value) {
    return readFields<CaseWords>({ name: text, mesh: optionalMesh, objects, probes: all(probe) })(value, path);
  }
  const { mesh, objects: added, ...asked } = own.value ?? {};
  const [settings, extra, single] = [
    optionalMesh(mesh, `${path}.mesh`),
    objects(added, `${path}.objects`),
    probe(asked, path),
  ];
  for (const read of [settings, extra, single]) if (!read.ok) return read;
  if (!settings.ok || !extra.ok || !single.ok) return bad(path, 'cannot be read');
  return good({ name: single.value.name, mesh: settings.value, objects: extra.value, probes: [single.value] });
};

const suite: Reader<SuiteWords> = readFields<SuiteWords>({
  about: text,
  mesh: optionalMesh,
  namespaces: entries((value, path) => entries(required)(value, path)),
  workloads: entries(workload),
  objects,
  cases: all(suiteCase),
});

/** A list that must be there and hold something. */
function all<T>(item: Reader<T>): Reader<readonly T[]> {
  return (value, path) => {
    const read = list(item)(value, path);
    if (!read.ok) return read;
    return read.value === null || read.value.length === 0 ? bad(path, 'there is none') : good(read.value);
  };
}

function orElse<T>(read: Read<T | null>, value: T): Read<T> {
  return read.ok ? good(read.value ?? value) : read;
}

/** Reads one document of a file of cases. Untrusted; a field that does not exist is a fault. Never throws. */
export function decodeSuite(value: unknown): Read<SuiteWords> {
  return suite(value, '');
}
