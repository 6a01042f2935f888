import type { Configuration, Entry, LogEnd, NodeId, PeerMessage, ProgressView, Write } from '@flotilla/raft';
import { reaches } from '../../src/core/raft-log.ts';
import { isQuorum, mayFollow } from './sets.ts';
import { Violation } from './violation.ts';
import type { Proposal, SimulatedMember } from './member.ts';

/**
 * The invariants of SPEC.md, checked from outside: it sees every member's memory and disk at once, knows what was ever
 * promised, and influences nothing. The cheap part runs after every event, the rest in `checkAll`.
 */
export class Monitor {
  readonly #members: readonly SimulatedMember[];
  /** Term -> who led it. */
  readonly #leaders = new Map<number, NodeId>();
  /** Voter and term -> whom the vote was given to, as soon as anybody could know of it. */
  readonly #votes = new Map<number, NodeId>();
  /** Term and index -> the entry that a leader made, and the term before it. */
  readonly #entries = new Map<number, { readonly entry: Entry; readonly previousTerm: number }>();
  readonly #proposals = new Map<Uint8Array, Proposal>();
  /** By index; [0] stands for the empty log. */
  readonly #committed: Entry[] = [];
  /** By index: the term of the leader that committed it first. */
  readonly #committedIn: number[] = [0];
  /** What any client may have seen. */
  maxApplied = 0;
  /** The newest configuration that anybody has applied, and where; the one before it. */
  configuration: Configuration;
  configuredAt = 0;
  previous: Configuration;
  /** By index: what each change has led to, as text. */
  readonly #configurations = new Map<number, string>();

  constructor(members: readonly SimulatedMember[], configuration: Configuration) {
    this.#members = members;
    this.configuration = configuration;
    this.previous = configuration;
  }

  get maxCommit(): number {
    return this.#committed.length;
  }

  register(proposal: Proposal): void {
    this.#proposals.set(proposal.payload, proposal);
  }

  proposalOf(payload: Uint8Array): Proposal | undefined {
    return this.#proposals.get(payload);
  }

  /** I3 log matching: an entry of one term and index is one entry, after one and the same prefix. */
  wrote(member: SimulatedMember, write: Write): void {
    for (const entry of write.entries) {
      const previousTerm = member.view.termAt((entry.index - 1) as Entry['index']);
      if (entry.kind === 'membership') this.#wroteChange(member, entry);
      if (previousTerm === null) continue;
      const key = entry.term * 0x100_0000 + entry.index;
      const known = this.#entries.get(key);
      if (known === undefined) {
        this.#entries.set(key, { entry, previousTerm });
      } else if (known.entry.payload !== entry.payload || known.previousTerm !== previousTerm) {
        fail('I3 log matching', `${member.id} has another ${entry.term}/${entry.index} than was seen before`);
      }
    }
  }

  /**
   * I17 one change at a time: a leader appends one when it has committed in its term, and has applied the one before; so
   * nobody has two of them in its log that it does not know to be committed.
   */
  #wroteChange(member: SimulatedMember, entry: Entry): void {
    const { view } = member;
    if (view.role === 'leader' && entry.term === view.term && view.termAt(view.commit) !== view.term) {
      fail(
        'I17 one change at a time',
        `${member.id} changes members before its first commit in ${view.term}`,
      );
    }
    const open = member.modelMembership.filter((index) => index > member.modelCommit);
    if (open.length > 1) {
      fail(
        'I17 one change at a time',
        `${member.id} has changes at ${open.join(' and ')}, none known to be committed`,
      );
    }
  }

  /** I17: everybody has the same configuration at the same index, and each is one step away from the last. */
  configured(member: SimulatedMember, index: number, configuration: Configuration): void {
    const text = JSON.stringify(configuration);
    const known = this.#configurations.get(index);
    if (known !== undefined && known !== text) {
      fail('I17 one change at a time', `${member.id} has ${text} at ${index}, somebody else ${known}`);
    }
    if (known !== undefined || index <= this.configuredAt) return;
    this.#configurations.set(index, text);
    if (!mayFollow(this.configuration, configuration)) {
      fail('I17 one change at a time', `${text} follows ${JSON.stringify(this.configuration)}`);
    }
    this.previous = this.configuration;
    this.configuration = configuration;
    this.configuredAt = index;
  }

  /** Promises may leave a member only when a crash cannot make them untrue. */
  released(member: SimulatedMember, message: PeerMessage): void {
    if (message.type === 'vote-response') {
      if (message.granted) this.#promisedVote(member, message.term, message.to);
    } else if (message.type === 'vote') {
      this.#promisedVote(member, message.term, member.id);
      this.#promisedLog(member, message);
    } else if (message.type === 'append-response') {
      this.#promisedEntries(member, message);
    }
  }
  #promisedLog(member: SimulatedMember, message: Extract<PeerMessage, { type: 'pre-vote' | 'vote' }>): void {
    // One that campaigns no longer may have replaced its tail meanwhile.
    if (member.view.role !== 'candidate' || member.view.term !== message.term) return;
    if (!member.disk.holds(message.lastIndex, message.lastTerm)) {
      fail('I4 vote durability', `${member.id} campaigns with ${message.lastIndex}, which is not durable`);
    }
  }

  #promisedEntries(
    member: SimulatedMember,
    message: Extract<PeerMessage, { type: 'append-response' }>,
  ): void {
    const { hardState, lastIndex } = member.disk;
    const { term, index } = message;
    if (hardState.term < term) {
      fail('I4 vote durability', `${member.id} answers in term ${term}, its disk has ${hardState.term}`);
    }
    if (!message.rejected && hardState.term === term && lastIndex < index) {
      fail('I5 match truth', `${member.id} acknowledges ${index}, its disk ends at ${lastIndex}`);
    }
  }

  #promisedVote(member: SimulatedMember, term: number, candidate: NodeId): void {
    const key = voteKey(term, member.id);
    const before = this.#votes.get(key);
    if (before !== undefined && before !== candidate) {
      fail('I2 one vote a term', `${member.id} votes for ${before} and ${candidate} in term ${term}`);
    }
    this.#votes.set(key, candidate);
    const { hardState } = member.disk;
    if (hardState.term < term || (hardState.term === term && hardState.vote !== candidate)) {
      fail(
        'I4 vote durability',
        `${member.id} gives its vote of term ${term} to ${candidate}, its disk says ${hardState.vote} in ${hardState.term}`,
      );
    }
  }

  /** I18 stability: a pre-vote changes nobody's term, and nothing that is not asked for by it does while a leader lives. */
  asked(member: SimulatedMember, { type, from }: PeerMessage, termBefore: number): void {
    if (member.view.term === termBefore) return;
    fail(
      'I18 stability',
      `the ${type} of ${from} takes ${member.id} from term ${termBefore} to ${member.view.term}`,
    );
  }

  /** After every drain of a member. */
  stepped(member: SimulatedMember, matchesMayHaveMoved: boolean): void {
    const { view } = member;
    const { term, commit } = view;
    if (term < member.seenTerm)
      fail('I2 terms grow', `${member.id} goes from term ${member.seenTerm} to ${term}`);
    member.seenTerm = term;
    if (commit !== member.seenCommit) this.#commitMoved(member, commit);
    member.seenConfiguration = view.configuration;
    if (view.role === 'leader') {
      if (member.seenLeadingTerm !== term) this.#elected(member, term);
      if (matchesMayHaveMoved) this.#checkMatches(member);
    }
  }

  #elected(member: SimulatedMember, term: number): void {
    member.seenLeadingTerm = term;
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== member.id) {
      fail('I1 election safety', `${other} and ${member.id} both lead in term ${term}`);
    }
    this.#leaders.set(term, member.id);
    // The only voter asks nobody: its own vote is on its disk.
    const { hardState } = member.disk;
    const ownVote = hardState.term === term && hardState.vote === member.id;
    const hasVoteOf = (id: NodeId): boolean =>
      this.#votes.get(voteKey(term, id)) === member.id || (id === member.id && ownVote);
    if (!isQuorum(member.view.configuration, hasVoteOf)) {
      fail('I1 election safety', `${member.id} leads term ${term} without a quorum of votes`);
    }
    for (let index = this.maxCommit; index > 0; index -= 1) {
      // Only what was committed before its term must be there; a deposed leader may still commit what it can.
      if ((this.#committedIn[index] as number) >= term) continue;
      this.#requireCommitted(member, index);
      break;
    }
  }

  #requireCommitted(member: SimulatedMember, index: number): void {
    const { view } = member;
    if (index < view.firstIndex - 1) return;
    const { term } = this.#committed[index - 1] as Entry;
    if (view.termAt(index as Entry['index']) !== term) {
      fail(
        'I6 leader completeness',
        `${member.id}, leader of term ${view.term}, lacks committed ${term}/${index}`,
      );
    }
  }

  #commitMoved(member: SimulatedMember, commit: number): void {
    const { view } = member;
    if (commit < member.seenCommit) {
      fail('I7 commit grows', `${member.id} goes from commit ${member.seenCommit} to ${commit}`);
    }
    if (commit > view.lastIndex) fail('I7 commit grows', `${member.id} commits beyond its log`);
    for (let index = Math.max(member.seenCommit + 1, view.firstIndex); index <= commit; index += 1) {
      const term = view.termAt(index as Entry['index']) as number;
      const known = this.#committed[index - 1];
      if (known === undefined) this.#firstCommitted(member, term, index);
      else if (known.term !== term) {
        fail(
          'I8 state machine safety',
          `${member.id} commits ${term}/${index}, ${known.term}/${index} was committed`,
        );
      }
    }
    if (commit > this.#checkedCommit) this.#checkQuorumDurability(member, commit);
    member.seenCommit = commit;
  }

  #checkedCommit = 0;

  #firstCommitted(member: SimulatedMember, term: number, index: number): void {
    const known = this.#entries.get(term * 0x100_0000 + index);
    if (known === undefined) {
      fail('I4 quorum durability', `${member.id} commits ${term}/${index}, which nobody has written`);
    }
    this.#committed.push(known.entry);
    this.#committedIn.push(member.view.term);
    const proposal = this.#proposals.get(known.entry.payload);
    if (proposal === undefined) return;
    if (proposal.committedAt !== 0) {
      fail(
        'I10 at most once',
        `proposal ${proposal.number} is committed at ${proposal.committedAt} and ${index}`,
      );
    }
    proposal.committedAt = index;
    if (proposal.state === 'refused' || proposal.state === 'lost') {
      fail(
        'I10 at most once',
        `proposal ${proposal.number} was ${proposal.state}, and is committed at ${index}`,
      );
    }
  }

  /** I4: what is committed is on the disks of a quorum. Log matching takes care of everything before it. */
  #checkQuorumDurability(member: SimulatedMember, commit: number): void {
    this.#checkedCommit = commit;
    this.#requireOnQuorum(commit, member);
    // Leaders of later terms have it already.
    for (const other of this.#members) {
      if (!other.up || other.view.role !== 'leader' || other.view.term <= member.view.term) continue;
      this.#requireCommitted(other, commit);
    }
  }

  /** In the configuration of the member that commits, or in that of a moment ago: one step may do both. */
  #requireOnQuorum(index: number, member: SimulatedMember): void {
    const entry = this.#committed[index - 1] as Entry;
    const holds = this.#holdersOf(index, entry.term);
    const { configuration } = member.view;
    if (isQuorum(configuration, holds) || isQuorum(member.seenConfiguration ?? configuration, holds)) return;
    fail(
      'I4 quorum durability',
      `${member.id} commits ${entry.term}/${index}, which no quorum of disks holds`,
    );
  }

  /** Later: nobody could be elected without it, under the present configuration or the one before. */
  #requireKept(index: number): void {
    const entry = this.#committed[index - 1] as Entry;
    const holds = this.#holdersOf(index, entry.term);
    for (const configuration of [this.configuration, this.previous]) {
      if (!isQuorum(configuration, (id) => !holds(id))) continue;
      fail(
        'I4 quorum durability',
        `a quorum of ${JSON.stringify(configuration)} lacks ${entry.term}/${index}`,
      );
    }
  }

  #holdersOf(index: number, term: number): (id: NodeId) => boolean {
    return (id) => {
      const disk = this.#members[id - 1]?.disk;
      if (disk === undefined || disk.holds(index, term)) return disk !== undefined;
      // It keeps its word for what it has let go of: whoever lacks that gets no vote of it.
      return disk.former !== null && reaches(disk.former, { term, index } as LogEnd);
    };
  }

  /** I5: a leader believes of a follower only what is on its disk, and never less than before. */
  #checkMatches(leader: SimulatedMember): void {
    const { progress, firstIndex } = leader.view;
    for (const { id, disk } of this.#members) {
      const known = progress.get(id);
      if (known === undefined) continue;
      const { match } = known;
      requireGrown(leader, id, known);
      if (match < firstIndex) continue;
      // A later leader may have replaced what was true in this term.
      if (disk.hardState.term > leader.view.term) continue;
      // (One that was let go of its log keeps its word for that until the leader hears of its removal, too.)
      if (!this.#holdersOf(match, leader.view.termAt(match) as number)(id)) {
        fail(
          'I5 match truth',
          `${leader.id} believes that ${id} has ${match}, its disk ends at ${disk.lastIndex}`,
        );
      }
    }
  }

  /** I8 state machine safety and apply order. */
  applying(member: SimulatedMember, entries: readonly Entry[]): void {
    let expected: number = member.view.applied + 1;
    for (const entry of entries) {
      const committed = this.#committed[entry.index - 1];
      if (entry.index !== expected)
        fail('I9 apply order', `${member.id} applies ${entry.index} after ${expected - 1}`);
      if (committed === undefined || committed.term !== entry.term || committed.payload !== entry.payload) {
        fail(
          'I8 state machine safety',
          `${member.id} applies ${entry.term}/${entry.index}, which is not committed`,
        );
      }
      if (!member.disk.holds(entry.index, entry.term)) {
        fail('I9 apply order', `${member.id} applies ${entry.index}, which is not durable there`);
      }
      expected += 1;
    }
  }

  readable(member: SimulatedMember, index: number, floor: number): void {
    if (index < floor) {
      fail('I12 linearizable reads', `${member.id} may read at ${index}, ${floor} was seen before it asked`);
    }
    if (index > this.maxCommit)
      fail('I12 linearizable reads', `${member.id} may read at ${index}, not committed`);
  }

  /** The costly part. */
  checkAll(): void {
    for (let index = 1; index <= this.maxCommit; index += 1) this.#requireKept(index);
    for (const member of this.#members) {
      if (!member.up) continue;
      this.#checkPointers(member);
      if (!member.core.ready) this.#checkModel(member);
      for (const other of this.#members) if (other.up && other.id < member.id) checkLogsMatch(member, other);
    }
  }

  #checkPointers(member: SimulatedMember): void {
    const { view } = member;
    const ordered =
      view.firstIndex - 1 <= view.applied &&
      view.applied <= view.commit &&
      view.commit <= view.lastIndex &&
      view.durable <= view.lastIndex;
    if (!ordered) {
      fail(
        'I9 apply order',
        `${member.id}: base ${view.firstIndex - 1} applied ${view.applied} commit ${view.commit} last ${view.lastIndex} durable ${view.durable}`,
      );
    }
    for (const index of [view.commit, view.durable]) {
      if (index <= view.applied || member.disk.lastIndex < index) continue;
      if (index === view.durable && !member.disk.holds(index, view.termAt(index) ?? -1)) {
        fail('I5 match truth', `${member.id} takes ${index} for durable, which its disk does not hold`);
      }
    }
  }

  /** I11: the log in memory is what its writes add up to. */
  #checkModel(member: SimulatedMember): void {
    const { view, modelBase, modelTerms } = member;
    if (view.lastIndex !== modelBase + modelTerms.length) {
      fail(
        'I11 write order',
        `${member.id} ends at ${view.lastIndex}, its writes at ${modelBase + modelTerms.length}`,
      );
    }
    for (let index = Math.max(view.firstIndex, modelBase + 1); index <= view.lastIndex; index += 1) {
      if (view.termAt(index as Entry['index']) !== modelTerms[index - modelBase - 1]) {
        fail('I11 write order', `${member.id} has another term at ${index} than it wrote`);
      }
    }
  }
}

/** An answer that was overtaken by a later one says nothing new, and takes nothing back. */
function requireGrown(leader: SimulatedMember, id: NodeId, { session, match }: ProgressView): void {
  const seen = leader.seenMatches.get(id);
  if (seen?.session === session && match < seen.match) {
    fail('I5 match truth', `${leader.id} goes from ${seen.match} to ${match} in what it believes of ${id}`);
  }
  leader.seenMatches.set(id, { session, match });
}

/** I3, directly: where two logs agree on a term, they agree on everything before it. */
function checkLogsMatch(a: SimulatedMember, b: SimulatedMember): void {
  let agreed = false;
  const first = Math.max(a.view.firstIndex, b.view.firstIndex);
  for (let index = Math.min(a.view.lastIndex, b.view.lastIndex); index >= first; index -= 1) {
    const equal = a.view.termAt(index as Entry['index']) === b.view.termAt(index as Entry['index']);
    if (equal) agreed = true;
    else if (agreed) fail('I3 log matching', `${a.id} and ${b.id} agree after ${index}, and not at it`);
  }
}

/** Ids are below 64 (see `idsMax`). */
function voteKey(term: number, voter: number): number {
  return term * 64 + voter;
}

function fail(invariant: string, message: string): never {
  throw new Violation(invariant, message);
}
