import { FlotillaError } from '@flotilla/platform';
import { membersOf } from '../core/quorum.ts';
import type {
  Configuration,
  HardState,
  Index,
  LogEnd,
  NodeId,
  Restored,
  SnapshotMeta,
  Term,
  Write,
  WriteSequence,
} from '../core/types.ts';
import type { RecoveredGroup } from '../log/types.ts';
import type { StateMachine } from './types.ts';

export interface Restoration {
  readonly restored: Restored;
  /** Has to be durable in the log before the core starts; null: the log is as it should be. */
  readonly repair: Write | null;
  /** The log begins with a configuration that nobody here knows: a member's snapshot brings it. */
  readonly joining: boolean;
}

/**
 * Where the log of a group begins that has a state from the first: every member that is given it says that it has
 * installed a snapshot there. So one that was not gets it as any other that is behind.
 *
 * @example
 * // Of a state machine that is opened with what another group has handed over:
 * const [applied, installed] = [groupOrigin, { ...groupOrigin, configuration }];
 */
export const groupOrigin: { readonly index: Index; readonly term: Term } = {
  index: 1 as Index,
  term: 1 as Term,
};

/** What a state machine says of its state. */
export type StateOnDisk = Pick<StateMachine<unknown>, 'applied' | 'installed'>;

/**
 * What a core starts from, of what the log and the state machine found on the disk. The two are written apart, so a crash
 * leaves one of them ahead:
 *
 * 1. The log is ahead, as always in normal operation: entries after `applied` are replayed. The state machine's applied
 *    index may still be ahead of the log's commit index, because that is not synced on its own: only committed entries
 *    are ever applied, so the commit index is at least the applied one.
 * 2. The state machine is ahead of the log's last entry, or disagrees with the log about the term at its index, and says
 *    that its state is the one of an installed snapshot: the crash came before the snapshot's log record. That is written
 *    now. What it drops from the log is covered by the snapshot or was never committed, since the snapshot's entries are.
 *    A state that is ahead and was not installed has been applied from entries that this log has lost: synced ones, that
 *    others have counted. Such a member does not start.
 * 3. The state machine is behind the log's beginning: its state was being installed, or is lost. The core starts as if
 *    everything before the log's beginning were applied (a core knows nothing of states; its log and its vote are whole,
 *    so it may vote and append), and the host holds back what it wants to have applied until a peer has sent a snapshot.
 */
export function restoration(
  recovered: RecoveredGroup | undefined,
  { applied, installed }: StateOnDisk,
  initialConfiguration: Configuration,
): Restoration {
  // What was installed counts as long as nothing was applied after it: from then on the log has it, too.
  const isInstalled = installed?.index === applied.index && installed.term === applied.term;
  if (recovered === undefined) {
    if (isInstalled && applied.index === groupOrigin.index) return jumped(noHistory, installed);
    if (applied.index > 0) {
      // Its votes and acknowledgements were in there: a member that forgets them can elect a second leader.
      throw new FlotillaError(
        'FLOTILLA_LOG_MISSING',
        `the state machine has entries up to ${applied.index}, and the log knows nothing of the group`,
      );
    }
    const joining = membersOf(initialConfiguration).length === 0;
    return { restored: fresh(initialConfiguration), repair: null, joining };
  }
  const base = recovered.snapshot;
  const configuration = base.index === 0 ? initialConfiguration : base.configuration;
  const snapshot = { index: base.index, term: base.term, configuration };
  if (applied.index > base.index && termAt(recovered, applied.index) !== applied.term) {
    if (isInstalled) return jumped(recovered.hardState, installed, recovered.former);
    throw new FlotillaError(
      'FLOTILLA_LOG_DAMAGED',
      `the state machine has applied entry ${applied.index} of term ${applied.term}, and the log, which ends at ` +
        `${recovered.lastIndex}, has lost it`,
    );
  }
  const from = Math.max(applied.index, base.index) as Index;
  const { hardState } = recovered;
  return {
    restored: {
      hardState: { ...hardState, commit: Math.max(hardState.commit, from) as Index },
      snapshot,
      termRuns: recovered.termRuns,
      lastIndex: recovered.lastIndex,
      applied: from,
      membership: recovered.membership,
      former: recovered.former ?? null,
    },
    repair: null,
    joining: base.index === 0 && membersOf(configuration).length === 0,
  };
}

function jumped(before: HardState, applied: SnapshotMeta, former?: LogEnd | null): Restoration {
  // A vote belongs to its term.
  const keepsTerm = before.term >= applied.term;
  const hardState: HardState = {
    term: keepsTerm ? before.term : applied.term,
    vote: keepsTerm ? before.vote : (0 as NodeId),
    commit: applied.index,
  };
  const { index, term, configuration } = applied;
  const snapshot: SnapshotMeta = { index, term, configuration };
  return {
    restored: {
      hardState,
      snapshot,
      termRuns: [],
      lastIndex: applied.index,
      applied: applied.index,
      membership: [],
      former: former ?? null,
    },
    repair: {
      sequence: 0 as WriteSequence,
      truncateFrom: null,
      entries: [],
      hardState,
      snapshot,
      mustSync: true,
      thenSend: [],
    },
    joining: false,
  };
}

const noHistory: HardState = { term: 0 as Term, vote: 0 as NodeId, commit: 0 as Index };

function fresh(configuration: Configuration): Restored {
  return {
    hardState: noHistory,
    snapshot: { index: 0 as Index, term: 0 as Term, configuration },
    termRuns: [],
    lastIndex: 0 as Index,
    applied: 0 as Index,
    membership: [],
  };
}

/** The term of a log entry after the snapshot, or null when the log does not reach so far. */
function termAt(recovered: RecoveredGroup, index: Index): Term | null {
  if (index > recovered.lastIndex) return null;
  let term: Term | null = null;
  for (const run of recovered.termRuns) {
    if (run.from > index) break;
    term = run.term;
  }
  return term;
}
