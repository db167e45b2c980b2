import type { Finding } from '../model/finding.ts';
import type { Problem } from '../model/report.ts';
import type { Flow } from '../model/traffic.ts';
import { decide } from '../policy/decide.ts';
import { namesCaller } from './guard/withhold.ts';
import { probeOfFlow, tupleOf } from './probes.ts';
import type { Trial } from './trial.ts';

/** Calls that worked of which the mesh is asked, the most frequent first. */
const MAX_ASKED = 500;

/** What makes the proofs of a report doubtful: a mesh that is not that of the log, and callers named who did not call. */
export function doubtsOn(findings: readonly Finding[], trial: Trial): readonly Problem[] {
  return [...contradictions(trial), ...unknownCallers(findings, trial)];
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

function unknownCallers(findings: readonly Finding[], { mesh, wishes }: Trial): readonly Problem[] {
  return wishes.allowCallers
    .filter((id) => !findings.some((finding) => namesCaller(id, finding, mesh)))
    .map((id) => ({
      about: '--allow-caller',
      message: `${id} is the caller of no finding: see how it is written there`,
    }));
}
