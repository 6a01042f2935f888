import { seededRandom } from '@flotilla/platform';
import { describe, expect, it } from 'vitest';
import { configurationOf } from '../core/configuration.ts';
import { createCore } from '../core/core.ts';
import { coreLimits } from '../core/limits.ts';
import type { Entry, Index, NodeId, SnapshotMeta, Term } from '../core/types.ts';
import { GroupCompaction } from './group-compaction.ts';
import type { GroupContext } from './group-context.ts';
import type { StateMachine } from './types.ts';

const index = (n: number): Index => n as Index;
const term = 1 as Term;
const configuration = configurationOf([1, 2, 3]);

/** A follower whose entries from 11 to 30 are on their way to its disk while a snapshot at 28 is taken in. */
function overtaken(): ReturnType<typeof createCore> {
  const core = createCore(
    {
      ...coreLimits,
      id: 1 as NodeId,
      incarnation: 1,
      electionTicks: 10,
      heartbeatTicks: 1,
      liveness: 'peers',
      preVote: true,
      checkQuorum: true,
      priority: 100,
    },
    {
      hardState: { term, vote: 0 as NodeId, commit: index(10) },
      snapshot: { index: index(2), term, configuration },
      termRuns: [{ from: index(3), term }],
      lastIndex: index(10),
      applied: index(10),
      membership: [],
    },
    seededRandom(1),
  );
  const from = { from: 2 as NodeId, to: 1 as NodeId, term, session: 1 };
  const entries = Array.from({ length: 20 }, (_, i): Entry => ({
    term,
    index: index(11 + i),
    kind: 'command',
    payload: new Uint8Array(1),
  }));
  const previous = { previousIndex: index(10), previousTerm: term };
  const append = {
    type: 'append',
    ...from,
    ...previous,
    entries,
    commit: index(10),
    topPriority: 1,
  } as const;
  core.step({ type: 'receive', message: append });
  core.drain();
  const snapshot: SnapshotMeta = { index: index(28), term, configuration };
  core.step({ type: 'receive', message: { type: 'install-snapshot', ...from, snapshot } });
  core.drain();
  return core;
}

describe('a compaction', () => {
  it.each([false, true])(
    'goes no further than the log is written, full (%s) or not, however far a snapshot brought the state',
    (logIsFull) => {
      const core = overtaken();
      const { applied, durable } = core.inspect();
      expect([applied, durable]).toEqual([28, 10]);
      const compacted: SnapshotMeta[] = [];
      const context = {
        config: { snapshotCount: 1, tailEntries: 0, laggingEntries: 1_000 },
        metrics: { compactions: 0 },
        log: {
          compact: (_group: number, meta: SnapshotMeta) => {
            compacted.push(meta);
            return Promise.resolve();
          },
        },
        oldestSnapshotSend: () => null,
        fail: (error: unknown) => {
          throw error;
        },
      } as unknown as GroupContext;
      const stateMachine = { flushed: { index: index(28), term } } as StateMachine<unknown>;
      const compaction = new GroupCompaction(0, context, core, stateMachine);
      compaction.compact(logIsFull);
      expect(compacted).toEqual([{ index: 10, term, configuration }]);
      expect(core.inspect().firstIndex).toBe(11);
    },
  );
});
