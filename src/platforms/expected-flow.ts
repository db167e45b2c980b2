import { platforms } from './index.ts';
import type { ExpectedFlow, Party, Platform } from './platform.ts';

/** One end of a call, as far as it is known. Untrusted text. */
export interface End {
  readonly namespace: string | null;
  readonly account: string | null;
  /** Its workload, and the values of labels that name it; empty: not known. */
  readonly names: readonly string[];
}

/** A call that may be one of a platform's own. */
export interface PlatformCall {
  /** Null: whoever it is has no pod and showed no identity. */
  readonly source: End | null;
  readonly destination: End;
  /** Port of the pod; null: not known. */
  readonly port: number | null;
  /** Paths that were asked for, without query; empty: not known, or no HTTP. */
  readonly paths: readonly string[];
}

/** A flow that a platform needs, and whose. */
export interface Expected {
  readonly platform: Platform;
  readonly flow: ExpectedFlow;
}

/**
 * The flow that a call is, the one that says most of it first: with the paths it asked for, then with both ends named. Null:
 * it is none that a platform needs.
 */
export function expectedFlow(call: PlatformCall): Expected | null {
  let best: { readonly expected: Expected; readonly weight: number } | null = null;
  for (const platform of platforms) {
    for (const flow of platform.flows) {
      const weight = weightOf(flow, call);
      if (weight > (best?.weight ?? 0)) best = { expected: { platform, flow }, weight };
    }
  }
  return best?.expected ?? null;
}

/** 0: the call is not this flow. */
function weightOf(flow: ExpectedFlow, { source, destination, port, paths }: PlatformCall): number {
  if (flow.ports.length > 0 && (port === null || !flow.ports.includes(port))) return 0;
  const own = flow.paths;
  if (own !== null && paths.length > 0 && !paths.every((path) => own.includes(path))) return 0;
  const to = closeness(flow.to, destination);
  const from =
    typeof flow.from === 'string' ? Number(source === null) : source === null ? 0 : closeness(flow.from, source);
  if (to === 0 || from === 0) return 0;
  // Where it is not known what was asked, the flow that may ask anything is meant.
  if (own === null) return from + to + 1;
  return paths.length > 0 ? from + to + 10 : from + to;
}

/** 0: it is not this party; the more it says of itself, the more. A name tells more than an account, which others may share. */
function closeness(party: Party, { namespace, account, names }: End): number {
  if (party.namespaces !== null && (namespace === null || !party.namespaces.includes(namespace))) return 0;
  const inNamespace = party.namespaces === null ? 1 : 2;
  if (party.names === null && party.accounts === null) return inNamespace;
  const pattern = party.names;
  if (pattern !== null && names.length > 0) return names.some((name) => pattern.test(name)) ? inNamespace + 2 : 0;
  return account !== null && party.accounts?.includes(account) === true ? inNamespace + 1 : 0;
}
