import type { Finding } from '../model/finding.ts';
import type { Problem } from '../model/report.ts';
import type { Flow } from '../model/traffic.ts';
import { decide } from '../policy/decide.ts';
import { notTaken } from '../policy/policy-status.ts';
import { refText } from '../text/object-ref.ts';
import { namesCaller } from './guard/withhold.ts';
import { probeOfFlow, tupleOf } from './probes.ts';
import type { Trial } from './trial.ts';

/** Calls that worked of which the mesh is asked, the most frequent first. */
const MAX_ASKED = 500;

/**
 * What makes the proofs of a report doubtful: a mesh that is not that of the log, policies that are not in force as they are written, and
 * callers named who did not call.
 */
export function doubtsOn(findings: readonly Finding[], trial: Trial): readonly Problem[] {
  return [...contradictions(trial), ...notInForce(findings, trial), ...unknownCallers(findings, trial)];
}

/** Calls that worked and that the mesh, as it was given, denies. */
function contradictions(trial: Trial): readonly Problem[] {
  if (!trial.mesh.known) return [];
  const denied = trial.workedByNamespace().flatMap(({ namespace, flows }) => {
    const mesh = trial.focusedOn([namespace]);
    return flows
      .filter(isDecided)
      .slice(0, MAX_ASKED)
      .flatMap((flow) => {
        const probe = probeOfFlow(flow, mesh);
        return probe !== null && decide(mesh, probe).outcome === 'deny' ? [{ flow, text: tupleOf(probe, mesh) }] : [];
      });
  });
  const [first] = denied;
  if (first === undefined) return [];
  const count = denied.reduce((sum, { flow }) => sum + flow.count, 0);
  const message = `by the objects given ${count} calls that worked would be denied (${first.text}): they are not those of the mesh that wrote the log, or not of that time`;
  return [{ about: 'mesh', message }];
}

/** Only the ztunnel of the destination says for sure that policies let a call pass; at other ends a refusal may look like success. */
function isDecided({ record }: Flow): boolean {
  return record.proxy === 'ztunnel' && record.reporter === 'destination';
}

/** Policies that refused, of which their own status says that a proxy does not take all of them. */
function notInForce(findings: readonly Finding[], { mesh }: Trial): readonly Problem[] {
  const named = new Map(findings.flatMap(({ policies }) => policies).map((ref) => [refText(ref), ref]));
  return [...named].flatMap(([name, ref]) => {
    const object = mesh.object(ref);
    return (object === null ? [] : notTaken(object)).map(({ condition, reason, message }) => ({
      about: 'mesh',
      message: `${name} is not taken as it is written (${condition} False, ${reason}): ${message}`,
    }));
  });
}

function unknownCallers(findings: readonly Finding[], { mesh, wishes }: Trial): readonly Problem[] {
  return wishes.allowCallers
    .filter((id) => !findings.some((finding) => namesCaller(id, finding, mesh)))
    .map((id) => ({
      about: '--allow-caller',
      message: `${id} is the caller of no finding: see how it is written there`,
    }));
}
