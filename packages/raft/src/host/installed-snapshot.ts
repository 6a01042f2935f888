import type { Index, NodeId, PeerMessage, RaftCore, Term } from '../core/types.ts';
import type { SnapshotBegin } from './snapshot-receive.ts';

/**
 * Tells a core that the snapshot which `from` has sent is in the state machine, durably.
 *
 * One that this member asked for (`session` 0) comes from whomever, perhaps from a later term than any that this core
 * knows. It counts all the same: what is in a snapshot is committed, and without it a member that was far behind would
 * need another one from the leader at once. Then the core must not take the sender for a leader, so the message names no
 * term; and a leader that does not know yet that it is deposed, and lacks the entry, is left alone: it hears the rest
 * from its successor.
 */
export function announceInstalled(core: RaftCore, begin: SnapshotBegin, from: NodeId, to: NodeId): void {
  const { meta, session } = begin;
  const announcement: PeerMessage = {
    type: 'install-snapshot',
    from,
    to,
    term: session > 0 ? begin.term : (0 as Term),
    session,
    snapshot: meta,
  };
  if (session === 0) {
    const view = core.inspect();
    if (view.role === 'leader' && view.termAt(meta.index) !== meta.term) return;
    if (view.term === 0) learnTerm(core, meta.term, from, to);
  }
  core.step({ type: 'receive', message: announcement });
}

/**
 * A message of term 0 is an earlier one to everybody who has seen a term. Who joins has seen none: that of the snapshot
 * counts, and a vote that was never asked for says no more than that.
 */
function learnTerm(core: RaftCore, term: Term, from: NodeId, to: NodeId): void {
  const commit = 0 as Index;
  const commitTerm = 0 as Term;
  const message: PeerMessage = { type: 'vote-response', from, to, term, granted: false, commit, commitTerm };
  core.step({ type: 'receive', message });
}
