import type { KubeObject, MeshView } from '../model/mesh.ts';
import { isRecord } from '../text/kube-object.ts';
import { listOf, recordOf, textOf, valueAt } from '../text/untyped.ts';

type Json = Readonly<Record<string, unknown>>;

/** An access log format that the mesh prints with. */
export interface MeshFormat {
  /** Where it stands: `MeshConfig`, `the provider json-logs (Telemetry shop/logs)`, `EnvoyFilter shop/logs`. */
  readonly source: string;
  /** A text with operators, or an object of them. Untrusted. */
  readonly format: string | Json;
}

/** Objects in objects are looked into so deep, and so many formats are taken. */
const MAX_DEPTH = 24;
const MAX_FORMATS = 32;

/**
 * The access log formats that the objects of a mesh tell of: `meshConfig.accessLogFormat`, the file providers of the mesh
 * configuration, those that a Telemetry names first (istio 86c9f01f pilot/pkg/model/telemetry_logging.go), EnvoyFilters that
 * set one, and EnvoyProxies of Envoy Gateway. Each once. Never throws.
 */
export function accessLogFormats(mesh: MeshView): readonly MeshFormat[] {
  const found = [...configFormats(mesh), ...filterFormats(mesh), ...gatewayFormats(mesh)];
  const seen = new Set<string>();
  const once = found.filter(({ format }) => {
    const id = JSON.stringify(format);
    return !seen.has(id) && seen.add(id).size > 0;
  });
  return once.slice(0, MAX_FORMATS);
}

function configFormats(mesh: MeshView): readonly MeshFormat[] {
  const config = recordOf(mesh.config);
  const own = toFormat(config['accessLogFormat'], config['accessLogEncoding'] === 'JSON');
  const providers = listOf(config['extensionProviders']).flatMap((provider) => providerFormat(provider, mesh));
  return [
    ...(own === null ? [] : [{ source: 'MeshConfig', format: own, isUsed: true }]),
    ...providers.sort((a, b) => Number(b.isUsed) - Number(a.isUsed)),
  ].map(({ source, format }) => ({ source, format }));
}

function providerFormat(provider: unknown, mesh: MeshView): readonly (MeshFormat & { readonly isUsed: boolean })[] {
  const name = textOf(valueAt(provider, 'name')) ?? '';
  const wanted = valueAt(provider, 'envoyFileAccessLog', 'logFormat');
  const format = toFormat(valueAt(wanted, 'text'), false) ?? toFormat(valueAt(wanted, 'labels'), true);
  if (format === null) return [];
  const user = mesh.objectsOf('Telemetry').find((object) => providersOf(object).includes(name));
  const by = user === undefined ? '' : ` (Telemetry ${nameOf(user)})`;
  return [{ source: `the provider ${name}${by}`, format, isUsed: user !== undefined }];
}

/** Names of the providers that a Telemetry logs with. */
function providersOf({ raw }: KubeObject): readonly unknown[] {
  return listOf(valueAt(raw, 'spec', 'accessLogging')).flatMap((logging) =>
    listOf(valueAt(logging, 'providers')).map((provider) => valueAt(provider, 'name')),
  );
}

function filterFormats(mesh: MeshView): readonly MeshFormat[] {
  return mesh.objectsOf('EnvoyFilter').flatMap((object) =>
    listOf(valueAt(object.raw, 'spec', 'configPatches')).flatMap((patch) =>
      formatsIn(valueAt(patch, 'patch', 'value'), 0).map((format) => ({
        source: `EnvoyFilter ${nameOf(object)}`,
        format,
      })),
    ),
  );
}

/** Formats of the file access logs in a piece of Envoy's configuration, in either spelling of its keys. */
function formatsIn(value: unknown, depth: number): readonly (string | Json)[] {
  if (depth > MAX_DEPTH) return [];
  if (Array.isArray(value)) return value.flatMap((item) => formatsIn(item, depth + 1));
  if (!isRecord(value)) return [];
  const own = isFileLog(value) ? (logFormat(value['log_format'] ?? value['logFormat']) ?? logFormat(value)) : null;
  return own === null ? Object.values(value).flatMap((item) => formatsIn(item, depth + 1)) : [own];
}

/** Access logs of Envoy that print to a file or a stream (envoy 1.37 api/envoy/extensions/access_loggers). */
const FILE_LOG = /\.(?:FileAccessLog|StdoutAccessLog|StderrAccessLog)$/;

function isFileLog(value: Json): boolean {
  return FILE_LOG.test(textOf(value['@type']) ?? '') || isRecord(value['log_format'] ?? value['logFormat']);
}

function logFormat(value: unknown): string | Json | null {
  const of = recordOf(value);
  const source = of['text_format_source'] ?? of['textFormatSource'];
  const text = valueAt(source, 'inline_string') ?? valueAt(source, 'inlineString');
  const json = of['json_format'] ?? of['jsonFormat'] ?? of['typed_json_format'] ?? of['typedJsonFormat'];
  return toFormat(text ?? of['text_format'] ?? of['textFormat'] ?? of['format'], false) ?? toFormat(json, true);
}

function gatewayFormats(mesh: MeshView): readonly MeshFormat[] {
  return mesh.objectsOf('EnvoyProxy').flatMap((object) =>
    listOf(valueAt(object.raw, 'spec', 'telemetry', 'accessLog', 'settings')).flatMap((setting) => {
      const wanted = valueAt(setting, 'format');
      const format = toFormat(valueAt(wanted, 'text'), false) ?? toFormat(valueAt(wanted, 'json'), true);
      return format === null ? [] : [{ source: `EnvoyProxy ${nameOf(object)}`, format }];
    }),
  );
}

/** A format that is there; null: absent or empty, or no JSON object where it has to be one, which means the default. */
function toFormat(value: unknown, isJson: boolean): string | Json | null {
  if (!isJson) return textOf(value);
  const object = typeof value === 'string' ? parseJson(value) : value;
  return isRecord(object) && Object.keys(object).length > 0 ? object : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function nameOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}
