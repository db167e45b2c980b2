import { isRecord } from '../../text/kube-object.ts';
import type { Remarks } from './scope.ts';

/** Members of a key: which must be there, and which hold base64 if they are there. */
interface KeyForm {
  readonly required: readonly string[];
  readonly bytes: readonly string[];
}

const SYMMETRIC: KeyForm = { required: ['k'], bytes: ['k'] };

/** By `kty` and by whether there is a member `d`, even a null one. */
const FORMS: Readonly<Record<string, { readonly public: KeyForm; readonly private: KeyForm }>> = {
  RSA: {
    public: { required: ['e', 'n'], bytes: ['e', 'n'] },
    private: { required: ['d', 'e', 'n'], bytes: ['d', 'dp', 'dq', 'e', 'n', 'p', 'q', 'qi'] },
  },
  EC: {
    public: { required: ['crv', 'x', 'y'], bytes: ['x', 'y'] },
    private: { required: ['crv', 'd', 'x', 'y'], bytes: ['d', 'x', 'y'] },
  },
  OKP: {
    public: { required: ['crv', 'x'], bytes: ['x'] },
    private: { required: ['crv', 'd', 'x'], bytes: ['d', 'x'] },
  },
  oct: { public: SYMMETRIC, private: SYMMETRIC },
};

const TEXTS = ['alg', 'kid', 'use', 'x5t', 'x5t#S256'];
const LISTS = ['key_ops', 'x5c'];

/** What is wrong with an inline key set, as lestrrat-go/jwx 1.2 reads it (istio 86c9f01f go.mod); '' is the absent one. */
export function jwksRemarks(jwks: string): Remarks {
  if (jwks === '') return { errors: [], warnings: [] };
  const set = firstObject(jwks);
  if (set === null) return { errors: ['is not a JSON object'], warnings: [] };
  // Without `keys` the object itself is the only key.
  const keys = Object.hasOwn(set, 'keys') ? (set['keys'] ?? []) : [set];
  if (!Array.isArray(keys)) return { errors: ['keys must be a list'], warnings: [] };
  return {
    errors: keys.flatMap((key, index) => keyErrors(key).map((problem) => `key ${index} ${problem}`)).slice(0, 1),
    warnings: keys.flatMap((key, index) => (isPrivate(key) ? [`key ${index} is a private key`] : [])),
  };
}

function keyErrors(key: unknown): readonly string[] {
  const kty = isRecord(key) ? key['kty'] : null;
  const forms = typeof kty === 'string' && Object.hasOwn(FORMS, kty) ? FORMS[kty] : undefined;
  if (!isRecord(key) || forms === undefined) return ['has no known kty'];
  const { required, bytes } = forms[Object.hasOwn(key, 'd') ? 'private' : 'public'];
  const texts = required.includes('crv') ? ['crv', ...TEXTS] : TEXTS;
  return [
    ...required.filter((name) => !Object.hasOwn(key, name)).map((name) => `has no ${name}`),
    ...bytes.filter((name) => !isBytes(key[name])).map((name) => `has a ${name} that is not base64`),
    ...texts.filter((name) => !isText(key[name])).map((name) => `has a ${name} that is not text`),
    ...LISTS.filter((name) => !isTextList(key[name])).map((name) => `has a ${name} that is not a list of text`),
  ];
}

function isPrivate(key: unknown): boolean {
  return isRecord(key) && key['kty'] !== 'oct' && Object.hasOwn(key, 'd');
}

/** Go reads null as the empty string. */
function isText(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'string';
}

function isTextList(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.every(isText));
}

/** Base64 of either alphabet, padded or not, line breaks ignored; bits beyond the last byte are ignored. */
function isBytes(value: unknown): boolean {
  if (typeof value !== 'string') return isText(value);
  const text = value.replace(/[\r\n]/g, '');
  const alphabet = /[+/]/.test(text) ? /^[A-Za-z0-9+/]*(={0,2})$/ : /^[A-Za-z0-9_-]*(={0,2})$/;
  const padding = alphabet.exec(text)?.[1];
  if (padding === undefined) return false;
  return padding === '' ? text.length % 4 !== 1 : text.length % 4 === 0;
}

/** The JSON object at the start of the text, whatever follows it (Go's decoder stops there); null: there is none. */
function firstObject(text: string): Readonly<Record<string, unknown>> | null {
  const end = endOfObject(text);
  if (end === null) return null;
  try {
    const value: unknown = JSON.parse(text.slice(0, end));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

/** Index behind the brace that closes the first one; null: it is never closed. */
function endOfObject(text: string): number | null {
  let depth = 0;
  const token = /"(?:[^"\\]|\\.)*"|[{}]/gs;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    if (match[0] === '{') depth++;
    if (match[0] === '}' && --depth <= 0) return token.lastIndex;
  }
  return null;
}
