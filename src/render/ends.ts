import type { DestinationEnd, SourceEnd } from '../model/finding.ts';
import { printable } from '../text/sanitize.ts';

/** Who called, in a few words. Printable. */
export function sourceText(source: SourceEnd): string {
  const name = source.workload ?? accountOf(source.principal);
  if (name !== null) return printable(inNamespace(source.namespace, name));
  const [address, ...more] = source.addresses;
  if (address === undefined) return 'unknown caller';
  return printable(more.length === 0 ? address : `${address} and ${more.length} more`);
}

/** Who was called, with the port. Printable. */
export function destinationText(destination: DestinationEnd): string {
  const host = hostText(destination);
  if (host === null) return 'unknown destination';
  return printable(destination.port === null ? host : `${host}:${destination.port}`);
}

function hostText(destination: DestinationEnd): string | null {
  if (destination.workload !== null) return inNamespace(destination.namespace, destination.workload);
  if (destination.service !== null) return destination.service;
  if (destination.address === null) return null;
  return destination.address.includes(':') ? `[${destination.address}]` : destination.address;
}

function inNamespace(namespace: string | null, name: string): string {
  return namespace === null ? name : `${namespace}/${name}`;
}

function accountOf(principal: string | null): string | null {
  return /\/sa\/(.+)$/.exec(principal ?? '')?.[1] ?? null;
}
