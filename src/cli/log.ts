import pino, { type Logger } from 'pino';

/**
 * The program's own messages, on stderr: stdout carries the result only. Pretty on a terminal, JSON lines elsewhere.
 * Synchronous, so that nothing is lost at the end. The text of a log line never goes through here.
 */
export async function createLogger(verbose: boolean): Promise<Logger> {
  const level = verbose ? 'debug' : 'warn';
  if (!process.stderr.isTTY) return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
  const { default: pretty } = await import('pino-pretty');
  return pino({ level, base: null }, pretty({ destination: 2, sync: true, ignore: 'time' }));
}
