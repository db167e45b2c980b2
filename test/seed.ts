import fc from 'fast-check';

/** Property tests try the same cases on every run, so that a failure speaks of the change; a nightly run tries others. */
const NIGHTLY = process.env['MESHMEND_RUNS'] !== undefined;

fc.configureGlobal(NIGHTLY ? {} : { seed: 20_260_101 });
