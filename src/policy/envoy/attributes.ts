import { blockHolds, type IpAddress, parseIpBlock } from '../match-ip.ts';
import { matchesString, readStringMatch } from '../match-string.ts';
import { type Facts, type Matcher, show } from './facts.ts';
import { type Known, some, type Tri, UNKNOWN } from './known.ts';
import {
  expandPrincipal,
  type IdentityMatch,
  matchNamespace,
  matchPrincipal,
  matchServiceAccount,
  matchTrustDomain,
} from './match-identity.ts';
import { isPathTemplate, matchesPathTemplate, parsePathTemplate } from './path-template.ts';
import type { Claims } from './request.ts';

/** What a value means beside its text. */
export interface Scope {
  /** Namespace of the policy. */
  readonly namespace: string;
  /** The mesh's own first, then its aliases. */
  readonly trustDomains: readonly string[];
  /** Envoy up to 1.37.0 joins the lines of one header before it compares. */
  readonly joinHeaderLines: boolean;
}

/** Something a rule can ask about. */
export interface Attribute {
  /** Only HTTP has it: on a TCP filter chain Istio cannot make a matcher from it. */
  readonly httpOnly: boolean;
  /** It is a part of the caller's identity, and nothing else of the request counts. */
  readonly ofIdentity: boolean;
  /** A matcher for one value as written; null: Istio cannot make one from it. */
  compile(value: string, scope: Scope): Matcher | null;
  /** The value of a request, for people. */
  seen(facts: Facts): string;
}

/** Asks one test again and again: it is made once per rule, not once per request. */
function asking<T>(select: (facts: Facts) => Known<T>, test: (value: T) => Tri): Matcher {
  return (facts) => {
    const value = select(facts);
    return value === UNKNOWN ? null : test(value);
  };
}

const claimsOf = (facts: Facts): Facts['claims'] => facts.claims;

function identityAttribute(compile: (value: string, scope: Scope) => IdentityMatch): Attribute {
  return {
    httpOnly: false,
    ofIdentity: true,
    compile: (value, scope) => {
      const matches = compile(value, scope);
      return ({ identity }) => (identity === UNKNOWN ? null : identity !== null && matches(identity));
    },
    seen: (facts) => show(facts.identity, (identity) => identity.replace('spiffe://', '')),
  };
}

export const PRINCIPAL: Attribute = identityAttribute((value, { trustDomains }) => {
  const [first, ...others] = expandPrincipal(value, trustDomains).map(matchPrincipal);
  if (first === undefined || others.length === 0) return first ?? (() => false);
  return (identity) => first(identity) || others.some((accepts) => accepts(identity));
});

export const NAMESPACE: Attribute = identityAttribute(matchNamespace);

export const SERVICE_ACCOUNT: Attribute = identityAttribute((value, { namespace }) =>
  matchServiceAccount(value, namespace),
);

export const TRUST_DOMAIN: Attribute = identityAttribute((value, { trustDomains }) =>
  matchTrustDomain(value, trustDomains),
);

function addressAttribute(select: (facts: Facts) => Known<IpAddress | null>): Attribute {
  return {
    httpOnly: false,
    ofIdentity: false,
    compile: (value) => {
      const block = parseIpBlock(value);
      if (block === null) return null;
      return asking(select, (address) => address !== null && blockHolds(block, address));
    },
    seen: (facts) => show(select(facts), renderIp),
  };
}

function renderIp({ family, a, b, c, d }: IpAddress): string {
  if (family === 4) return [a >>> 24, (a >>> 16) & 255, (a >>> 8) & 255, a & 255].join('.');
  return [a, b, c, d].map((word) => `${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`).join(':');
}

export const PEER_ADDRESS: Attribute = addressAttribute((facts) => facts.peer);
export const REMOTE_ADDRESS: Attribute = addressAttribute((facts) => facts.remote);
export const DESTINATION_ADDRESS: Attribute = addressAttribute((facts) => facts.destination);

/** Go's strconv.ParseUint: digits only, leading zeros allowed (istio 86c9f01f pilot/pkg/security/authz/model/util.go). */
export const DESTINATION_PORT: Attribute = {
  httpOnly: false,
  ofIdentity: false,
  compile: (value) => {
    const port = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    return port <= 65535 ? (facts) => facts.port === port : null;
  },
  seen: (facts) => String(facts.port),
};

/** Istio's star on a text; `*` is any text but the empty one. */
function textAttribute(httpOnly: boolean, select: (facts: Facts) => Known<string>): Attribute {
  return {
    httpOnly,
    ofIdentity: false,
    compile: (value) => {
      const match = readStringMatch(value);
      return asking(select, (text) => matchesString(match, text));
    },
    seen: (facts) => show(select(facts), (text) => (text === '' ? 'none' : text)),
  };
}

export const SERVER_NAME: Attribute = textAttribute(false, (facts) => facts.serverName);

/** A pseudo-header, which every request has: `*` holds always. */
function pseudoHeader(select: (facts: Facts) => Known<string>, fold: (text: string) => string): Attribute {
  return {
    httpOnly: true,
    ofIdentity: false,
    compile: (value) => {
      if (value === '*') return () => true;
      const match = readStringMatch(fold(value));
      return asking(select, (text) => matchesString(match, fold(text)));
    },
    seen: (facts) => show(select(facts), (text) => text),
  };
}

export const METHOD: Attribute = pseudoHeader(
  (facts) => facts.method,
  (text) => text,
);

/** Compared without case, and with the port if the client sends one. */
export const HOST: Attribute = pseudoHeader(
  (facts) => facts.host,
  (text) => text.toLowerCase(),
);

const PLAIN_PATH = textAttribute(true, (facts) => facts.path);

export const PATH: Attribute = {
  ...PLAIN_PATH,
  compile: (value, scope) => {
    if (!isPathTemplate(value)) return PLAIN_PATH.compile(value, scope);
    const template = parsePathTemplate(value);
    // Envoy refuses a template that it cannot read together with the whole configuration: see `problems` of the engine.
    if (template === null) return () => false;
    return asking(
      (facts) => facts.path,
      (path) => matchesPathTemplate(template, path),
    );
  },
};

/** `request.headers[NAME]`. `host` is `:authority` (envoy 1.40 source/common/http/header_map_impl.cc). */
export function headerAttribute(written: string): Attribute {
  const name = written.toLowerCase();
  if (name === ':authority' || name === 'host') return PSEUDO_AUTHORITY;
  if (name === ':method') return METHOD;
  return {
    httpOnly: true,
    ofIdentity: false,
    compile: (value, { joinHeaderLines }) => {
      const match = readStringMatch(value);
      return asking(
        ({ headers }) => headers.get(name),
        (lines) => {
          if (lines === null) return false;
          if (value === '*') return true;
          return joinHeaderLines
            ? matchesString(match, lines.join(','))
            : lines.some((line) => matchesString(match, line));
        },
      );
    },
    seen: ({ headers }) => show(headers.joined(name), (text) => text),
  };
}

const PSEUDO_AUTHORITY = pseudoHeader(
  (facts) => facts.host,
  (text) => text,
);

/**
 * `requestPrincipals`: issuer and subject, split at the last slash; both must be there (istio 86c9f01f
 * pilot/pkg/security/authz/model/generator.go).
 */
export const REQUEST_PRINCIPAL: Attribute = {
  httpOnly: true,
  ofIdentity: false,
  compile: (value) => {
    const [issuer, subject] = readRequestPrincipal(value);
    return asking(claimsOf, (claims) => isText(claims?.['iss'], issuer) && isText(claims?.['sub'], subject));
  },
  seen: (facts) => show(facts.claims, (claims) => `${claimText(claims['iss'])}/${claimText(claims['sub'])}`),
};

type TextTest = (text: string) => boolean;

function isText(value: unknown, test: TextTest): boolean {
  return typeof value === 'string' && test(value);
}

const present: TextTest = (text) => text !== '';

/** A star counts at the start of the issuer, or at the end of the subject, not both; beside that it is literal. */
function readRequestPrincipal(value: string): readonly [TextTest, TextTest] {
  const slash = value.lastIndexOf('/');
  const issuer = slash < 0 ? value : value.slice(0, slash);
  const subject = slash < 0 ? '' : value.slice(slash + 1);
  const is =
    (wanted: string): TextTest =>
    (text) =>
      text === wanted;
  if (value === '*') return [present, present];
  if (value.startsWith('*')) {
    const ends =
      (end: string): TextTest =>
      (text) =>
        text.endsWith(end);
    if (slash < 0) return [present, ends(value.slice(1))];
    return [issuer === '*' ? present : ends(issuer.slice(1)), is(subject)];
  }
  if (!value.endsWith('*')) return [is(issuer), is(subject)];
  const starts =
    (start: string): TextTest =>
    (text) =>
      text.startsWith(start);
  if (slash < 0) return [starts(value.slice(0, -1)), present];
  return [is(issuer), subject === '*' ? present : starts(subject.slice(0, -1))];
}

/** A claim at a path: a text, or a list with such a text (istio 86c9f01f pilot/pkg/security/authz/model/util.go). */
export function claimAttribute(path: readonly string[]): Attribute {
  return {
    httpOnly: true,
    ofIdentity: false,
    compile: (value) => {
      const match = readStringMatch(value);
      const test = (item: unknown): Tri => typeof item === 'string' && matchesString(match, item);
      return asking(claimsOf, (claims) => {
        const claim = claimAt(claims, path);
        return Array.isArray(claim) ? some(claim, test) : test(claim);
      });
    },
    seen: (facts) => show(facts.claims, (claims) => claimText(claimAt(claims, path))),
  };
}

function claimAt(claims: Claims | null, path: readonly string[]): unknown {
  let value: unknown = claims;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    value = Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
  }
  return value;
}

function claimText(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** `experimental.envoy.filters.FILTER[KEY]`: a text, or with `[v]` an item of a list. */
export function metadataAttribute(filter: string, key: string): Attribute {
  return {
    httpOnly: false,
    ofIdentity: false,
    compile: (value) => {
      const list = value.startsWith('[') && value.endsWith(']');
      const match = readStringMatch(list ? value.replace(/^[[\]]+|[[\]]+$/g, '') : value);
      const test = (item: unknown): Tri => typeof item === 'string' && matchesString(match, item);
      return asking(
        (facts) => facts.metadata,
        (metadata) => {
          const found = metadata[filter]?.[key];
          return list ? Array.isArray(found) && some(found, test) : test(found);
        },
      );
    },
    seen: (facts) => show(facts.metadata, (metadata) => claimText(metadata[filter]?.[key])),
  };
}

/** An attribute whose key is malformed: Istio makes no matcher from any value. */
export function malformedAttribute(httpOnly: boolean): Attribute {
  return { httpOnly, ofIdentity: false, compile: () => null, seen: () => 'nothing: the key is malformed' };
}
