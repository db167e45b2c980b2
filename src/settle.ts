import { intentJudge } from './intent/intent.ts';
import { worstFirst } from './judge.ts';
import { withPlatformFlow } from './known-flow.ts';
import type { Finding } from './model/finding.ts';
import type { MeshView } from './model/mesh.ts';
import { type PassingTraffic, passingJudge } from './passing/passing.ts';

/** Findings told in full, the worst and most frequent. The others are counted, by rule, among the problems. */
const MAX_FINDINGS = 1000;

/** Findings as they are to be told, the worst first. */
export interface Settled {
  readonly findings: readonly Finding[];
  /** Those that are only counted. */
  readonly untold: readonly Finding[];
  /** Whether the same calls worked afterwards, so that nothing is to be changed. */
  readonly isOver: (finding: Finding) => boolean;
  /** A finding with what shows that somebody wanted the denial. */
  readonly withIntent: (finding: Finding) => Finding;
}

/** What the whole input tells of findings that were made of one failure each: whether it is over, wanted, a platform's own call. */
export function settle(judged: readonly Finding[], traffic: PassingTraffic, mesh: MeshView): Settled {
  const passing = passingJudge(traffic, mesh);
  const withIntent = intentJudge(traffic, mesh);
  const over = new Set<Finding>();
  const settled = judged.map((finding) => {
    const passed = passing(finding);
    if (passed?.isOver === true) over.add(passed.finding);
    return passed?.finding ?? finding;
  });
  settled.sort(worstFirst);
  return {
    findings: settled
      .slice(0, MAX_FINDINGS)
      .map((finding) => (over.has(finding) ? finding : withPlatformFlow(withIntent(finding), mesh))),
    untold: settled.slice(MAX_FINDINGS),
    isOver: (finding) => over.has(finding),
    withIntent,
  };
}
