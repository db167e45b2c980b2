import { EXIT } from './exit.ts';
import { run } from './run.ts';

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(process.exitCode ?? EXIT.ok);
});

try {
  process.exitCode = await run(process.argv.slice(2), process.argv[1] ?? 'meshmend');
} catch (error) {
  process.stderr.write(
    `meshmend: a fault of its own, please report it\n${error instanceof Error ? error.stack : error}\n`,
  );
  process.exitCode = EXIT.fault;
}

// An interrupted read of a pipe may hang on until its writer ends; all that was asked for is printed by then.
if (process.exitCode === EXIT.interrupted) process.stdout.write('', () => process.exit(EXIT.interrupted));
