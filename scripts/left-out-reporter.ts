import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends a run with what was left out and why a reader should care: suites that need a program which is not installed
 * skip themselves, and a green run must not hide that. In CI such a suite fails instead.
 */
export default class LeftOutReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const leftOut = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const suite = test.fullName.split(' > ')[0] ?? test.fullName;
        const name = `${module.relativeModuleId}: ${suite}`;
        leftOut.set(name, (leftOut.get(name) ?? 0) + 1);
      }
    }
    if (leftOut.size === 0) return;
    console.log('Left out, because a program that these tests drive is not installed (see CONTRIBUTING.md):');
    for (const [name, count] of leftOut)
      console.log(`  ${name} (${count} ${count === 1 ? 'test' : 'tests'})`);
  }
}
