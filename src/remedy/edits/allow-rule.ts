import type { Finding } from '../../model/finding.ts';
import type { Destination } from './destination.ts';
import { isLayer4, requestsOf } from './fit.ts';

type Json = Readonly<Record<string, unknown>>;

/** A path that means itself in a policy: no star, template or escape, and nothing that Istio would normalise. */
const LITERAL_PATH = /^(?!.*(?:\/\/|\/\.\.?(?:\/|$)))\/[A-Za-z0-9._~:@!$&'()+,;=/-]{0,200}$/;
/** More different values than this are no list of what a caller needs, but a sample of it. */
const MAX_LISTED = 5;
const METHOD = /^[A-Z]{1,20}$/;

/**
 * The narrowest rule that admits a principal to what the finding saw: the port where policies see the pod's, and the
 * methods and paths it saw, where they are few and the proxy knows HTTP.
 */
export function allowRule(finding: Finding, destination: Destination, principal: string): Json {
  const operation = operationOf(finding, destination);
  const to = Object.keys(operation).length > 0 ? { to: [{ operation }] } : {};
  return { from: [{ source: { principals: [principal] } }], ...to };
}

function operationOf(finding: Finding, { port }: Destination): Json {
  // A waypoint stands before the pod, and which port its policies see depends on how it was called.
  const ports = port === null || finding.enforcedBy === 'waypoint' ? {} : { ports: [String(port)] };
  if (isLayer4(finding)) return ports;
  const seen = requestsOf(finding);
  const methods = listable(seen.methods, METHOD) ? { methods: seen.methods } : {};
  const paths = seen.complete && listable(seen.paths, LITERAL_PATH) ? { paths: seen.paths } : {};
  return { ...ports, ...methods, ...paths };
}

/** Few enough that a person would list them, and each of them means only itself. */
function listable(values: readonly string[], form: RegExp): boolean {
  return values.length > 0 && values.length <= MAX_LISTED && values.every((value) => form.test(value));
}
