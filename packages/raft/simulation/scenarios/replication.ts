import { drawMembers } from './election.ts';
import type { Lab, LabMember } from './lab.ts';
import { labLimits } from './lab.ts';
import type { HostsScenario } from './lab-result.ts';

/** Scenarios 7 to 16 of the catalogue: what is replicated, and at which price. */
export const replications: readonly HostsScenario[] = [
  {
    number: '7',
    title: '3 commands take consecutive places and indexes, and none is committed before it is submitted',
    options: { members: 3 },
    play: basicAgreement,
  },
  {
    number: '8',
    title: '10 commands of 5,000 bytes cost 3 members at most 200,000 bytes on the wire',
    options: { members: 3 },
    play: byteBudget,
  },
  {
    number: '9',
    title:
      'when the followers are lost one by one, the last command takes one index and is uncommitted after 2 s',
    options: { members: 3 },
    play: followersLost,
  },
  {
    number: '10',
    title: 'when two leaders are lost in turn, a command given to all three is uncommitted after 2 s',
    options: { members: 3 },
    play: leadersLost,
  },
  {
    number: '11',
    title: 'a follower that missed 4 commands agrees with the others within 10 s, twice',
    options: { members: 3 },
    play: followerAway,
  },
  {
    number: '12',
    title:
      'with 3 of 5 cut nothing commits in 2 s; mended, the next command takes place 2 or 3, within 10 s on all 5',
    options: { members: 5 },
    play: majorityCut,
  },
  {
    number: '13',
    title: '5 commands submitted at once in one term are committed once each, in that term, within 2 s',
    options: { members: 3 },
    play: concurrentStarts,
  },
  {
    number: '14',
    title:
      'a leader that comes back with 3 dead entries agrees with what was committed meanwhile, within 10 s',
    options: { members: 3 },
    play: deadEntries,
  },
  {
    number: '15',
    title:
      'logs of 50 dead entries, twice, back up over 50 live ones, each within 10 s, with at most 2 refusals a term and member',
    options: { members: 5 },
    play: backup,
  },
  {
    number: '16',
    title:
      '12 commands submitted at once, 10 of them waited for, cost at most 42 requests; then 1 s idle at most 60 messages',
    options: { members: 3 },
    play: batching,
  },
];

function others(lab: Lab, ...than: readonly LabMember[]): LabMember[] {
  return lab.members.filter((member) => !than.includes(member));
}

function basicAgreement(lab: Lab): void {
  lab.boot();
  lab.settledLeader();
  lab.sleep(500);
  let before: number | null = null;
  for (let command = 1; command <= 3; command += 1) {
    for (const { machine } of lab.members) {
      lab.expect(
        machine?.values.length === command - 1,
        `nothing is committed before command ${command} is submitted`,
      );
    }
    const value = lab.nextValue();
    const leader = lab.leader();
    lab.propose(leader, value, 5_000).catch(() => undefined);
    lab.within('commit on 3', labLimits.submitMs, () => lab.holders(value) === 3);
    lab.expect(lab.placeOf(value) === command, `command ${command} takes place ${command}`);
    const index = lab.indexOf(value) as number;
    lab.expect(before === null || index === before + 1, 'the indexes of the log are consecutive');
    before = index;
  }
}

function byteBudget(lab: Lab): void {
  lab.boot();
  lab.settledLeader();
  lab.agree(3);
  const before = lab.wire.counts.bytes;
  for (let command = 0; command < 10; command += 1) lab.agree(3, { retry: false, sizeBytes: 5_000 });
  lab.sleep(200);
  lab.measure('bytes of 10 commands of 5,000', lab.wire.counts.bytes - before, 200_000, 'bytes');
}

function followersLost(lab: Lab): void {
  lab.boot();
  const leader = lab.settledLeader();
  lab.agree(3, { retry: false });
  const [first, second] = drawMembers(lab, 2, others(lab, leader)) as [LabMember, LabMember];
  lab.cut(first);
  lab.agree(2, { retry: false });
  lab.sleep(1_000);
  lab.agree(2, { retry: false });
  lab.cut(second);
  const last = lab.status(leader)?.lastIndex ?? 0;
  const value = lab.start(leader);
  lab.expect(value !== null, 'the leader does not know yet');
  lab.sleep(5);
  lab.expect(lab.status(leader)?.lastIndex === last + 1, 'the command takes the next index');
  lab.staysUncommitted([value]);
  lab.heal();
  lab.settledLeader();
  lab.finish();
}

function leadersLost(lab: Lab): void {
  lab.boot();
  const first = lab.settledLeader();
  lab.agree(3, { retry: false });
  lab.cut(first);
  lab.leader();
  lab.agree(2);
  lab.agree(2);
  lab.cut(lab.leader());
  lab.staysUncommitted(lab.members.map((member) => lab.start(member)));
  lab.heal();
  lab.settledLeader();
  lab.finish();
}

function followerAway(lab: Lab): void {
  lab.boot();
  const leader = lab.settledLeader();
  lab.agree(3, { retry: false });
  const away = lab.pick(others(lab, leader), 'follower away');
  lab.cut(away);
  lab.agree(2, { retry: false });
  lab.agree(2, { retry: false });
  lab.sleep(1_000);
  lab.agree(2, { retry: false });
  lab.agree(2, { retry: false });
  lab.connect(away);
  lab.agree(3);
  lab.sleep(1_000);
  lab.agree(3);
}

function majorityCut(lab: Lab): void {
  lab.boot();
  const leader = lab.settledLeader();
  lab.agree(5, { retry: false });
  for (const member of drawMembers(lab, 3, others(lab, leader))) lab.cut(member);
  const value = lab.start(leader);
  lab.expect(value !== null, 'the leader does not know yet');
  lab.staysUncommitted([value]);
  lab.heal();
  lab.leader();
  const place = lab.agree(5);
  lab.expect(place === 2 || place === 3, `the next command takes place 2 or 3, not ${place}`);
  lab.finish();
}

function concurrentStarts(lab: Lab): void {
  lab.boot();
  const leader = lab.settledLeader();
  const term = lab.termOf(leader);
  const values = Array.from({ length: 5 }, () => lab.start(leader));
  lab.within('5 commands on 3', labLimits.submitMs, () =>
    values.every((value) => value !== null && lab.holders(value) === 3),
  );
  lab.expect(lab.leads(leader) && lab.termOf(leader) === term, 'it is the same term');
  const places = values.map((value) => lab.placeOf(value as number));
  lab.expect(new Set(places).size === 5, 'each command has a place of its own');
  lab.expect(
    places.every((place) => place !== null && place <= 5),
    'they are the only commands',
  );
}

function deadEntries(lab: Lab): void {
  lab.boot();
  const first = lab.settledLeader();
  lab.agree(3);
  lab.cut(first);
  const dead = [lab.start(first), lab.start(first), lab.start(first)];
  lab.expect(!dead.includes(null), 'the leader does not know yet');
  lab.agree(2);
  const second = lab.leader();
  lab.cut(second);
  lab.connect(first);
  lab.agree(2);
  lab.connect(second);
  lab.agree(3);
  lab.expect(
    dead.every((value) => lab.placeOf(value as number) === null),
    'dead entries stay dead',
  );
  lab.finish();
}

function backup(lab: Lab): void {
  lab.boot();
  const first = lab.settledLeader();
  lab.agree(5);
  const refusals = countRefusals(lab);
  // A leader and one follower write 50 entries that die.
  const partner = lab.pick(others(lab, first), 'partner');
  const rest = others(lab, first, partner);
  for (const member of rest) lab.cut(member);
  const dead = startMany(lab, first, 50);
  lab.sleep(500);
  // The three others commit 50; then two of them are left alone, and write 50 more that die.
  lab.cut(first);
  lab.cut(partner);
  for (const member of rest) lab.connect(member);
  for (let command = 0; command < 50; command += 1) lab.agree(3);
  const second = lab.leader();
  const other = lab.pick(
    rest.filter((member) => member !== second),
    'the third',
  );
  lab.cut(other);
  dead.push(...startMany(lab, second, 50));
  lab.sleep(500);
  // The first two, and the one who has the live entries, commit 50 more.
  for (const member of rest) lab.cut(member);
  for (const member of [first, partner, other]) lab.connect(member);
  for (let command = 0; command < 50; command += 1) lab.agree(3);
  lab.heal();
  lab.agree(5);
  const terms = lab.termOf(lab.leader());
  lab.measure(
    'refusals of one member while logs back up',
    Math.max(0, ...refusals.values()),
    2 * terms,
    'refusals',
  );
  lab.expect(
    dead.every((value) => value === null || lab.placeOf(value) === null),
    'dead entries stay dead',
  );
  lab.finish();
}

function startMany(lab: Lab, member: LabMember, count: number): (number | null)[] {
  return Array.from({ length: count }, () => lab.start(member));
}

/** By member: how often it has refused an append from now on. */
function countRefusals(lab: Lab): ReadonlyMap<number, number> {
  const refusals = new Map<number, number>();
  lab.wire.listeners.push((from, _to, message) => {
    if (message.type !== 'raft' || message.message.type !== 'append-response') return;
    if (message.message.rejected) refusals.set(from, (refusals.get(from) ?? 0) + 1);
  });
  return refusals;
}

function batching(lab: Lab): void {
  const { counts } = lab.wire;
  lab.boot();
  const leader = lab.settledLeader();
  lab.agree(3);
  const total = (): number => counts.requests + counts.answers;
  const before = counts.requests;
  const values: (number | null)[] = [];
  for (let command = 0; command < 12; command += 1) {
    values.push(lab.start(leader));
    // Within a turn or spread over some: a client does not know.
    if (lab.draw(4, 'gap between commands') === 3) lab.sleep(0.2);
  }
  const waited = values.slice(0, 10);
  lab.within('10 of 12 commands on 3', labLimits.submitMs, () =>
    waited.every((value) => value !== null && lab.holders(value) === 3),
  );
  // As in the courses, an answer is part of its request.
  lab.measure('requests of 12 commands', counts.requests - before, 42, 'requests');
  lab.sleep(200);
  const idle = total();
  lab.sleep(1_000);
  lab.measure('messages of an idle second', total() - idle, 60, 'messages');
}
