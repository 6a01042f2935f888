import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends a run with what was left out, because a green run must not hide it: suites that need a program which is not
 * installed skip themselves (in CI they fail instead), and so do tests of rights that root cannot lack.
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
    console.log('Left out on this machine (CONTRIBUTING.md says which programs the suite drives):');
    for (const [name, count] of leftOut)
      console.log(`  ${name} (${count} ${count === 1 ? 'test' : 'tests'})`);
  }
}
