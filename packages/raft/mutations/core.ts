import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const scenario = 'packages/raft/simulation/core/core-seed.ts';
const storm = 'packages/raft/simulation/core/storm.ts';
const contested = 'packages/raft/simulation/core/contested.ts';
const scripts = 'packages/raft/simulation/core/scripts.ts';
const core = 'packages/raft/src/core/core.ts';
const election = 'packages/raft/src/core/election.ts';
const following = 'packages/raft/src/core/following.ts';
const log = 'packages/raft/src/core/raft-log.ts';
const liveness = 'packages/raft/src/core/liveness.ts';
const reconfiguring = 'packages/raft/src/core/reconfiguring.ts';
const progress = 'packages/raft/src/core/progress.ts';
const quorum = 'packages/raft/src/core/quorum.ts';
const reading = 'packages/raft/src/core/reading.ts';
const rounds = 'packages/raft/src/core/read-rounds.ts';
const replication = 'packages/raft/src/core/replication.ts';
const state = 'packages/raft/src/core/state.ts';

/** What goes wrong in consensus when one of its rules is forgotten. */
export const mutations: readonly Mutation[] = [
  {
    number: 1,
    name: 'answers a vote before it is durable',
    description: 'A crash forgets the vote, and the member gives another one in the same term.',
    file: election,
    find: `  state.outbox.promise({
    type: pre ? 'pre-vote-response' : 'vote-response',`,
    replace: `  state.outbox.send({
    type: pre ? 'pre-vote-response' : 'vote-response',`,
    scenario,
    seeds: 1_000,
  },
  {
    number: 1,
    name: 'asks for votes before its term is durable',
    description:
      'A crash gives the term to a second candidacy with a shorter log; grants to the first one count.',
    file: election,
    find: 'else state.outbox.promise(request);',
    replace: 'else state.outbox.send(request);',
    scenario,
    seeds: 1_000,
  },
  {
    number: 1,
    name: 'does not sync a record with only term and vote',
    description: 'The record is acknowledged while it sits in the page cache.',
    file: 'packages/raft/src/core/outbox.ts',
    find: 'return from.term !== to.term || from.vote !== to.vote;',
    replace: 'return from.term < 0 || to.term < 0;',
    scenario,
    seeds: 1_000,
  },
  {
    number: 2,
    name: 'writes term and vote in two records',
    description:
      'The answer leaves after the first one: a crash between them forgets the vote, not the term.',
    file: core,
    find: 'const hardState = hardStateChanged ? this.#state.hardState : null;',
    replace: `const full = this.#state.hardState;
    const termFirst = full.term === this.#writtenHardState.term ? full : { ...full, vote: nobody };
    const hardState = hardStateChanged ? termFirst : null;`,
    scenario,
    seeds: 1_000,
  },
  {
    number: 2,
    name: 'does not record a vote in a term that is recorded',
    description: 'The vote waits for the next change of the term; a crash before it forgets the vote.',
    file: core,
    find: 'return term !== written.term || vote !== written.vote || log.commit !== written.commit;',
    replace: 'return term !== written.term || vote < 0 || log.commit !== written.commit;',
    scenario,
    seeds: 1_000,
  },
  {
    number: 3,
    name: 'votes twice in a term',
    description: 'Grants a vote without looking at whom it was given to: two leaders in one term.',
    file: election,
    find: '(state.vote === nobody && state.leader === nobody) ||',
    replace: 'state.vote !== state.id ||',
    scenario,
    seeds: 1_000,
  },
  {
    number: 3,
    name: 'forgets its vote on stepping down within a term',
    description: 'The vote is cleared with the role instead of with the term (microsoft/CCF #5891).',
    file: state,
    find: '    this.leader = nobody;\n    this.electionElapsed = 0;',
    replace: '    this.vote = nobody;\n    this.leader = nobody;\n    this.electionElapsed = 0;',
    scenario,
    seeds: 1_000,
  },
  {
    number: 4,
    name: 'counts a repeated vote response again',
    description: 'The network delivers one vote twice, and a minority elects a leader.',
    file: election,
    find: 'if (!state.votes.has(from)) state.votes.set(from, granted);',
    replace: `const again = from !== state.id && state.votes.has(from);
  const missing = state.configuration.voters.find((voter) => !state.votes.has(voter));
  state.votes.set(again ? (missing ?? from) : from, granted);`,
    scenario,
    seeds: 2_000,
  },
  {
    number: 5,
    name: 'counts a vote of an earlier term',
    description: 'A late vote for an earlier candidacy of the same member counts for the present one.',
    file: core,
    find: `      case 'vote':
      case 'vote-response':
      case 'pre-vote-response':
      case 'append-response':`,
    replace: `      case 'vote-response':
        if (state.role === 'candidate') handleVoteResponse(state, message);
        break;
      case 'vote':
      case 'pre-vote-response':
      case 'append-response':`,
    scenario,
    seeds: 2_000,
  },
  {
    number: 6,
    name: 'votes for a candidate whose log is behind',
    description: 'A leader without all committed entries overwrites them.',
    file: election,
    find: 'const granted = mayVote && upToDate;',
    replace: 'const granted = mayVote;',
    scenario,
    seeds: 1_000,
  },
  {
    number: 6,
    name: 'compares only the lengths of logs',
    description: 'A long log of an old term wins against a shorter one with committed entries.',
    file: log,
    find: 'return end.term > other.term || (end.term === other.term && end.index >= other.index);',
    replace: 'return end.term < 0 || end.index >= other.index;',
    scenario,
    seeds: 4_000,
  },
  {
    number: 7,
    name: 'commits entries of earlier terms by counting',
    description: 'Figure 8 of the paper: such an entry is on a majority, and is replaced all the same.',
    file: replication,
    find: 'if (state.log.termAt(index) !== state.term) return false;',
    replace: '',
    scenario: contested,
    seeds: 4_000,
  },
  {
    number: 8,
    name: 'takes half of the voters for a majority',
    description: 'Off by one: commits, and elects, with a minority.',
    file: quorum,
    find: 'return (size >> 1) + 1;',
    replace: 'return Math.max(1, size >> 1);',
    scenario,
    seeds: 500,
  },
  {
    number: 8,
    name: 'commits what only the leader has',
    description: 'Counts acknowledgements from the wrong end of the sorted matches.',
    file: quorum,
    find: 'return sorted[majority(voters.length) - 1] as number;',
    replace: 'return sorted[0] as number;',
    scenario,
    seeds: 500,
  },
  {
    number: 9,
    name: 'commits beyond what an append has verified',
    description: "The follower's own tail after the last new entry may differ from the leader's.",
    file: following,
    find: 'log.commitTo(Math.min(message.commit, lastNew) as Index);',
    replace: 'log.commitTo(Math.min(message.commit, log.last) as Index);',
    scenario: scripts,
    seeds: 1,
  },
  {
    number: 9,
    name: 'commits to the end of its log, under a leader that backs up by one (goraft)',
    description:
      'A leader that takes one off its next index for every refusal, late ones too, backs up beyond the point where the logs part, and sends an append that ends before it.',
    file: following,
    find: 'log.commitTo(Math.min(message.commit, lastNew) as Index);',
    replace: 'log.commitTo(Math.min(message.commit, log.last) as Index);',
    circumstances: [
      {
        file: progress,
        find: `    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1) as Index;`,
        replace: `    if (rejected < 0 || hint < 0) return false;
    this.next = Math.max(this.next - 1, this.match + 1) as Index;`,
      },
    ],
    scenario: contested,
    seeds: 4_000,
  },
  {
    number: 10,
    name: 'does not check the term before an append',
    description: 'Entries are attached to another prefix than the one that they follow at the leader.',
    file: following,
    find: 'if (!log.matches(message.previousIndex, message.previousTerm)) {',
    replace: 'if (message.previousIndex > log.last) {',
    scenario,
    seeds: 2_000,
  },
  {
    number: 11,
    name: 'truncates where there is no conflict',
    description: 'A repeated append removes entries that were acknowledged after it.',
    file: following,
    find: 'if (log.matches(entry.index, entry.term)) continue;',
    replace: 'if (log.last < 0) continue;',
    scenario,
    seeds: 4_000,
  },
  {
    number: 11,
    name: 'truncates to the end of a late append',
    description: 'A shorter append that was overtaken by a longer one removes what that one brought.',
    file: following,
    find: '  appendNew(state, message.entries);\n',
    replace:
      '  appendNew(state, message.entries);\n  if (lastNew < log.last) log.truncate((lastNew + 1) as Index);\n',
    scenario,
    seeds: 4_000,
  },
  {
    number: 12,
    name: 'acknowledges an append before it is durable',
    description: 'The leader counts an entry that a crash of the follower loses.',
    file: following,
    find: `index: Index): void {
  state.outbox.promise({`,
    replace: `index: Index): void {
  state.outbox.send({`,
    scenario,
    seeds: 500,
  },
  {
    number: 12,
    name: 'a leader counts itself before its own sync',
    description: 'It commits with one disk less than a majority.',
    file: replication,
    find: '!own.maybeUpdate(state.log.durable)',
    replace: '!own.maybeUpdate(state.log.last)',
    scenario,
    seeds: 500,
  },
  {
    number: 12,
    name: 'takes replaced entries for durable',
    description: 'An acknowledged write whose entries a later one has replaced counts for their successors.',
    file: log,
    find: 'for (const write of this.#onTheirWay) write.last = Math.min(write.last, from - 1);',
    replace: '',
    scenario,
    seeds: 10_000,
  },
  {
    number: 12,
    name: 'applies what its own disk does not have',
    description:
      'A quorum of others has committed it; after a crash this member answers from less than it did.',
    file: 'packages/raft/src/core/apply-queue.ts',
    find: 'return Math.min(this.#state.log.commit, this.#state.log.durable);',
    replace: 'return this.#state.log.commit;',
    scenario,
    seeds: 500,
  },
  {
    number: 13,
    name: 'takes an append response of an earlier leadership',
    description: 'What a follower held in an earlier term it may have replaced since.',
    file: core,
    find: '      this.#meetsEarlierTerm(message);\n',
    replace: `      const { from, type } = message;
      const session = state.progress.get(from)?.session;
      if (type !== 'append-response' || session === undefined) this.#meetsEarlierTerm(message);
      else if (state.role === 'leader') handleAppendResponse(state, { ...message, session });
`,
    scenario: scripts,
    seeds: 1,
  },
  {
    number: 13,
    name: 'takes match and next index from whichever answer comes last (goraft)',
    description: 'An answer that was overtaken by a later one takes both back, and the flow with them.',
    file: progress,
    find: `    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1) as Index;`,
    replace: `    if (index < 0) return false;
    this.match = index;
    this.next = (index + 1) as Index;`,
    scenario,
    seeds: 1_000,
  },
  {
    number: 46,
    name: 'a heartbeat deposes a leader in the middle of its turn (hashicorp/raft #695)',
    description:
      'Heartbeats have a way of their own: term and role change at once, and the turn under way goes on with the new term.',
    file: core,
    find: `      case 'append':
      case 'heartbeat':
      case 'install-snapshot':
        state.becomeFollower(`,
    replace: `      case 'heartbeat':
        if (state.role !== 'leader') state.becomeFollower('higher-term', message.term, message.from);
        state.term = message.term;
        if (state.role === 'leader') state.vote = nobody;
        state.role = 'follower';
        return true;
      case 'append':
      case 'install-snapshot':
        state.becomeFollower(`,
    scenario: contested,
    seeds: 4_000,
  },
  {
    number: 14,
    name: 'starts again from the base of its log',
    description: 'The commit index goes back to the last compaction, behind what is applied.',
    file: log,
    find: 'this.commit = Math.max(hardState.commit, applied) as Index;',
    replace: 'this.commit = snapshot.index;',
    scenario,
    seeds: 500,
  },
  {
    number: 14,
    name: 'takes in a snapshot that is older than its commit index',
    description: 'A late snapshot takes commit and applied index back.',
    file: following,
    find: 'if (snapshot.index <= log.commit) {',
    replace: 'if (snapshot.index <= log.base) {',
    scenario: scripts,
    seeds: 1,
  },
  {
    number: 15,
    name: 'drops its uncommitted tail on stepping down',
    description:
      'A quorum may have acknowledged it: it is committed without this leader knowing (microsoft/CCF #5674).',
    file: state,
    find: '    this.role = roles.fire(this.role, reason);\n',
    replace: `    const led = this.role === 'leader';
    this.role = roles.fire(this.role, reason);
    if (led && this.log.last > this.log.commit) this.log.truncate((this.log.commit + 1) as Index);
`,
    scenario,
    seeds: 1_000,
  },
  {
    number: 16,
    name: 'answers reads without asking whether it still leads',
    description: 'A leader that was deposed without knowing it reads an old state.',
    file: reading,
    find: '  else broadcastHeartbeat(state);\n',
    replace: '  else finishRound(state, round);\n',
    scenario,
    seeds: 1_000,
  },
  {
    number: 17,
    name: 'answers reads before the first commit of its term',
    description: 'A new leader does not know yet what is committed, and reads behind it.',
    file: reading,
    find: 'return state.reads.waiting > 0 && state.reads.round === null && state.committedInTerm;',
    replace: 'return state.reads.waiting > 0 && state.reads.round === null;',
    scenario,
    seeds: 1_000,
  },
  {
    number: 18,
    name: 'gives every round of reads the same number',
    description: 'A late answer to an earlier round confirms the present one (etcd-io/etcd #20418).',
    file: rounds,
    find: 'this.#sequence += 1;',
    replace: 'this.#sequence = 1;',
    scenario: scripts,
    seeds: 1,
  },
  {
    number: 18,
    name: 'takes any heartbeat response for a confirmation',
    description: 'An answer to a heartbeat from before the read proves nothing about the time after it.',
    file: reading,
    find: 'if (round === null || readSequence !== round.sequence) return;',
    replace: 'if (round === null || readSequence < 0) return;',
    scenario: scripts,
    seeds: 1,
  },
  {
    number: 13,
    name: 'counts answers to an earlier stay of a member',
    description:
      'It left and came back; what it had acknowledged before it may have replaced since (raft-rs #571).',
    file: replication,
    find: 'if (progress === undefined || message.session !== progress.session) return false;',
    replace: 'if (progress === undefined) return false;',
    scenario: scripts,
    seeds: 1,
  },
  {
    number: 13,
    name: 'comes back without its log and votes as one that never had any',
    description:
      'Whoever has not heard that it left leads with its vote, and without what its acknowledgement committed.',
    file: election,
    find: 'return former === null || reaches({ term: lastTerm, index: lastIndex }, former);',
    replace: 'return former === null || reaches(former, former);',
    scenario: scripts,
    seeds: 1,
  },
  {
    number: 19,
    name: 'reads under a lease though it has asked somebody to campaign',
    description: 'The others vote in that election whatever they have promised (etcd-io/etcd #12704).',
    file: reading,
    find: 'return state.committedInTerm && state.transferee === nobody && !state.leaseGivenUp;',
    replace: 'return state.committedInTerm;',
    scenario: scripts,
    seeds: 1,
  },
  {
    number: 23,
    name: 'changes members before its first commit in the term',
    description: 'The single-server bug of 2015: two leaders append changes that know nothing of each other.',
    file: reconfiguring,
    find: "if (!state.committedInTerm) return 'term-not-committed';",
    replace: '',
    scenario: storm,
    seeds: 500,
  },
  {
    number: 23,
    name: 'appends a change while another one is pending',
    description: 'Configurations two changes apart need not share a member: two majorities decide.',
    file: reconfiguring,
    find: "if (state.membership.length > 0) return 'change-pending';",
    replace: '',
    scenario: storm,
    seeds: 500,
  },
  {
    number: 23,
    name: 'campaigns with a committed change that it has not applied',
    description:
      'It counts votes in a configuration of the past, while the present one elects somebody else.',
    file: election,
    find: 'return first !== undefined && first.index <= state.log.commit;',
    replace: 'return first !== undefined && first.index < 0;',
    scenario: storm,
    seeds: 4_000,
  },
  {
    number: 24,
    name: 'commits with a majority of the new voters only',
    description: 'The old half of a joint configuration elects a leader that has none of it.',
    file: quorum,
    find: 'majorityIndex(configuration.votersOutgoing, members),',
    replace: 'Infinity,',
    scenario: storm,
    seeds: 500,
  },
  {
    number: 24,
    name: 'elects with a majority of the new voters only',
    description: 'The old half of a joint configuration elects another one.',
    file: quorum,
    find: 'const outgoing = majorityVote(configuration.votersOutgoing, votes);',
    replace: 'const outgoing = incoming;',
    scenario: storm,
    seeds: 2_000,
  },
  {
    number: 24,
    name: 'counts learners for a commit',
    description: 'They have no vote: an election can go on without what they hold.',
    file: quorum,
    find: 'majorityIndex(configuration.voters, members),',
    replace: 'majorityIndex([...configuration.voters, ...configuration.learners], members),',
    scenario: storm,
    seeds: 500,
  },
  {
    number: 24,
    name: 'counts a removed voter for a commit',
    description: 'A leader that goes on with the voters of before its last change.',
    file: reconfiguring,
    find: '  state.configuration = configuration;\n',
    replace: `  const { removed } = configuration;
  const voters = [...new Set([...configuration.voters, ...removed.filter((id) => state.configuration.voters.includes(id))])];
  state.configuration = { ...configuration, voters: voters.sort((a, b) => a - b) };
`,
    scenario: storm,
    seeds: 500,
  },
  {
    number: 25,
    name: 'takes over the term of a pre-vote',
    description:
      'A member that was cut off ends the leadership when it comes back, as if there were no pre-vote.',
    file: core,
    find: "        // It is only a question: nobody's term changes for it.\n",
    replace: "        state.becomeFollower('higher-term', message.term, nobody);\n",
    scenario,
    seeds: 500,
  },
  {
    number: 25,
    name: 'votes though its leader is alive',
    description: 'Whoever does not hear the leader deposes it, again and again.',
    file: election,
    find: '  return leaderIsAlive(state);\n',
    replace: '  return state.term < 0 && leaderIsAlive(state);\n',
    scenario,
    seeds: 500,
  },
  {
    number: 25,
    name: 'is silent about a pre-vote for a term that has passed',
    description: 'The asker never learns the term, and a healed group cannot elect (etcd-io/etcd #8501).',
    file: core,
    find: '        refuseStalePreVote(state, message.from);\n',
    replace: '        if (state.term < 0) refuseStalePreVote(state, message.from);\n',
    scenario: scripts,
    seeds: 1,
  },
  {
    number: 25,
    name: 'tells a refused candidate nothing of what is committed',
    description:
      'Members that a change has taken the vote from refuse for ever one that has not heard of the change.',
    file: election,
    find: '  log.commitTo(message.commit);\n',
    replace: '',
    scenario: storm,
    seeds: 2_000,
  },
  {
    number: 37,
    name: 'never frees its window',
    description: 'After as many appends as the window takes nothing is sent any more.',
    file: replication,
    find: '    progress.freeInflights(index);\n',
    replace: '    progress.freeInflights(0 as Index);\n',
    scenario,
    seeds: 500,
  },
  {
    number: 37,
    name: 'waits for ever for a snapshot that was lost',
    description: 'The member gets neither entries nor another snapshot.',
    file: replication,
    find: "if (progress === undefined || progress.state !== 'snapshot') return;",
    replace: "if (progress === undefined || progress.state !== 'snapshot' || !ok) return;",
    scenario,
    seeds: 2_000,
  },
  {
    number: 37,
    name: 'does not wake a probe that was lost',
    description: 'One lost append, and the member hears of heartbeats only.',
    file: replication,
    find: `  progress.resume();
  if (progress.match < state.log.last`,
    replace: '  if (progress.match < state.log.last',
    scenario,
    seeds: 2_000,
  },
  {
    number: 37,
    name: 'lets the preferred candidate without the log go first for ever',
    description: 'Who alone can win waits for others, whose tries start its time-out anew.',
    file: election,
    find: '  if (!upToDate && (state.leader === nobody || !leaderIsAlive(state))) callUpon(state);\n',
    replace: '',
    scenario: storm,
    seeds: 2_000,
  },
  {
    number: 37,
    name: 'stays deaf for the sake of a leader of whom nothing is heard',
    description: 'It wants no ticks, so its patience with the lost leader never ends.',
    file: liveness,
    find: '  if (state.leader !== nobody && state.electionElapsed < state.config.electionTicks) return true;\n',
    replace: '',
    scenario: scripts,
    seeds: 1,
  },
];
