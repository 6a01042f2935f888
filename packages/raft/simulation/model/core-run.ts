import { assert } from '@flotilla/platform';
import {
  configurationOf,
  type CoreConfig,
  type Entry,
  type Index,
  type Input,
  type NodeId,
  type PeerMessage,
  type RaftCore,
  type Term,
  type Write,
} from '@flotilla/raft';
import { createOpenCore } from '../../src/core/core.ts';
import type { CoreState } from '../../src/core/state.ts';
import type { Disk } from './texts.ts';

/**
 * One core in one life, on a disk that is as fast as it is asked: what an input asks for is done before the next one
 * comes.
 */
export class CoreRun {
  readonly id: NodeId;
  readonly state: CoreState;
  disk: Disk;
  wins = 0;
  sent: PeerMessage[] = [];
  applied: Entry[] = [];
  firstWrite: Write | null = null;
  firstSent: readonly PeerMessage[] = [];
  readonly #core: RaftCore;

  /** `changes`: of the configuration of a core that campaigns at once and never asks who would vote for it. */
  constructor(id: NodeId, disk: Disk, members: number, changes: Partial<CoreConfig> = {}) {
    this.id = id;
    this.disk = disk;
    const voters = Array.from({ length: members }, (_, at) => (at + 1) as NodeId);
    const termRuns: { from: Index; term: Term }[] = [];
    for (const entry of disk.entries) {
      if (termRuns.at(-1)?.term !== entry.term) termRuns.push({ from: entry.index, term: entry.term });
    }
    const restored = {
      hardState: { term: disk.term as Term, vote: disk.vote as NodeId, commit: disk.commit as Index },
      snapshot: { index: 0 as Index, term: 0 as Term, configuration: configurationOf(voters) },
      termRuns,
      lastIndex: disk.entries.length as Index,
      applied: 0 as Index,
      membership: [],
    };
    const { core, state } = createOpenCore({ ...config, ...changes, id }, restored, noRandom);
    this.#core = core;
    this.state = state;
    this.#finish();
    this.forget();
  }

  turn(input: Input): void {
    this.forget();
    this.#core.step(input);
    this.#finish();
  }

  forget(): void {
    this.sent = [];
    this.applied = [];
    this.firstWrite = null;
    this.firstSent = [];
  }

  #finish(): void {
    for (let drains = 0; this.#core.ready; drains += 1) {
      assert(drains < drainsMax, 'I13: a drain gives everything');
      const { send, write, apply, readLog, sendSnapshot, role } = this.#core.drain();
      assert(sendSnapshot.length === 0, 'nothing is compacted here');
      if (role?.role === 'leader') this.wins += 1;
      this.sent.push(...send);
      if (write !== null) {
        if (this.firstWrite === null) {
          this.firstWrite = write;
          this.firstSent = [...this.sent];
        }
        this.disk = written(this.disk, write);
        this.#core.step({ type: 'persisted', upTo: write.sequence });
        this.sent.push(...write.thenSend);
      }
      for (const { ref, from, to } of readLog) {
        this.#core.step({ type: 'log-read', ref, result: this.disk.entries.slice(from - 1, to - 1) });
      }
      const last = apply.at(-1);
      if (last !== undefined) {
        this.applied.push(...apply);
        this.#core.step({ type: 'applied', upTo: last.index });
      }
    }
  }
}

/** I11: a write continues or truncates what the ones before it left. */
export function written(disk: Disk, { truncateFrom, entries, hardState, mustSync }: Write): Disk {
  const kept = truncateFrom === null ? disk.entries : disk.entries.slice(0, truncateFrom - 1);
  const [first] = entries;
  assert(first === undefined || first.index === kept.length + 1, 'I11: entries continue the log');
  const { term, vote } = hardState ?? disk;
  assert(mustSync || (entries.length === 0 && truncateFrom === null), 'I11: entries are synced');
  return {
    term,
    vote,
    // A write of a commit index alone is lost in a crash; with anything else it is safe.
    commit: mustSync ? (hardState?.commit ?? disk.commit) : disk.commit,
    entries: entries.length === 0 && truncateFrom === null ? disk.entries : [...kept, ...entries],
  };
}

const drainsMax = 100;

/** Elections happen when the model says so. */
const noRandom = { below: () => 0 } as unknown as Parameters<typeof createOpenCore>[2];

const config: Omit<CoreConfig, 'id'> = {
  incarnation: 1,
  electionTicks: 10,
  heartbeatTicks: 1,
  liveness: 'ticks',
  // Without it a campaign begins at once, whatever the others think: more happens in fewer steps.
  preVote: false,
  checkQuorum: false,
  maxMessageBytes: 1 << 20,
  maxInflightMessages: 64,
  maxInflightBytes: 0,
  maxUncommittedBytes: 1 << 20,
  maxApplyBytes: 1 << 20,
  maxPayloadBytes: 1 << 10,
  maxCachedBytes: 1 << 20,
  maxPendingReads: 10,
  maxPromotionLagEntries: Infinity,
  priority: 100,
};
