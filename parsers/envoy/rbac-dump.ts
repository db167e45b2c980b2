/** Messages of the RBAC and JWT filters that run over several lines (envoy 1.37 source/extensions/filters/{http,network}). */
const DUMP = /^(?:checking (?:request|connection):|Loaded JwtAuthConfig)/;

/** True for a message that goes on until `thread=` closes it. */
export function isOpenDump(message: string): boolean {
  return DUMP.test(message);
}

/** `'x-request-id', 'value'`; `, dynamicMetadata: …`; protobuf text; the closing `thread=N`. */
const DUMP_LINE =
  /^\s{0,32}(?:'[^']{1,256}', '|, dynamicMetadata:|filter_metadata \{|(?:key|string_value|number_value|bool_value): |(?:fields|value|struct_value|list_value|values) \{|\}\s{0,4}$|thread=\d{1,10}\s{0,4}$)/;

/** True for a line within such a dump, where it stands alone: older releases close it with nothing. */
export function isDumpLine(payload: string): boolean {
  return DUMP_LINE.test(payload);
}

const RESULT = /^(enforced|shadow) (allowed|denied), matched policy (\S+)/;
/** Values of the dump's first line; the blank after `remoteIP` and before `localAddress` is missing in some releases. */
const ATTRIBUTES: readonly (readonly [field: string, pattern: RegExp])[] = [
  ['requestedServerName', /(?:^|[ ,])requestedServerName: ([^\s,]{1,512})/],
  ['sourceIP', /(?:^|[ ,])sourceIP: ([^\s,]{1,128})/],
  ['directRemoteIP', /(?:^|[ ,])directRemoteIP: ([^\s,]{1,128})/],
  ['remoteIP', /(?:^|[ ,])remoteIP: ([^\s,]{1,128})/],
  ['remoteAddress', /(?:^|[ ,])remoteAddress: ([^\s,]{1,128})/],
  ['localAddress', /(?:^|[ ,])localAddress: ([^\s,]{1,128})/],
  ['uriSanPeerCertificate', /(?:^|[ ,])uriSanPeerCertificate: ([^\s,]{1,2048})/],
];
const HEADER = /^\s*'([^']{1,256})', '(.*)'\s*$/;
const HEADERS_START = ', headers: ';
/** Headers that identify a request; others may be secrets. */
const HEADERS: ReadonlySet<string> = new Set([
  ':authority',
  ':method',
  ':path',
  'x-forwarded-for',
  'x-request-id',
  'user-agent',
]);

/**
 * What a message of the RBAC filter says, as fields: the verdict (`mode`, `result`, `policy`), or the attributes of the
 * connection and the headers of the request in Envoy's words. Empty for other messages. Untrusted text.
 */
export function readMessageFields(scope: string, message: string): Record<string, string> {
  if (scope !== 'envoy rbac') return {};
  const result = RESULT.exec(message);
  if (result !== null) {
    const [, mode = '', outcome = '', policy = ''] = result;
    return { mode, result: outcome, policy };
  }
  return message.startsWith('checking ') ? readDump(message) : {};
}

function readDump(message: string): Record<string, string> {
  const fields: Record<string, string> = {};
  const lines = message.split('\n');
  // Headers are the client's: attributes are looked for before the first of them.
  const head = (lines[0] ?? '').split(', headers: ', 1)[0] ?? '';
  for (const [field, pattern] of ATTRIBUTES) {
    const value = pattern.exec(head)?.[1];
    if (value !== undefined) fields[field] = value;
  }
  if (head.includes('ssl: none')) fields['ssl'] = 'none';
  for (const line of lines) {
    if (line.startsWith(', dynamicMetadata:')) break;
    const start = line.startsWith('checking ') ? line.indexOf(HEADERS_START) + HEADERS_START.length : 0;
    const [, name = '', value = ''] = HEADER.exec(line.slice(start)) ?? [];
    if (HEADERS.has(name)) fields[name] = value;
  }
  return fields;
}
