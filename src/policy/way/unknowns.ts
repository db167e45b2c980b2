import type { EnvoyEngine } from '../envoy/decide.ts';
import { UNKNOWN } from '../envoy/known.ts';
import type { EnvoyRequest } from '../envoy/request.ts';
import type { EnvoyDecision } from '../envoy/verdict.ts';

/** Something of a request that may not be known: its name, whether it is not, and values that it could have. */
interface Aspect {
  readonly name: string;
  readonly isUnknown: (request: EnvoyRequest) => boolean;
  readonly settle: readonly Partial<EnvoyRequest>[];
}

const ASPECTS: readonly Aspect[] = [
  {
    name: 'the path',
    isUnknown: ({ path }) => path === UNKNOWN,
    settle: [{ path: '/' }, { path: '/any.invalid/path' }],
  },
  {
    name: 'the method',
    isUnknown: ({ method }) => method === UNKNOWN,
    settle: [{ method: 'GET' }, { method: 'TRACE' }],
  },
  { name: 'the Host header', isUnknown: ({ host }) => host === UNKNOWN, settle: [{ host: 'any.invalid' }] },
  {
    name: 'the headers',
    isUnknown: ({ headersComplete }) => !headersComplete,
    settle: [{ headersComplete: true }],
  },
  { name: 'the token', isUnknown: ({ token }) => token.kind === 'unknown', settle: [{ token: { kind: 'none' } }] },
  {
    name: 'the answer of the external authorizer',
    isUnknown: ({ authorizer }) => authorizer === UNKNOWN,
    settle: [{ authorizer: { kind: 'allow' } }],
  },
  { name: 'the time', isUnknown: ({ time }) => time === UNKNOWN, settle: [{ time: 0 }] },
  {
    name: "the caller's address",
    isUnknown: ({ sourceAddress }) => sourceAddress === UNKNOWN,
    settle: [{ sourceAddress: '192.0.2.1' }],
  },
  {
    name: "the destination's address",
    isUnknown: ({ destinationAddress }) => destinationAddress === UNKNOWN,
    settle: [{ destinationAddress: '192.0.2.1' }],
  },
  {
    name: 'the server name of TLS',
    isUnknown: ({ serverName }) => serverName === UNKNOWN,
    settle: [{ serverName: null }],
  },
];

const OPENING = 'depends on what is not known: ';

/** Names in an undecided answer what it hangs on: everything that, once settled, changes what may come. */
export function nameUnknowns(decision: EnvoyDecision, engine: EnvoyEngine, request: EnvoyRequest): EnvoyDecision {
  if (decision.outcome !== 'unknown') return decision;
  const open = ASPECTS.filter(({ isUnknown }) => isUnknown(request));
  const telling = open.filter(({ settle }) =>
    settle.some((values) => engine.decide({ ...request, ...values }).because !== decision.because),
  );
  const names = (telling.length > 0 ? telling : open).map(({ name }) => name);
  if (names.length === 0 || !decision.because.startsWith(OPENING)) return decision;
  const verb = names.length === 1 && names[0] !== 'the headers' ? 'is' : 'are';
  const because = `${names.join(', ')} ${verb} not known: ${decision.because.slice(OPENING.length)}`;
  return { ...decision, because, nearMiss: decision.nearMiss };
}
