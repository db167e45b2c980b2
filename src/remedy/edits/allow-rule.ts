import type { Finding } from '../../model/finding.ts';
import type { Destination } from './destination.ts';
import { isLayer4, requestOf } from './fit.ts';

type Json = Readonly<Record<string, unknown>>;

/** A path that means itself in a policy: no star, template or escape, and nothing that Istio would normalise. */
const LITERAL_PATH = /^(?!.*(?:\/\/|\/\.\.?(?:\/|$)))\/[A-Za-z0-9._~:@!$&'()+,;=/-]{0,200}$/;
const METHOD = /^[A-Z]{1,20}$/;

/**
 * The narrowest rule that admits a principal to what the finding saw: the port where policies see the pod's, and method
 * and path where there was one of each and the proxy knows HTTP.
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
  const { method, path } = requestOf(finding);
  const methods = method !== null && METHOD.test(method) ? { methods: [method] } : {};
  const paths = path !== null && LITERAL_PATH.test(path) ? { paths: [path] } : {};
  return { ...ports, ...methods, ...paths };
}
