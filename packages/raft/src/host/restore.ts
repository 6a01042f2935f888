import { FlotillaError } from '@flotilla/platform';
import type {
  Configuration,
  HardState,
  Index,
  NodeId,
  Restored,
  SnapshotMeta,
  Term,
  Write,
  WriteSequence,
} from '../core/types.ts';
import type { RecoveredGroup } from '../log/types.ts';

export interface Restoration {
  readonly restored: Restored;
  /** Has to be durable in the log before the core starts; null: the log is as it should be. */
  readonly repair: Write | null;
}

/**
 * What a core starts from, of what the log and the state machine found on the disk. The two are written apart, so a crash
 * leaves one of them ahead:
 *
 * 1. The log is ahead, as always in normal operation: entries after `applied` are replayed. The state machine's applied
 *    index may still be ahead of the log's commit index, because that is not synced on its own: only committed entries
 *    are ever applied, so the commit index is at least the applied one.
 * 2. The state machine is ahead of the log's last entry, or disagrees with the log about the term at its index: the crash
 *    came between the end of an installed snapshot and its log record. The record is written now. What it drops from the
 *    log is covered by the snapshot or was never committed, since the snapshot's entries are.
 * 3. The state machine is behind the log's beginning: its state was being installed, or is lost. The core starts as if
 *    everything before the log's beginning were applied (a core knows nothing of states; its log and its vote are whole,
 *    so it may vote and append), and the host holds back what it wants to have applied until a peer has sent a snapshot.
 */
export function restoration(
  recovered: RecoveredGroup | undefined,
  applied: { readonly index: Index; readonly term: Term },
  initialConfiguration: Configuration,
): Restoration {
  if (recovered === undefined) {
    if (applied.index > 0) {
      // Its votes and acknowledgements were in there: a member that forgets them can elect a second leader.
      throw new FlotillaError(
        'FLOTILLA_LOG_MISSING',
        `the state machine has entries up to ${applied.index}, and the log knows nothing of the group`,
      );
    }
    return { restored: fresh(initialConfiguration), repair: null };
  }
  const base = recovered.snapshot;
  const configuration = base.index === 0 ? initialConfiguration : base.configuration;
  const snapshot = { index: base.index, term: base.term, configuration };
  if (applied.index > base.index && termAt(recovered, applied.index) !== applied.term) {
    return jumped(recovered, applied, configuration);
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
    },
    repair: null,
  };
}

function jumped(
  recovered: RecoveredGroup,
  applied: { readonly index: Index; readonly term: Term },
  configuration: Configuration,
): Restoration {
  const former = recovered.hardState;
  // A vote belongs to its term.
  const keepsTerm = former.term >= applied.term;
  const hardState: HardState = {
    term: keepsTerm ? former.term : applied.term,
    vote: keepsTerm ? former.vote : (0 as NodeId),
    commit: applied.index,
  };
  const snapshot: SnapshotMeta = { index: applied.index, term: applied.term, configuration };
  return {
    restored: {
      hardState,
      snapshot,
      termRuns: [],
      lastIndex: applied.index,
      applied: applied.index,
      membership: [],
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
  };
}

function fresh(configuration: Configuration): Restored {
  return {
    hardState: { term: 0 as Term, vote: 0 as NodeId, commit: 0 as Index },
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
