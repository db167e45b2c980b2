import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { KubeObject } from '../../src/model/mesh.ts';
import type { ObjectChange } from '../../src/model/remedy.ts';
import { recordOf, textOf, valueAt } from '../../src/text/untyped.ts';
import type { Case } from './k8s-cases.ts';
import { ownPart } from './k8s-compare.ts';
import { KubeClient, messageOf } from './kube-client.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a command printed. */
export interface Output {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Objects as they are stored, by key; null: there is none of that name. */
export type Stored = Readonly<Record<string, Json | null>>;

/** A cluster into which one mesh after the other is put. */
export class World {
  readonly client: KubeClient;
  /** Objects to look at and to take out again, by name. */
  private readonly tracked = new Map<string, Json>();
  private readonly namespaces = new Set<string>(['default', 'kube-system']);

  constructor(kubeconfig: string) {
    const config: unknown = JSON.parse(readFileSync(kubeconfig, 'utf8'));
    this.client = new KubeClient({
      url: textOf(valueAt(config, 'clusters', 0, 'cluster', 'server')) ?? '',
      caFile: textOf(valueAt(config, 'clusters', 0, 'cluster', 'certificate-authority')) ?? '',
      token: textOf(valueAt(config, 'users', 0, 'user', 'token')) ?? '',
    });
  }

  /** Puts in what a case needs. The answer tells which of its objects the server refused, and why. */
  async seed({ mesh, remedies }: Case): Promise<ReadonlyMap<string, string>> {
    const touched = remedies.flatMap(({ changes }) => changes.map(({ object }) => objectOf(object)));
    const workloads = remedies.flatMap(({ commands }) => commands.apply.flatMap(workloadsOf));
    const all = [...mesh.objects.map(clean), ...workloads];
    const spaces = all.filter(({ kind }) => kind === 'Namespace');
    const names = [...all, ...touched].map((object) => textOf(valueAt(object, 'metadata', 'namespace')) ?? '');
    const labelled = remedies.flatMap(({ commands }) => commands.apply.flatMap(labelledNamespaces));
    for (const space of [...[...names, ...labelled].filter((name) => name !== '').map(namespaceOf), ...spaces]) {
      await this.putNamespace(space);
    }
    const refused = new Map<string, string>();
    for (const object of all.filter(({ kind }) => kind !== 'Namespace')) {
      const answer = await this.client.create(object);
      if (answer.status === 201) this.tracked.set(keyOf(object), object);
      else if (answer.status !== 409) refused.set(keyOf(object), messageOf(answer));
    }
    for (const object of touched) this.tracked.set(keyOf(object), this.tracked.get(keyOf(object)) ?? object);
    return refused;
  }

  /** Namespaces stay, as nothing here would end their deletion; each case gives them its own labels. */
  private async putNamespace(space: Json): Promise<void> {
    const name = textOf(valueAt(space, 'metadata', 'name')) ?? '';
    const answer = this.namespaces.has(name) ? await this.client.replace(space) : await this.client.create(space);
    if (answer.status >= 300) throw new Error(`namespace ${name}: ${messageOf(answer)}`);
    this.namespaces.add(name);
    this.tracked.set(keyOf(space), space);
  }

  /** Takes everything out but the namespaces. */
  async clear(): Promise<void> {
    for (const object of this.tracked.values()) if (object['kind'] !== 'Namespace') await this.client.delete(object);
    this.tracked.clear();
  }

  /** An object as it is stored, without what the server alone writes; null: there is none. */
  async stored(object: Json): Promise<Json | null> {
    const { status, body } = await this.client.get(object);
    return status === 200 ? ownPart(body) : null;
  }

  /** All objects of the case as they are stored. */
  async snapshot(): Promise<Stored> {
    const entries: [string, Json | null][] = [];
    for (const [key, object] of this.tracked) entries.push([key, await this.stored(object)]);
    return Object.fromEntries(entries);
  }

  /** Runs a command as an operator would: in a shell. */
  shell(command: string, input = ''): Output {
    const { PATH, KUBECONFIG, HOME } = process.env;
    return spawnSync('sh', ['-c', command], { env: { PATH, KUBECONFIG, HOME }, input, encoding: 'utf8' });
  }
}

/** `kind namespace/name` of an object. */
export function keyOf(object: Json): string {
  const { namespace = '', name } = recordOf(object['metadata']);
  return `${object['kind']} ${namespace}/${name}`;
}

/** The name of an object as far as a request needs it. */
export function objectOf({ apiVersion, kind, namespace, name }: ObjectChange['object']): Json {
  return { apiVersion, kind, metadata: { name, ...(namespace === '' ? {} : { namespace }) } };
}

/** As a manifest would hold it: a server takes no version of its own making, nor `status`. */
function clean({ raw, metadata, kind }: KubeObject): Json {
  const { namespace } = metadata;
  const own = ownPart(raw);
  const place = namespace === '' || kind === 'Namespace' ? {} : { namespace };
  return { ...own, metadata: { ...recordOf(own['metadata']), ...place } };
}

function namespaceOf(name: string): Json {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

const KINDS: Readonly<Record<string, string>> = {
  deployment: 'Deployment',
  statefulset: 'StatefulSet',
  daemonset: 'DaemonSet',
};

/** The workloads that a command patches, as a mesh of policies and pods does not hold them. */
function workloadsOf(command: string): readonly Json[] {
  const [, namespace, word = '', name] = /^kubectl -n (\S+) patch (\w+) (\S+) --type=merge /.exec(command) ?? [];
  const kind = KINDS[word];
  if (kind === undefined) return [];
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'app' }] } };
  const service = kind === 'StatefulSet' ? { serviceName: name } : {};
  return [
    {
      apiVersion: 'apps/v1',
      kind,
      metadata: { name, namespace },
      spec: { ...service, selector: { matchLabels: labels }, template },
    },
  ];
}

function labelledNamespaces(command: string): readonly string[] {
  const [, name] = /^kubectl label namespace (\S+) /.exec(command) ?? [];
  return name === undefined ? [] : [name];
}
