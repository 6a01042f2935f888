import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The files that take longest, by their figures of a whole run on two cores, begin first: one of them begun last would
 * keep one core busy for a minute while the other has nothing to do. The rest goes by size, as it always does.
 */
const longest = [
  'scripts/mutations/recorded.test.ts',
  'packages/server/simulation/cluster/cluster.test.ts',
  'packages/raft/test/process/scenarios.test.ts',
  'packages/raft/simulation/host-leases.test.ts',
  'packages/server/test/compatibility/patroni.test.ts',
  'packages/server/test/process/process.test.ts',
  'packages/server/test/process/upgrade.test.ts',
  'packages/server/test/compatibility/bad-starts.test.ts',
  'packages/server/test/compatibility/snapshot.test.ts',
  'packages/server/test/process/kv-scenarios.test.ts',
  'packages/server/src/cli/simulate.test.ts',
  'packages/server/test/maelstrom/maelstrom.test.ts',
  'packages/server/test/compatibility/etcdctl.test.ts',
  'packages/server/test/compatibility/etcdctl-auth.test.ts',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const bySize = await super.sort(files);
    return [...bySize].sort((a, b) => rank(a) - rank(b));
  }
}

function rank({ moduleId }: TestSpecification): number {
  const at = longest.findIndex((path) => moduleId.endsWith(`/${path}`));
  return at === -1 ? longest.length : at;
}
