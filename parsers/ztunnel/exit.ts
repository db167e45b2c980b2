import type { Envelope } from '../../src/model/line.ts';
import type { Parsed, Parser } from '../../src/model/record.ts';
import { diagnosticOf } from './diagnostic.ts';

const ID = 'ztunnel-exit';

/** One of ztunnel's servers did not start (istio/ztunnel 62d82653 src/app.rs), as the library anyhow prints the error of `main`. */
const SERVER = String.raw`^\s{0,16}Error: ((?:readiness|admin|stats) server starts)`;
const BEGUN = new RegExp(String.raw`${SERVER}\s*(?:Caused by:\s*)?$`);
const WHOLE = new RegExp(String.raw`${SERVER}\s{1,64}Caused by:\s{1,64}(?:0: )?(\S[^\n]{0,1000})`);

/** A cause of the cause. */
const DEEPER = /^\s{1,16}\d{1,2}: \S/;

/**
 * The last words of a ztunnel that could not start, over several lines without time or level: `Error: readiness server starts`,
 * an empty line, `Caused by:`, and the cause.
 */
export const ztunnelExit: Parser = {
  id: ID,
  title: 'ztunnel, why it could not start (the error with which it exits)',
  takesParts: true,
  parse(envelope: Envelope): Parsed {
    const whole = WHOLE.exec(envelope.payload);
    if (whole === null) return BEGUN.test(envelope.payload) ? { kind: 'unfinished' } : null;
    const [, server, cause] = whole;
    const head = { parser: ID, time: null, severity: 'error' } as const;
    return diagnosticOf(envelope, head, { name: 'main', spans: [] }, `${server}: ${cause}`, []);
  },
  continues: (_record, payload) => DEEPER.test(payload),
};
