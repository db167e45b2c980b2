import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { listOf, recordOf, textOf, valueAt } from '../../src/text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;

/** What an API server answered. */
export interface Answer {
  readonly status: number;
  readonly body: Json;
  /** Texts of its `Warning` headers. */
  readonly warnings: readonly string[];
}

/** Where an API server is, and as whom to talk to it. */
export interface Access {
  readonly url: string;
  readonly caFile: string;
  readonly token: string;
}

const JSON_TYPE = 'application/json';
const PATCH_TYPE = 'application/json-patch+json';
/** Nothing is dropped silently, and nothing kept. */
const STRICT = 'fieldValidation=Strict';
const STRICT_TRIAL = `${STRICT}&dryRun=All`;

/** A client of the API server that shows answers as they are, refusals too. */
export class KubeClient {
  private readonly access: Access;
  private readonly ca: Buffer;
  private readonly agent: Agent = new Agent({ keepAlive: true });
  private readonly resources = new Map<string, Promise<readonly Json[]>>();

  constructor(access: Access) {
    this.access = access;
    this.ca = readFileSync(access.caFile);
  }

  async create(object: Json): Promise<Answer> {
    const path = await this.pathOf(object, false);
    return path === null ? NO_RESOURCE : this.send('POST', `${path}?${STRICT}`, object, JSON_TYPE);
  }

  async get(object: Json): Promise<Answer> {
    const path = await this.pathOf(object, true);
    return path === null ? NO_RESOURCE : this.send('GET', path);
  }

  /** Puts another object in the place of one, whatever its version. */
  async replace(object: Json): Promise<Answer> {
    const path = await this.pathOf(object, true);
    if (path === null) return NO_RESOURCE;
    const { body } = await this.send('GET', path);
    const resourceVersion = valueAt(body, 'metadata', 'resourceVersion');
    const metadata = { ...recordOf(object['metadata']), resourceVersion };
    return this.send('PUT', `${path}?${STRICT}`, { ...object, metadata }, JSON_TYPE);
  }

  /** Sends a change on trial: `object` whole to create it, its name to patch or delete it. */
  async tryChange(op: 'create' | 'patch' | 'delete', object: Json, patch: readonly unknown[]): Promise<Answer> {
    const path = await this.pathOf(object, op !== 'create');
    if (path === null) return NO_RESOURCE;
    const [method, body, type] = {
      create: ['POST', object, JSON_TYPE] as const,
      patch: ['PATCH', patch, PATCH_TYPE] as const,
      delete: ['DELETE', undefined, JSON_TYPE] as const,
    }[op];
    const options = op === 'delete' ? 'dryRun=All' : STRICT_TRIAL;
    return this.send(method, `${path}?${options}`, body, type);
  }

  async delete(object: Json): Promise<Answer> {
    const path = await this.pathOf(object, true);
    return path === null ? NO_RESOURCE : this.send('DELETE', `${path}?gracePeriodSeconds=0`);
  }

  /** The path of an object, or of the collection it is in; null: the server has no such resource. */
  private async pathOf(object: Json, named: boolean): Promise<string | null> {
    const apiVersion = textOf(object['apiVersion']);
    if (apiVersion === null) return null;
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const resource = (await this.resourcesOf(root)).find(
      ({ kind, name }) => kind === object['kind'] && !textOf(name)?.includes('/'),
    );
    if (resource === undefined) return null;
    const namespace = encodeURIComponent(textOf(valueAt(object, 'metadata', 'namespace')) ?? 'default');
    const place = resource['namespaced'] === true ? `/namespaces/${namespace}` : '';
    const name = encodeURIComponent(textOf(valueAt(object, 'metadata', 'name')) ?? '');
    return `${root}${place}/${resource['name']}${named ? `/${name}` : ''}`;
  }

  private resourcesOf(root: string): Promise<readonly Json[]> {
    const known = this.resources.get(root);
    if (known !== undefined) return known;
    const asked = this.send('GET', root).then(({ body }) => listOf(body['resources']).map(recordOf));
    this.resources.set(root, asked);
    return asked;
  }

  /** One request. Rejects only where there is no answer. */
  send(method: string, path: string, body?: unknown, type: string = JSON_TYPE): Promise<Answer> {
    const { url, token } = this.access;
    const headers = { authorization: `Bearer ${token}`, accept: JSON_TYPE, 'content-type': type };
    return new Promise((done, fail) => {
      const sent = request(`${url}${path}`, { method, headers, ca: this.ca, agent: this.agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => {
          const warnings = [response.headers['warning'] ?? []].flat();
          done({ status: response.statusCode ?? 0, body: bodyOf(Buffer.concat(chunks)), warnings });
        });
      });
      sent.on('error', fail);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

const NO_RESOURCE: Answer = { status: 404, body: { message: 'the server has no such kind' }, warnings: [] };

function bodyOf(bytes: Buffer): Json {
  const text = bytes.toString('utf8');
  try {
    return recordOf(JSON.parse(text));
  } catch {
    return { message: text };
  }
}

/** What a refusal says, without the object that strict decoding repeats. */
export function messageOf({ status, body }: Answer): string {
  const message = textOf(body['message']) ?? '';
  const strict = message.indexOf('strict decoding error: ');
  return `${status} ${strict < 0 ? message : message.slice(strict)}`;
}
