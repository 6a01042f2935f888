import type { Tape } from '@flotilla/sim';
import type { Index, NodeId, PeerMessage, Term } from '../../src/core/types.ts';
import { Script } from '../core/script.ts';
import { Violation } from '../core/violation.ts';
import type { CoresScenario } from './lab-result.ts';
import { runLab } from './run-lab.ts';

/**
 * Scenarios that are one order of messages, played by cores: nothing is delivered, lost or synced but by the schedule.
 * The tape draws who plays which part, and how many entries there are.
 */
export const schedules: readonly CoresScenario[] = [
  {
    number: '5 (timer)',
    title: 'an append that is refused because logs differ still puts off the follower’s own candidacy',
    options: null,
    play: refusedAppendResetsTimer,
  },
  {
    number: '21',
    title:
      'figure 8 as a fixed schedule: an entry of an earlier term on a majority is replaced, and was never committed',
    options: null,
    play: figure8,
  },
  {
    number: '26 (answers)',
    title: 'late and repeated append answers never lower a match index or the commit index',
    options: null,
    play: lateAnswers,
  },
  {
    number: '26 (appends)',
    title: 'late and repeated shorter appends never truncate entries that match',
    options: null,
    play: lateAppends,
  },
  {
    number: '27',
    title: 'a follower commits at most up to the last new entry of an append, with a divergent tail in place',
    options: null,
    play: divergentTail,
  },
  {
    number: '33 (stale)',
    title: 'a stale or repeated snapshot never moves a member back',
    options: null,
    play: staleSnapshots,
  },
  {
    number: '33 (tail)',
    title: 'the tail behind a snapshot is kept only if the log has the snapshot’s term there',
    options: null,
    play: tailBehindSnapshot,
  },
  {
    number: '33 (boundary)',
    title: 'appends that begin one before, at and one after a snapshot are answered by the truth',
    options: null,
    play: appendsAtSnapshot,
  },
];

/** Everybody's. */
const topPriority = 100;

/** For mutations: plays every schedule with the seed. */
export async function run(
  seed: number,
): Promise<{ violation: null | { invariant: string; message: string } }> {
  for (const schedule of schedules) {
    const { violation } = await runLab(schedule, seed);
    if (violation !== null)
      return { violation: { invariant: `scenario ${schedule.number}`, message: violation.message } };
  }
  return { violation: null };
}

function expect(fine: boolean, message: string): void {
  if (!fine) throw new Violation('threshold', message);
}

/** 1 to `count` in any order. */
function cast(tape: Tape, count: number): number[] {
  const rest = Array.from({ length: count }, (_, i) => i + 1);
  return Array.from({ length: count }, () => rest.splice(tape.choose(rest.length, 'part'), 1)[0] as number);
}

/** Only these members hear each other; what goes to others is lost. */
function settleAmong(script: Script, members: readonly number[]): void {
  for (;;) {
    const lost = script.network.filter(({ from, to }) => !members.includes(from) || !members.includes(to));
    for (const message of lost) script.network.splice(script.network.indexOf(message), 1);
    if (script.deliver() === 0) return;
  }
}

/** Campaigns until its term is above everybody's, and is elected by `voters`. */
function elect(script: Script, id: number, voters: readonly number[]): void {
  const term = Math.max(...voters.map((voter) => script.view(voter).term));
  while (script.view(id).term <= term) {
    script.take({});
    script.campaign(id);
    expect(script.view(id).role === 'candidate', `${id} stands for election`);
  }
  for (const voter of voters) script.deliver({ type: 'vote', from: id, to: voter });
  script.deliver({ type: 'vote-response', to: id });
  expect(script.view(id).role === 'leader', `${id} is elected by ${voters.join(' and ')}`);
}

function refusedAppendResetsTimer(tape: Tape): void {
  const script = new Script(3, { liveness: 'ticks', electionTicks: 10 });
  const [leader, follower] = cast(tape, 3) as [number, number];
  script.elect(leader);
  const tick = (count: number): void => {
    for (let i = 0; i < count; i += 1) script.step(follower, { type: 'tick' });
  };
  const session = script.view(leader).progress.get(follower as NodeId)?.session ?? 0;
  const { term, lastIndex } = script.view(leader);
  // The shortest time-out is 10 ticks, the longest 19: six spans are over all of them if refusals do not count.
  for (let span = 0; span < 6; span += 1) {
    const ahead = 1 + tape.choose(20, 'how far ahead');
    script.inject({
      type: 'append',
      from: leader as NodeId,
      to: follower as NodeId,
      term,
      session,
      previousIndex: (lastIndex + ahead) as Index,
      previousTerm: term,
      entries: [],
      commit: 0 as Index,
      topPriority,
    });
    const answers = script.take({ type: 'append-response', from: follower });
    expect(
      answers.some((answer) => answer.type === 'append-response' && answer.rejected),
      'the append is refused',
    );
    tick(9 - tape.choose(4, 'ticks'));
    const { role, term: now } = script.view(follower);
    expect(
      role === 'follower' && now === term,
      'the follower waits an election time-out from the refusal on',
    );
  }
}

function figure8(tape: Tape): void {
  const script = new Script(5);
  const [s1, s2, s3, s4, s5] = cast(tape, 5) as [number, number, number, number, number];
  script.elect(s1);
  // (a) S1 leads and replicates an entry to S2 alone.
  script.propose(s1, 'old');
  settleAmong(script, [s1, s2]);
  const old = script.view(s1).lastIndex;
  script.crash(s1);
  // (b) S5 is elected by S3 and S4, and has another entry there on its own disk.
  elect(script, s5, [s3, s4]);
  for (let more = tape.choose(3, 'entries of S5'); more > 0; more -= 1) script.propose(s5, 'other');
  script.crash(s5);
  // (c) S1 leads again, and copies the old entry, and nothing newer, to S3: it is on a majority.
  script.restart(s1);
  elect(script, s1, [s2, s3]);
  for (const to of [s2, s3]) replicateThrough(script, to, old);
  for (const id of [s1, s2, s3]) expect(script.view(id).lastIndex >= old, `${id} has the old entry`);
  expect(script.view(s1).commit < old, 'an entry of an earlier term is not committed by counting');
  // (d) S1 is lost; S5 is elected by S3 and S4, whose last entries are of earlier terms, and replaces it everywhere.
  script.crash(s1);
  script.restart(s5);
  elect(script, s5, [s3, s4]);
  settleAmong(script, [s2, s3, s4, s5]);
  for (const id of [s2, s3]) {
    expect(script.view(id).commit > old, `what S5 has written is committed at ${id}`);
    expect(!(script.applied.get(id) ?? []).includes('old'), `the replaced entry was never applied at ${id}`);
  }
}

/** Brings `to` up to `through` and not further, with the leader's own messages cut to size. */
function replicateThrough(script: Script, to: number, through: Index): void {
  for (let round = 0; round < 10; round += 1) {
    const appends = script.take({ type: 'append', to });
    if (appends.length === 0) return;
    for (const message of appends) {
      if (message.type !== 'append') continue;
      script.inject({ ...message, entries: message.entries.filter((entry) => entry.index <= through) });
    }
    script.deliver({ type: 'append-response', from: to });
  }
}

/** In any order, some of them twice. */
function shuffled<T>(tape: Tape, list: readonly T[]): T[] {
  const rest = [...list, ...list.filter(() => tape.choose(2, 'twice') === 1)];
  const { length } = rest;
  return Array.from({ length }, () => rest.splice(tape.choose(rest.length, 'order'), 1)[0] as T);
}

function lateAnswers(tape: Tape): void {
  const script = new Script(3);
  const [leader, first, second] = cast(tape, 3) as [number, number, number];
  script.elect(leader);
  const answers: PeerMessage[] = [];
  for (let command = 1 + tape.choose(8, 'commands'); command > 0; command -= 1) {
    script.propose(leader, `${command}`);
    script.deliver({ type: 'append' });
    // Some come at once, others late; all of them come again.
    const now = script.take({ type: 'append-response' });
    answers.push(...now);
    for (const answer of now) if (tape.choose(2, 'in time') === 1) script.inject(answer);
  }
  const match = (id: number): number => script.view(leader).progress.get(id as NodeId)?.match ?? 0;
  for (const answer of shuffled(tape, answers)) {
    const before = [match(first), match(second), script.view(leader).commit as number];
    script.inject(answer);
    const after = [match(first), match(second), script.view(leader).commit as number];
    expect(
      after.every((value, i) => value >= (before[i] as number)),
      `a late answer moves ${before.join(', ')} to ${after.join(', ')}`,
    );
  }
  script.settle();
  expect(script.view(leader).commit === script.view(leader).lastIndex, 'everything is committed');
}

function lateAppends(tape: Tape): void {
  const script = new Script(3);
  const [leader, follower] = cast(tape, 3) as [number, number];
  script.elect(leader);
  const appends: PeerMessage[] = [];
  for (let command = 2 + tape.choose(8, 'commands'); command > 0; command -= 1) {
    script.propose(leader, `${command}`);
    appends.push(...script.find({ type: 'append', to: follower }));
    script.deliver({ type: 'append', to: follower });
    // The answers are late or lost: what is not committed yet could be taken away.
    if (tape.choose(3, 'answered') === 2) script.settle();
    else script.take({});
  }
  const { lastIndex, commit } = script.view(follower);
  for (const append of shuffled(tape, appends)) {
    if (append.type !== 'append') continue;
    // Shorter than it was, too: a leader may cut its appends anywhere.
    script.inject({
      ...append,
      entries: append.entries.slice(0, tape.choose(append.entries.length + 1, 'length')),
    });
    expect(script.view(follower).lastIndex === lastIndex, 'a late append truncates what came after it');
    expect(script.disk(follower).lastIndex === lastIndex, 'a late append truncates on the disk');
    expect(script.view(follower).commit === commit, 'a late append moves the commit index');
  }
}

function divergentTail(tape: Tape): void {
  const script = new Script(3);
  const [first, follower, other] = cast(tape, 3) as [number, number, number];
  script.elect(first);
  for (let command = tape.choose(4, 'agreed commands'); command >= 0; command -= 1)
    script.propose(first, 'agreed');
  script.settle();
  const agreed = script.view(follower).lastIndex;
  // The follower led for a moment, and has a tail that nobody else has.
  elect(script, follower, [other]);
  for (let command = 1 + tape.choose(5, 'tail'); command > 0; command -= 1) script.propose(follower, 'alone');
  script.take({});
  const tail = script.view(follower).lastIndex;
  // A leader of a later term has committed other entries; its append carries a few of them, or none.
  const term = (script.view(follower).term + 1) as Term;
  const count = tape.choose(3, 'new entries');
  const entries = Array.from({ length: count }, (_, i) => ({
    term,
    index: (agreed + 1 + i) as Index,
    kind: 'command' as const,
    payload: new Uint8Array(1),
  }));
  script.inject({
    type: 'append',
    from: other as NodeId,
    to: follower as NodeId,
    term,
    session: 1,
    previousIndex: agreed,
    previousTerm: script.view(follower).termAt(agreed) as Term,
    entries,
    commit: (tail + 3) as Index,
    topPriority,
  });
  const { commit } = script.view(follower);
  expect(
    commit === agreed + count,
    `the follower commits ${commit}, the last new entry is ${agreed + count}`,
  );
  expect(!(script.applied.get(follower) ?? []).includes('alone'), 'its own tail is never applied');
}

/** The snapshot of everything up to `index`, as `leader` would announce it to `to`. */
function announced(script: Script, leader: number, to: number, index: number): PeerMessage {
  const { term, configuration, progress } = script.view(leader);
  return {
    type: 'install-snapshot',
    from: leader as NodeId,
    to: to as NodeId,
    term,
    session: progress.get(to as NodeId)?.session ?? 0,
    snapshot: {
      index: index as Index,
      term: script.view(leader).termAt(index as Index) as Term,
      configuration,
    },
  };
}

function staleSnapshots(tape: Tape): void {
  const script = new Script(3);
  const [leader, follower] = cast(tape, 3) as [number, number];
  script.elect(leader);
  for (let command = 3 + tape.choose(6, 'commands'); command > 0; command -= 1)
    script.propose(leader, `${command}`);
  script.settle();
  const before = script.view(follower);
  const [commit, applied, lastIndex] = [before.commit, before.applied, before.lastIndex];
  const appliedCount = script.applied.get(follower)?.length;
  for (let times = 0; times < 4; times += 1) {
    script.inject(announced(script, leader, follower, 1 + tape.choose(commit, 'index of the snapshot')));
    const view = script.view(follower);
    expect(view.commit === commit && view.applied === applied, 'a stale snapshot moves indexes back');
    expect(view.lastIndex === lastIndex, 'a stale snapshot drops entries');
    expect(
      script.applied.get(follower)?.length === appliedCount,
      'a stale snapshot has entries applied again',
    );
    const answers = script.take({ type: 'append-response', from: follower });
    for (const answer of answers) {
      expect(
        answer.type === 'append-response' && answer.index === commit,
        'it is answered with the commit index',
      );
    }
  }
}

function tailBehindSnapshot(tape: Tape): void {
  const script = new Script(3);
  const [leader, follower, other] = cast(tape, 3) as [number, number, number];
  script.elect(leader);
  const base = script.view(follower).commit;
  const same = tape.choose(2, 'same term') === 0;
  if (same) {
    // The follower has entries that it does not know to be committed.
    for (let command = 0; command < 6; command += 1) script.propose(leader, `${command}`);
    script.deliver({ type: 'append', to: follower });
    script.take({});
  } else {
    // It has entries of its own, from a moment in which it led.
    elect(script, follower, [other]);
    for (let command = 0; command < 6; command += 1) script.propose(follower, `${command}`);
    script.crash(leader);
    script.restart(leader);
    elect(script, leader, [other]);
    for (let command = 0; command < 6; command += 1) script.propose(leader, `${command}`);
    settleAmong(script, [leader, other]);
  }
  const { lastIndex } = script.view(follower);
  const index = base + 1 + tape.choose(lastIndex - base - 1, 'index of the snapshot');
  const snapshot = announced(script, leader, follower, index);
  for (let times = 0; times < 2; times += 1) {
    script.inject(snapshot);
    const view = script.view(follower);
    expect(
      view.commit === index,
      `the snapshot at ${index} is taken in, and the commit index is ${view.commit}`,
    );
    expect(
      view.lastIndex === (same ? lastIndex : index),
      same ? 'a tail that matches is kept' : 'a foreign tail goes',
    );
  }
}

function appendsAtSnapshot(tape: Tape): void {
  const script = new Script(3);
  const [leader, follower, other] = cast(tape, 3) as [number, number, number];
  script.elect(leader);
  const commands = 3 + tape.choose(6, 'commands');
  for (let command = 0; command < commands; command += 1) script.propose(leader, `${command}`);
  settleAmong(script, [leader, other]);
  const { lastIndex } = script.view(leader);
  const index = lastIndex - 1;
  script.inject(announced(script, leader, follower, index));
  script.take({});
  const view = script.view(follower);
  expect(view.lastIndex === index && view.firstIndex === index + 1, 'the log begins after the snapshot');
  const append = (previous: number, entries: readonly number[]): PeerMessage => ({
    type: 'append',
    from: leader as NodeId,
    to: follower as NodeId,
    term: script.view(leader).term,
    session: script.view(leader).progress.get(follower as NodeId)?.session ?? 0,
    previousIndex: previous as Index,
    previousTerm: script.view(leader).termAt(previous as Index) ?? script.view(leader).term,
    entries: entries.map((at) => ({
      term: script.view(leader).termAt(at as Index) as Term,
      index: at as Index,
      kind: 'command' as const,
      payload: new Uint8Array(1),
    })),
    commit: index as Index,
    topPriority,
  });
  const answer = (message: PeerMessage): Extract<PeerMessage, { type: 'append-response' }> => {
    script.inject(message);
    const [found] = script.take({ type: 'append-response', from: follower });
    if (found?.type !== 'append-response') throw new Violation('threshold', 'an append is answered');
    return found;
  };
  const after = answer(append(index + 1, []));
  expect(
    after.rejected && after.hintIndex <= index,
    'one after the snapshot: refused, with a hint that is not beyond it',
  );
  const before = answer(append(index - 1, [index, index + 1]));
  expect(
    !before.rejected && before.index >= index,
    'one before the snapshot: it matches at least up to the snapshot',
  );
  expect(script.view(follower).firstIndex === index + 1, 'what the snapshot has is not taken in again');
  const at = answer(append(index, [index + 1]));
  expect(!at.rejected && at.index === index + 1, 'at the snapshot: the log goes on');
  expect(script.view(follower).lastIndex === lastIndex, 'the follower has everything');
}
