import { defineConfig } from 'vitest/config';
import { LongestFirst } from './scripts/longest-first.ts';

export default defineConfig({
  test: {
    include: ['packages/*/{src,test,simulation,mutations,scripts}/**/*.test.ts', 'scripts/**/*.test.ts'],
    reporters: ['default', './scripts/left-out-reporter.ts'],
    // One thread a core and no isolation: the suite is pure logic, and start-up would be most of its time.
    pool: 'threads',
    // (Left alone, vitest keeps one core for itself, and half of a small machine idles.)
    maxWorkers: '100%',
    isolate: false,
    sequence: { sequencer: LongestFirst },
    // Against what never ends: no test is about how fast the machine is.
    testTimeout: 300_000,
    hookTimeout: 180_000,
    // What comes is awaited, however slow the machine: the default of a second is a timed test.
    expect: { poll: { timeout: 30_000 } },
  },
});
