import { isFlotillaError } from '@flotilla/platform';
import type { Index, NodeId, PeerMessage, Term } from '@flotilla/raft';
import { Script } from './script.ts';
import { membershipScripts } from './membership-scripts.ts';
import { Violation, expect } from './violation.ts';

/**
 * Histories that broke somebody's Raft, each told step by step. They hold at every run, however rare they are in a
 * random search.
 */
export const scripts: Readonly<Record<string, () => void>> = {
  ...membershipScripts,
  'an entry of an earlier term on a majority is not committed by counting (figure 8)': figure8,
  'a follower commits only what an append has verified': unverifiedTail,
  'a late append that is shorter truncates nothing': lateShortAppend,
  'a late append response of an earlier leadership moves no match index': lateAppendResponse,
  'a stale snapshot takes nothing back': staleSnapshot,
  'a vote that is delivered twice counts once': duplicateVote,
  'a member that restarts does not vote again in the term': restartVotingTwice,
  'a heartbeat response from before a read does not confirm it (etcd #20418)': lateHeartbeatResponse,
  'a replaced entry is not durable because its predecessor is': replacedWhileWriting,
  'a lease is worth nothing once somebody was told to campaign (etcd #12704)': leaseAfterTransfer,
  'a pre-vote for a term that has passed is answered (etcd #8501)': stalePreVote,
  'who does not campaign gives up a leader of whom nothing is heard all the same': deafVoter,
};

/** The scenario of mutations that need a script: every seed plays them all. */
export function run(): { violation: null | { invariant: string; message: string } } {
  for (const [name, play] of Object.entries(scripts)) {
    try {
      play();
    } catch (error) {
      if (error instanceof Violation)
        return { violation: { invariant: error.invariant, message: error.message } };
      if (!isFlotillaError(error, 'FLOTILLA_ASSERTION')) throw error;
      return { violation: { invariant: 'assertion', message: `${name}: ${error.message}` } };
    }
  }
  return { violation: null };
}

/** Only these members hear each other; what goes to others is lost. */
function settleAmong(script: Script, members: readonly number[]): void {
  for (;;) {
    const lost = script.network.filter(({ from, to }) => !members.includes(from) || !members.includes(to));
    for (const message of lost) script.network.splice(script.network.indexOf(message), 1);
    if (script.deliver() === 0) return;
  }
}

/** Figure 8 of the paper: 1 leads, then 5, then 1 again; its old entry is on three of five, and is replaced by 5. */
function figure8(): void {
  const script = new Script(5);
  script.elect(1);
  // (a) The old entry reaches only 2.
  script.propose(1, 'old');
  settleAmong(script, [1, 2]);
  const old = script.view(1).lastIndex;
  script.crash(1);
  // (b) 5 is elected by 3 and 4, and writes an entry of its own at that index, on its own disk only.
  script.campaign(5);
  script.deliver({ type: 'vote', to: 3 });
  script.deliver({ type: 'vote', to: 4 });
  script.deliver({ type: 'vote-response', to: 5 });
  expect('I1 election safety', script.view(5).role === 'leader', '5 is elected by 3 and 4');
  script.take({});
  script.crash(5);
  // (c) 1 comes back, leads in the term after that, and copies the old entry to a majority.
  script.restart(1);
  script.campaign(1);
  script.take({});
  script.campaign(1);
  script.deliver({ type: 'vote', to: 2 });
  script.deliver({ type: 'vote', to: 3 });
  script.deliver({ type: 'vote-response', to: 1 });
  expect('I1 election safety', script.view(1).role === 'leader', '1 is elected by 2 and 3');
  replicateOnly(script, 2, old);
  replicateOnly(script, 3, old);
  for (const id of [1, 2, 3])
    expect('I3 log matching', script.view(id).lastIndex >= old, `${id} has the old entry`);
  expect(
    'I6 leader completeness',
    script.view(1).commit < old,
    `1 commits ${old}, of an earlier term, by counting`,
  );
  // (d) 1 is lost before its own entry reaches anybody; 5 is elected by 3 and 4, and replaces the old entry.
  script.take({});
  script.crash(1);
  script.restart(5);
  while (script.view(5).term <= script.view(3).term) {
    script.take({});
    script.campaign(5);
  }
  settleAmong(script, [3, 4, 5]);
  expect('I1 election safety', script.view(5).role === 'leader', '5 is elected by 3 and 4');
  expect(
    'I8 state machine safety',
    !(script.applied.get(3) ?? []).includes('old'),
    'the old entry is applied',
  );
  expect('I14 liveness', script.view(3).commit > old, 'what 5 wrote is committed');
}

/** Brings `to` up to `through`, and nothing after it, with the leader's own messages cut to size. */
function replicateOnly(script: Script, to: number, through: Index): void {
  for (let rounds = 0; rounds < 10; rounds += 1) {
    const appends = script.take({ type: 'append', to });
    if (appends.length === 0) return;
    for (const message of appends) {
      if (message.type !== 'append') continue;
      const entries = message.entries.filter((entry) => entry.index <= through);
      script.inject({ ...message, entries });
    }
    script.deliver({ type: 'append-response', from: to });
  }
}

/** An append may tell of a commit index beyond its own entries; what follows them here is somebody else's. */
function unverifiedTail(): void {
  const script = new Script(3);
  script.elect(1);
  script.propose(1, 'agreed');
  script.settle();
  const agreed = script.view(2).lastIndex;
  // 2 gets a tail that nobody else has: it led for a moment.
  script.campaign(2);
  script.deliver({ type: 'vote', to: 3 });
  script.deliver({ type: 'vote-response', to: 2 });
  expect('I1 election safety', script.view(2).role === 'leader', '2 is elected by 3');
  script.propose(2, 'mine');
  script.propose(2, 'alone');
  script.take({});
  // 3 leads a later term and commits other entries; its first word to 2 is an empty append at the agreed index.
  const term = (script.view(2).term + 1) as Term;
  const previousTerm = script.view(2).termAt(agreed) as Term;
  script.inject({
    type: 'append',
    from: 3 as NodeId,
    to: 2 as NodeId,
    term,
    session: 1,
    previousIndex: agreed,
    previousTerm,
    entries: [],
    commit: (agreed + 2) as Index,
    topPriority: 0,
  });
  const { commit } = script.view(2);
  expect('I7 commit grows', commit <= agreed, `2 commits ${commit} of its own tail, verified is ${agreed}`);
}

function lateShortAppend(): void {
  const script = new Script(3);
  script.elect(1);
  script.propose(1, 'a');
  const short = script.find({ type: 'append', to: 2 });
  script.propose(1, 'b');
  script.settle();
  const { lastIndex } = script.view(2);
  for (const message of short) script.inject(message);
  expect(
    'I5 match truth',
    script.view(2).lastIndex === lastIndex,
    'a late append truncates what came after it',
  );
  expect('I5 match truth', script.disk(2).lastIndex === lastIndex, 'a late append truncates on the disk');
}

function lateAppendResponse(): void {
  const script = new Script(3);
  script.elect(1);
  // 2 acknowledges entries that only 1 and 2 have, and its answers are late.
  script.propose(1, 'a');
  script.propose(1, 'b');
  script.drop({ to: 3 });
  script.deliver({ type: 'append', to: 2 });
  const late = script.take({ type: 'append-response', from: 2 });
  const acknowledged = script.view(2).lastIndex;
  // 1 leads again in a later term with more entries; 2 hears nothing of it.
  script.take({});
  script.campaign(3);
  script.deliver({ type: 'vote', to: 1 });
  script.take({});
  script.campaign(1);
  script.deliver({ type: 'vote', to: 3 });
  script.deliver({ type: 'vote-response', from: 3 });
  expect('I1 election safety', script.view(1).role === 'leader', '1 leads again');
  script.take({});
  for (const message of late) script.inject(message);
  const match = script.view(1).progress.get(2 as NodeId)?.match ?? 0;
  expect(
    'I5 match truth',
    match < acknowledged,
    `an answer of an earlier leadership moves the match index to ${match}`,
  );
}

function staleSnapshot(): void {
  const script = new Script(3);
  script.elect(1);
  for (const text of ['a', 'b', 'c']) script.propose(1, text);
  script.settle();
  const { commit, lastIndex, configuration, term } = script.view(2);
  const stale: PeerMessage = {
    type: 'install-snapshot',
    from: 1 as NodeId,
    to: 2 as NodeId,
    term,
    session: script.view(1).progress.get(2 as NodeId)?.session ?? 0,
    snapshot: { index: 2 as Index, term: 1 as Term, configuration },
  };
  const applied = script.applied.get(2)?.length;
  script.inject(stale);
  const view = script.view(2);
  expect('I9 apply order', script.applied.get(2)?.length === applied, 'entries are applied twice');
  expect(
    'I7 commit grows',
    view.commit === commit && view.applied === commit,
    'a stale snapshot moves pointers back',
  );
  expect('I7 commit grows', view.lastIndex === lastIndex, 'a stale snapshot drops the log');
  const [answer] = script.find({ type: 'append-response', from: 2 });
  const said = answer?.type === 'append-response' ? answer.index : 0;
  expect(
    'I5 match truth',
    said === commit,
    `a stale snapshot is answered with ${said}, not the commit index`,
  );
}

function duplicateVote(): void {
  const script = new Script(5);
  script.campaign(1);
  script.deliver({ type: 'vote', to: 2 });
  const [vote] = script.take({ type: 'vote-response', from: 2 });
  if (vote === undefined) throw new Violation('I14 liveness', '2 gives no vote');
  script.inject(vote);
  script.inject(vote);
  expect('I1 election safety', script.view(1).role === 'candidate', '1 leads with two of five votes');
}

function restartVotingTwice(): void {
  const script = new Script(3);
  script.campaign(1);
  script.campaign(2);
  script.deliver({ type: 'vote', from: 1, to: 3 });
  const given = script.find({ type: 'vote-response', from: 3, to: 1 }).length;
  script.crash(3);
  script.restart(3);
  script.deliver({ type: 'vote', from: 2, to: 3 });
  const again = script
    .find({ type: 'vote-response', from: 3, to: 2 })
    .filter((message) => message.type === 'vote-response' && message.granted).length;
  expect('I2 one vote a term', given + again <= 1, '3 votes for both candidates of one term');
}

function lateHeartbeatResponse(): void {
  const script = new Script(3);
  script.elect(1);
  // A first round of reads: the answers of both followers are late.
  const first = script.read(1);
  script.deliver({ type: 'heartbeat' });
  const late = script.take({ type: 'heartbeat-response' });
  expect('I12 linearizable reads', script.settlement(first) === undefined, 'a read needs a round');
  script.inject(late[0] as PeerMessage);
  // 2 and 3 move on without 1, and something is committed there.
  script.take({});
  script.campaign(2);
  settleAmong(script, [2, 3]);
  script.propose(2, 'newer');
  settleAmong(script, [2, 3]);
  expect('I14 liveness', (script.applied.get(2) ?? []).includes('newer'), '2 and 3 commit');
  // The second round of 1 meets only the late answer to the first one.
  const second = script.read(1);
  script.take({});
  script.inject(late[1] as PeerMessage);
  const settled = script.settlement(second);
  expect(
    'I12 linearizable reads',
    settled?.type !== 'readable',
    'a deposed leader confirms a read with an answer from before it',
  );
}

/** The transfer is given up, the order to campaign arrives all the same, and is obeyed in spite of the lease. */
function leaseAfterTransfer(): void {
  const script = new Script(3, { checkQuorum: true });
  script.elect(1);
  const held = script.read(1, 'lease');
  expect('I14 liveness', script.settlement(held)?.type === 'readable', 'a lease is no use');
  script.step(1, { type: 'transfer', to: 2 as NodeId });
  const orders = script.take({ type: 'timeout-now' });
  for (let tick = 0; tick < 10; tick += 1) {
    script.step(1, { type: 'tick' });
    script.settle();
  }
  for (const message of orders) script.inject(message);
  settleAmong(script, [2, 3]);
  script.propose(2, 'newer');
  settleAmong(script, [2, 3]);
  expect('I14 liveness', (script.applied.get(2) ?? []).includes('newer'), '2 and 3 commit');
  const stale = script.settlement(script.read(1, 'lease'));
  expect(
    'I12 linearizable reads',
    stale?.type !== 'readable',
    'a leader reads under a lease that it has given up',
  );
}

/** 3 is ahead in terms and behind in its log, 2 the other way round, and 1 is gone. */
function stalePreVote(): void {
  const script = new Script(3, { preVote: true, checkQuorum: true });
  script.elect(1);
  script.propose(1, 'a');
  settleAmong(script, [1, 2]);
  script.crash(1);
  const ahead = { lastIndex: 0 as Index, lastTerm: 0 as Term, forced: true };
  script.inject({ type: 'vote', from: 2 as NodeId, to: 3 as NodeId, term: 9 as Term, ...ahead });
  script.take({});
  for (let tick = 0; tick < 100 && script.view(2).role !== 'leader'; tick += 1) {
    for (const id of [2, 3]) script.step(id, { type: 'tick' });
    script.settle();
  }
  expect(
    'I14 liveness',
    script.view(2).role === 'leader',
    '2 never learns the term that it would be elected in',
  );
}

/** 1 leads and is lost before the connections between the hosts say that it does; 3 would never stand itself. */
function deafVoter(): void {
  const config = { liveness: 'peers', preVote: true, checkQuorum: true } as const;
  const script = new Script(3, config, { 3: { priority: 0 } });
  script.elect(1);
  script.settle();
  script.crash(1);
  for (let tick = 0; tick < 100 && script.view(2).role !== 'leader'; tick += 1) {
    for (const id of [2, 3]) if (script.wantsTicks(id)) script.step(id, { type: 'tick' });
    script.settle();
  }
  expect('I14 liveness', script.view(2).role === 'leader', '3 waits for 1, and is deaf to 2 for ever');
}

/** The same index is written twice, under two leaders; the first write completes. */
function replacedWhileWriting(): void {
  const script = new Script(5);
  script.elect(1);
  script.holdDisk(3);
  script.propose(1, 'first');
  script.deliver({ type: 'append', to: 3 });
  script.take({});
  // 2, which never saw that entry, leads and replaces it.
  script.campaign(2);
  settleAmong(script, [2, 4, 5]);
  expect('I1 election safety', script.view(2).role === 'leader', '2 is elected by 4 and 5');
  const index = script.view(2).lastIndex;
  script.step(2, { type: 'tick' });
  script.deliver({ type: 'heartbeat', to: 3 });
  script.settle({ from: 2, to: 3 });
  script.settle({ from: 3, to: 2 });
  script.settle({ from: 2, to: 3 });
  expect('I3 log matching', script.view(3).termAt(index) === script.view(2).term, '3 has replaced the entry');
  // Only the first write, with the entry that is gone, completes.
  script.syncFirst(3);
  expect(
    'I9 apply order',
    script.view(3).durable < index,
    `3 takes ${index} for durable, which only its predecessor was`,
  );
}
