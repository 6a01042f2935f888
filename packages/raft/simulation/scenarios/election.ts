import type { Lab, LabMember } from './lab.ts';
import { labLimits } from './lab.ts';
import type { HostsScenario } from './lab-result.ts';

/** Scenarios 1 to 6 of the catalogue: who leads. */
export const elections: readonly HostsScenario[] = [
  {
    number: '1',
    title: '3 members elect one leader within 5 s, with equal terms of at least 1, and keep it over 2 s idle',
    options: { members: 3 },
    play: initialElection,
  },
  {
    number: '2',
    title:
      'without its leader a cluster has a new one within 5 s, the old one follows, and 1 of 3 has none for 2 s',
    options: { members: 3 },
    play: reElection,
  },
  {
    number: '3',
    title: '7 members of which any 3 are cut have a leader within 5 s, nine times',
    options: { members: 7 },
    play: manyElections,
  },
  {
    number: '4',
    title:
      'the first election takes at most 30 requests; 3 idle members exchange at most 60 messages a second, 10 signs of life per peer',
    options: { members: 3 },
    play: messageBudget,
  },
  {
    number: '5',
    title: 'a voter that restarts in the middle of a term votes once in it, and a leader is found within 5 s',
    options: { members: 5, config: { preVote: false, heartbeatMs: 20, electionMs: 100 } },
    play: restartedVoters,
  },
  {
    number: '6 (with pre-vote)',
    title:
      'a member that was alone comes back with the term that it had, and disturbs nobody: one leader within 5 s',
    options: { members: 3 },
    play: (lab) => loneCandidate(lab, true),
  },
  {
    number: '6 (without pre-vote)',
    title: 'a member comes back with an inflated term: one leader within 5 s',
    options: { members: 3, config: { preVote: false } },
    play: (lab) => loneCandidate(lab, false),
  },
];

function initialElection(lab: Lab): void {
  const leader = lab.boot();
  lab.settledLeader();
  lab.sleep(50);
  const terms = new Set(lab.members.map((member) => lab.termOf(member)));
  const [term] = terms;
  lab.expect(terms.size === 1 && (term ?? 0) >= 1, 'terms are equal and at least 1');
  lab.sleep(2_000);
  lab.expect(lab.leads(leader) && lab.termOf(leader) === term, 'leader and term are the same after 2 s idle');
}

function reElection(lab: Lab): void {
  lab.boot();
  const first = lab.settledLeader();
  lab.cut(first);
  const second = lab.settledLeader();
  lab.connect(first);
  lab.settledLeader();
  lab.expect(!lab.leads(first), 'the old leader follows');
  lab.expect(lab.leads(second), 'the new leader still leads');
  const other = lab.members.find((member) => member !== second && member !== first) as LabMember;
  lab.cut(second);
  lab.cut(other);
  lab.sleep(labLimits.nothingMs);
  lab.noLeader();
  lab.connect(other);
  lab.settledLeader();
  lab.connect(second);
  lab.settledLeader();
}

function manyElections(lab: Lab): void {
  lab.boot();
  for (let round = 0; round < 9; round += 1) {
    const cut = drawMembers(lab, 3);
    for (const member of cut) lab.cut(member);
    lab.leader();
    for (const member of cut) lab.connect(member);
    // At times the next round comes before this one has settled.
    lab.sleep(lab.draw(3, 'pause between rounds') * 600);
  }
  lab.settledLeader();
}

/** So many different ones, by chance. */
export function drawMembers(lab: Lab, count: number, from: readonly LabMember[] = lab.members): LabMember[] {
  const rest = [...from];
  return Array.from(
    { length: Math.min(count, rest.length) },
    () => rest.splice(lab.draw(rest.length, 'member'), 1)[0] as LabMember,
  );
}

function messageBudget(lab: Lab): void {
  const { counts, listeners } = lab.wire;
  lab.boot();
  lab.settledLeader();
  lab.measure('requests of the first election', counts.requests, 30, 'requests');
  lab.sleep(1_000);
  for (let second = 0; second < 5; second += 1) {
    const before = counts.requests + counts.answers;
    const heartbeats = new Map<string, number>();
    const listener: (typeof listeners)[number] = (from, to, message) => {
      if (message.type !== 'heartbeat') return;
      const pair = `${from} ${to}`;
      heartbeats.set(pair, (heartbeats.get(pair) ?? 0) + 1);
    };
    listeners.push(listener);
    lab.sleep(1_000);
    listeners.splice(listeners.indexOf(listener), 1);
    lab.measure('messages of an idle second', counts.requests + counts.answers - before, 60, 'messages');
    lab.measure('signs of life to a peer in a second', Math.max(...heartbeats.values()), 10, 'heartbeats');
    lab.expect(heartbeats.size === 6, 'each tells each other that it lives');
  }
}

function restartedVoters(lab: Lab): void {
  lab.boot();
  let hunting = true;
  lab.rules.onVote = (voter) => {
    if (!hunting || !lab.tape.chance(1, 2, 'restart the voter')) return;
    const member = lab.members[voter - 1] as LabMember;
    lab.world.after(lab.draw(20, 'life after the vote') / 10, () => lab.crash(member));
    lab.world.after(5 + lab.draw(60, 'time down'), () => lab.restart(member));
  };
  for (let round = 0; round < 10; round += 1) {
    lab.until(2_000, () => lab.findLeader() !== null);
    const leader = lab.findLeader();
    if (leader !== null) {
      lab.crash(leader);
      lab.world.after(lab.draw(400, 'time down'), () => lab.restart(leader));
    }
    lab.sleep(lab.draw(300, 'pause between rounds'));
  }
  hunting = false;
  lab.world.coverage.count('contested terms', lab.rules.contestedTerms);
  lab.sleep(500);
  lab.heal();
  lab.settledLeader();
  lab.finish();
}

function loneCandidate(lab: Lab, preVote: boolean): void {
  const leader = lab.boot();
  lab.agree(3);
  const term = lab.termOf(leader);
  const lone = lab.pick(
    lab.members.filter((member) => member !== leader),
    'lone member',
  );
  lab.cut(lone);
  lab.sleep(6_000 + lab.draw(6_000, 'time alone'));
  lab.agree(2);
  if (preVote) lab.expect(lab.termOf(lone) === term, 'a member alone does not raise its term');
  else lab.expect(lab.termOf(lone) >= term + 2, 'a member alone raises its term');
  lab.connect(lone);
  lab.settledLeader();
  if (preVote) lab.expect(lab.leads(leader) && lab.termOf(leader) === term, 'the leader is not disturbed');
  lab.agree(3);
}
