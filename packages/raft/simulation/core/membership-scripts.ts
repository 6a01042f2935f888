import { emptyConfiguration } from '../../src/core/configuration.ts';
import type { NodeId, PeerMessage } from '@flotilla/raft';
import { Script } from './script.ts';
import { expect } from './violation.ts';

/** Histories in which members come and go. */
export const membershipScripts: Readonly<Record<string, () => void>> = {
  'an answer from an earlier stay of a member moves no match index (raft-rs #571)': earlierStay,
  'a member that comes back without its log votes for nobody who lacks what it had': comesBackWithoutLog,
  'a member that comes back without its log does not vote twice in a term': comesBackWithVote,
  'a member that comes back without its log votes again once it has caught up': votesAgain,
  'a heartbeat of an earlier stay says nothing of the new log (core, seed 20)': lateHeartbeat,
  'a candidate learns from those who refuse it that they vote no longer': refusedByFormerVoter,
  'a read round does not wait for members that were removed': removedWhileReading,
  'a removed leader stays until the others know': removedLeaderStays,
  'a new leader leaves a joint configuration that leaves by itself': joinedTwice,
  'a member that knows nobody gets a snapshot': knowsNobody,
  'a snapshot ends a campaign, with a log that goes on from it or without': campaignInterrupted,
  'whoever alone can win does not wait for preferred candidates': preferredButBehind,
};

/** 3 is removed and added again in one term, with a new disk; what its old one had acknowledged counts for nothing. */
function earlierStay(): void {
  const script = new Script(3, { reusableIds: true });
  script.elect(1);
  for (const text of ['a', 'b', 'c']) script.propose(1, text);
  script.deliver({ type: 'append' });
  const late = script.take({ type: 'append-response', from: 3 });
  const acknowledged = script.view(3).lastIndex;
  script.settle();
  script.change(1, 'r3');
  script.settle();
  script.join(3);
  script.change(1, 'l3');
  script.settle({ to: 2 });
  script.settle({ from: 2 });
  script.take({ to: 3 });
  expect('I14 liveness', script.view(1).configuration.learners.includes(3 as NodeId), '3 is a learner');
  for (const message of late) script.inject(message);
  const match = script.view(1).progress.get(3 as NodeId)?.match ?? 0;
  expect(
    'I5 match truth',
    match < acknowledged,
    `an answer of an earlier stay moves the match index to ${match}`,
  );
}

/** 3 has an entry with 1, leaves, and comes back without it. To 2, which was cut off all the time, it never left. */
function comesBackWithoutLog(): void {
  const script = new Script(3, { reusableIds: true });
  script.elect(1);
  script.propose(1, 'committed');
  settleWithout(script, 2);
  script.change(1, 'r3 v4');
  script.join(4, emptyConfiguration);
  settleWithout(script, 2);
  script.comeBack(3);
  script.campaign(2);
  script.settle({ to: 3 });
  script.settle({ to: 2 });
  expect('I6 leader completeness', script.view(2).role !== 'leader', '2 leads without what was committed');
}

/** 3 has voted for 2 in a term that it comes back to: 1, as far as 2, gets no second vote of it. */
function comesBackWithVote(): void {
  const script = new Script(3, { reusableIds: true });
  script.campaign(2);
  script.deliver({ to: 3 });
  script.comeBack(3);
  script.campaign(1);
  script.deliver({ from: 1, to: 3 });
  script.deliver({ from: 3 });
  const leaders = [1, 2].filter((id) => script.view(id).role === 'leader');
  expect('I1 one leader', leaders.length === 1, `${leaders.join(' and ')} lead in one term`);
}

function lateHeartbeat(): void {
  const script = new Script(3, { reusableIds: true });
  script.elect(1);
  script.propose(1, 'committed');
  script.settle();
  const { term, commit } = script.view(1);
  script.change(1, 'r3');
  script.settle();
  script.comeBack(3);
  script.inject({ type: 'heartbeat', from: 1 as NodeId, to: 3 as NodeId, term, commit, readSequence: 0 });
  script.settle();
  expect('I7 commit', commit > 0 && script.view(3).commit === 0, '3 commits what it does not have');
}

function votesAgain(): void {
  const script = new Script(3, { reusableIds: true });
  script.elect(1);
  for (const text of ['a', 'b', 'c']) script.propose(1, text);
  script.settle();
  script.change(1, 'r3');
  script.settle();
  script.comeBack(3);
  script.change(1, 'l3');
  script.settle();
  script.shipSnapshot();
  script.settle();
  script.change(1, 'v3');
  script.settle();
  script.crash(1);
  script.campaign(2);
  script.settle();
  expect('I14 liveness', script.view(2).role === 'leader', '3 has everything, and votes for nobody');
  script.crash(2);
  script.restart(2);
  script.campaign(3);
  script.settle();
  expect('I14 liveness', script.view(3).role === 'leader', '3 has everything, and does not lead');
}

/**
 * 2 leads and is demoted: that is committed, and only 2 knows. It has more entries than 1, so it refuses 1; and leads
 * never, for it has no vote. (A membership storm ended so.)
 */
function refusedByFormerVoter(): void {
  const script = new Script(2);
  script.elect(2);
  script.change(2, 'l2');
  const [change] = script.take({ type: 'append', to: 1 });
  script.propose(2, 'more');
  script.take({});
  script.inject(change as PeerMessage);
  script.deliver({ type: 'append-response' });
  expect('I14 liveness', script.view(2).configuration.learners.includes(2 as NodeId), '2 is a learner');
  script.take({});
  script.crash(2);
  script.restart(2);
  script.campaign(1);
  script.settle();
  script.campaign(1);
  script.settle();
  expect('I14 liveness', script.view(1).role === 'leader', '1, the only voter, does not lead');
}

function removedWhileReading(): void {
  const script = new Script(2);
  script.elect(1);
  script.change(1, 'r2');
  const read = script.read(1);
  script.drop({ type: 'heartbeat' });
  script.settle();
  expect('I14 liveness', script.view(1).configuration.voters.length === 1, '2 is removed');
  expect('I14 liveness', script.settlement(read)?.type === 'readable', 'the read waits for 2');
}

function removedLeaderStays(): void {
  const script = new Script(2);
  script.elect(1);
  script.change(1, 'r1');
  script.deliver({ type: 'append' });
  script.deliver({ type: 'append-response' });
  const { configuration } = script.view(1);
  expect('I14 liveness', !configuration.voters.includes(1 as NodeId), '1 is removed');
  expect('I14 liveness', script.view(1).role === 'leader', '1 leaves, and nobody else knows that it may');
  const refused = script.settlement(script.propose(1, 'late'));
  expect('I14 liveness', refused?.type === 'refused', 'a removed leader takes proposals');
  script.settle();
  expect('I14 liveness', script.view(1).role === 'follower', '1 stays for ever');
  expect('I14 liveness', script.view(2).role === 'leader', '2 is not asked to take over');
}

function joinedTwice(): void {
  const script = new Script(3);
  script.elect(1);
  script.change(1, 'l2 l3', 'implicit');
  script.deliver({ type: 'append' });
  script.holdDisk(1);
  script.deliver({ type: 'append-response', from: 2 });
  // 1 has applied it and wants to leave; nobody hears of that, and a crash forgets it. The commit is known.
  expect(
    'I14 liveness',
    script.view(1).configuration.votersOutgoing.length === 3,
    '1 is in the joint configuration',
  );
  for (const id of [2, 3]) {
    script.inject({
      type: 'heartbeat',
      from: 1 as NodeId,
      to: id as NodeId,
      term: script.view(1).term,
      commit: script.view(id).lastIndex,
      readSequence: 0,
    });
  }
  script.take({});
  // The old majority and the new one, 1, agree on 2: it leads once, and leaves the joint configuration.
  script.crash(1);
  script.restart(1);
  script.campaign(2);
  script.settle();
  const { configuration } = script.view(2);
  expect(
    'I14 liveness',
    configuration.votersOutgoing.length === 0,
    'a new leader stays in the joint configuration',
  );
  expect(
    'I14 liveness',
    configuration.voters.length === 1 && configuration.learners.length === 2,
    'another one is left',
  );
}

function knowsNobody(): void {
  const script = new Script(1);
  script.elect(1);
  script.propose(1, 'a');
  script.join(2, emptyConfiguration);
  script.change(1, 'l2');
  script.settle();
  expect('I14 liveness', script.snapshots.length === 1, 'a member without a configuration gets no snapshot');
  script.shipSnapshot();
  script.settle();
  expect(
    'I17 one change at a time',
    script.view(2).configuration.learners.includes(2 as NodeId),
    '2 learns who it is',
  );
  expect('I14 liveness', script.view(2).lastIndex === script.view(1).lastIndex, '2 has everything');
}

function campaignInterrupted(): void {
  for (const role of ['pre-candidate', 'candidate'] as const) {
    const script = new Script(3, { preVote: role === 'pre-candidate' });
    script.elect(1);
    script.propose(1, 'a');
    settleWithout(script, 3);
    script.campaign(3);
    expect('I14 liveness', script.view(3).role === role, `3 is a ${role}`);
    script.take({});
    const { applied, term, configuration } = script.view(1);
    const snapshot = { index: applied, term, configuration };
    const message = { from: 1 as NodeId, to: 3 as NodeId, term, session: 0, snapshot };
    script.inject({ type: 'install-snapshot', ...message });
    expect('I16 legal changes', script.view(3).role === 'follower', '3 campaigns on with another log');
  }
}

function settleWithout(script: Script, id: number): void {
  for (;;) {
    script.drop({ to: id });
    if (script.deliver() === 0) return;
  }
}

/** 2 is preferred and lacks an entry; its tries start the time-out of 1 anew each time. */
function preferredButBehind(): void {
  const script = new Script(3, {}, { 1: { priority: 1 }, 2: { priority: 200 } });
  script.elect(2);
  script.settle();
  script.campaign(1);
  script.settle();
  script.propose(1, 'more');
  script.take({});
  script.crash(3);
  script.crash(1);
  script.restart(1);
  for (let round = 0; round < 60 && script.view(1).role !== 'leader'; round += 1) {
    for (const id of [1, 2]) script.step(id, { type: 'tick' });
    script.settle();
  }
  expect('I14 liveness', script.view(1).role === 'leader', '1, whose log is longest, waits for 2 to win');
}
