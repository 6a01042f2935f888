import { present } from '@flotilla/platform';
import type { Entry } from '@flotilla/raft';
import type { Tape } from '@flotilla/sim';
import type { CoreCluster } from './cluster.ts';
import type { Proposal, SimulatedMember } from './member.ts';
import { Violation } from './violation.ts';

/** What hosts do with committed entries: apply them some time later, and answer whose proposals they are. */
export class StateMachines {
  readonly #tape: Tape;
  readonly #cluster: CoreCluster;

  constructor(tape: Tape, cluster: CoreCluster) {
    this.#tape = tape;
    this.#cluster = cluster;
  }

  applySoon(member: SimulatedMember, entries: readonly Entry[]): void {
    const { agenda, monitor, faulty, settings } = this.#cluster;
    monitor.applying(member, entries);
    const { id: to, life } = member;
    const delayMs = faulty ? this.#tape.choose(settings.applyMaxMs + 1, 'apply delay') : 0;
    agenda.after(delayMs, { kind: 'applied', to, life, entries });
  }

  applied(member: SimulatedMember, entries: readonly Entry[]): void {
    const { monitor, turns, snapshots, settings } = this.#cluster;
    const last = entries[entries.length - 1] as Entry;
    // A snapshot may have overtaken the batch.
    if (last.index > member.applied.index) {
      const from = member.applied.index;
      for (const entry of entries) if (entry.index > from) this.#apply(member, entry);
      member.core.step({ type: 'applied', upTo: last.index });
      for (const entry of entries) if (entry.index > from) this.#configured(member, entry);
      const configuration = present(member.view.configurationAt(last.index), 'what is in force');
      member.applied = { index: last.index, term: last.term, configuration };
    } else {
      member.core.step({ type: 'applied', upTo: member.applied.index });
    }
    if (last.index > monitor.maxApplied) monitor.maxApplied = last.index;
    if (this.#tape.chance(1, 4, 'flush')) member.flushed = member.applied;
    turns.drainSoon(member);
    const { compactAfter } = settings;
    if (compactAfter > 0 && member.flushed.index - member.disk.snapshot.index >= compactAfter)
      snapshots.compact(member);
  }

  #configured(member: SimulatedMember, { kind, index }: Entry): void {
    if (kind !== 'membership') return;
    const { monitor, coverage } = this.#cluster;
    const configuration = present(member.view.configurationAt(index), 'what a change has led to');
    if (index > monitor.configuredAt) coverage.count('members changed');
    monitor.configured(member, index, configuration);
  }

  #apply(member: SimulatedMember, entry: Entry): void {
    const proposal = this.#cluster.monitor.proposalOf(entry.payload);
    if (entry.term > member.applied.term) this.#laterTermApplied(member, entry.term, proposal);
    if (proposal !== undefined && proposal.member === member && proposal.life === member.life) {
      proposal.state = 'applied';
      member.openProposals.delete(proposal.number);
      this.#cluster.coverage.count('write acknowledged');
    }
  }

  /** What an earlier leadership took and is not here now never will be: the host would propose it again. */
  #laterTermApplied(member: SimulatedMember, term: number, applying: Proposal | undefined): void {
    for (const proposal of member.openProposals.values()) {
      if (proposal === applying || proposal.term >= term) continue;
      proposal.state = 'lost';
      this.#cluster.coverage.count('proposal lost for sure');
      if (proposal.committedAt !== 0) {
        throw new Violation(
          'I10 at most once',
          `proposal ${proposal.number} counts as lost, and is committed`,
        );
      }
      member.openProposals.delete(proposal.number);
    }
  }
}
