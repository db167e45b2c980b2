import { NOTHING_TOLD, type Wrapping } from '../../src/model/line.ts';
import { parseInstant } from '../../src/text/time.ts';

const STAMP = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z`;
/** Job and step with tabs behind them; the first line of a log begins with a byte order mark (cli/cli pkg/cmd/run/view). */
const GITHUB = new RegExp(String.raw`^[^\t]{1,200}\t[^\t]{1,200}\t\ufeff?(${STAMP}) `);
/** The stream's number, `O` or `E`, and `+` where the line before goes on (GitLab Runner, FF_TIMESTAMPS). */
const GITLAB = new RegExp(`^(${STAMP}) [0-9a-f]{2}[OE][ +]`);
/** Envoy's own lines begin so too, and go on with a quote. */
const JENKINS = new RegExp(String.raw`^\[(${STAMP})\] (?! ?")`);

/**
 * `JOB\tSTEP\tTIME L` (gh run view --log), `TIME 01O L` (GitLab), `[TIME] L` (Jenkins). What GitHub and Azure DevOps save, `TIME
 * L`, looks like kubectl's time stamps.
 */
export const ciJob: Wrapping = {
  id: 'ci-job',
  title: 'log of a CI job',
  unwrap(text) {
    const head = JENKINS.exec(text) ?? GITLAB.exec(text) ?? GITHUB.exec(text);
    if (head === null) return null;
    return { ...NOTHING_TOLD, payload: text.slice(head[0].length), time: parseInstant(head[1] ?? '') };
  },
};
