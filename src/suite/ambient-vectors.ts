import type { AuthorizationPolicy, PeerAuthentication } from '../model/policy.ts';
import type { Fields, ProbeResult } from '../model/suite.ts';
import { compileZtunnel, type ZtunnelDecision, type ZtunnelWorkload } from '../policy/ambient/decide.ts';
import { explainZtunnel } from '../policy/ambient/explain.ts';
import type { ZtunnelConnection } from '../policy/ambient/match.ts';
import { decodeAuthorizationPolicy, decodePeerAuthentication } from '../policy/decode.ts';
import { parseSpiffeId } from '../text/spiffe.ts';
import { listOf, recordOf, textMapOf, textOf, textsOf } from '../text/untyped.ts';
import { isSame, malformed, type SuiteResults } from './result.ts';
import { admissionFaults, readObjects, type VectorObject } from './vector-objects.ts';

/**
 * Runs one case of `ambient-*.jsonl`: what istiod makes of the policies and what ztunnel then answers to each connection.
 * An object that was refused counts as absent. Compared are outcome, error text and all policies that deny; where two may
 * be named, either name does. What istiod attaches, and what admission says, is no probe, but a failure if it is wrong.
 */
export function runAmbientVector(file: string, name: string, line: Fields): SuiteResults {
  const objects = readObjects(file, line['objects'], line['validation']);
  const fail = (reason: string): ProbeResult => malformed(file, name, reason);
  if (typeof objects === 'string') return { results: [fail(objects)], skipped: 0 };
  const connections = listOf(line['connections']);
  const verdicts = listOf(line['verdicts']);
  if (connections.length !== verdicts.length) {
    const reason = `${connections.length} connections and ${verdicts.length} verdicts`;
    return { results: [fail(reason)], skipped: 0 };
  }
  const workload = workloadOf(line, objects);
  const attached = textsOf(line['attached']);
  const faults = [
    ...admissionFaults(objects),
    ...(isSame(attached, workload.attached)
      ? []
      : [
          `istiod lists ${workload.attached.join(', ') || 'nothing'}, and the vector ${attached.join(', ') || 'nothing'}`,
        ]),
  ];
  const results = connections.map((connection, index) => {
    const asked = connectionOf(recordOf(connection));
    return typeof asked === 'string'
      ? fail(`connections[${index}]: ${asked}`)
      : probe(file, name, workload, asked, recordOf(verdicts[index]));
  });
  return { results: [...faults.map(fail), ...results], skipped: 0 };
}

function workloadOf(line: Fields, objects: readonly VectorObject[]): ZtunnelWorkload {
  const mesh = recordOf(line['mesh']);
  const workload = recordOf(line['workload']);
  const inForce = objects.filter(({ admission }) => admission?.valid !== false);
  const settings = {
    rootNamespace: textOf(mesh['rootNamespace']) ?? 'istio-system',
    revision: textOf(mesh['revision']),
    istioVersion: textOf(mesh['istioVersion']),
  };
  return compileZtunnel(inForce.flatMap(decode), settings).forWorkload({
    namespace: textOf(workload['namespace']) ?? '',
    labels: textMapOf(workload['labels']),
  });
}

function decode({ object }: VectorObject): readonly (AuthorizationPolicy | PeerAuthentication)[] {
  const read =
    object.kind === 'PeerAuthentication' ? decodePeerAuthentication(object) : decodeAuthorizationPolicy(object);
  return read.ok ? [read.value] : [];
}

/** The connection, or what is missing of it. */
function connectionOf({ srcIp, srcIdentity, dstIp, dstPort }: Fields): ZtunnelConnection | string {
  if (typeof srcIp !== 'string' || typeof dstIp !== 'string') return 'srcIp and dstIp must be texts';
  if (typeof dstPort !== 'number') return 'dstPort must be a number';
  return {
    sourceIp: srcIp,
    identity: parseSpiffeId(textOf(srcIdentity)),
    destinationIp: dstIp,
    destinationPort: dstPort,
  };
}

function probe(
  file: string,
  name: string,
  workload: ZtunnelWorkload,
  connection: ZtunnelConnection,
  verdict: Fields,
): ProbeResult {
  const decision = workload.decide(connection);
  const deniedBy = decision.deniedBy.map(({ key }) => key).sort();
  const { sourceIp, identity, destinationIp, destinationPort } = connection;
  return {
    file,
    case: name,
    probe: `${identity ?? 'plaintext'} from ${sourceIp} to ${destinationIp} port ${destinationPort}`,
    expected: verdict,
    actual: {
      outcome: decision.outcome,
      error: decision.error,
      because: explainZtunnel(workload, connection).because,
      deniedBy,
      nameUncertain: decision.nameUncertain,
    },
    pass:
      decision.outcome === verdict['outcome'] &&
      isSame([...textsOf(verdict['deniedBy'])].sort(), deniedBy) &&
      (verdict['nameUncertain'] === true) === decision.nameUncertain &&
      isErrorSame(decision, verdict['error'] ?? null),
  };
}

/** Where ztunnel may name any of several policies, the name in the text must be one of them. */
function isErrorSame({ error, nameUncertain, deniedBy }: ZtunnelDecision, wanted: unknown): boolean {
  if (!nameUncertain || typeof wanted !== 'string' || error === null) return error === wanted;
  const head = error.slice(0, error.lastIndexOf(': ') + 2);
  return wanted.startsWith(head) && deniedBy.some(({ key }) => key === wanted.slice(head.length));
}
