import { drawMembers } from './election.ts';
import { Clients } from './clients.ts';
import type { Lab, LabMember } from './lab.ts';
import { labLimits } from './lab.ts';
import type { HostsScenario } from './lab-result.ts';
import { reliableWire, reorderingWire, unreliableWire } from './lab-wire.ts';

/** Scenarios 17 to 25 of the catalogue: what survives crashes, and a network that loses and overtakes. */
export const persistences: readonly HostsScenario[] = [
  {
    number: '17',
    title: '6 commands survive restarts of all, of the leader and of a follower, each agreed within 10 s',
    options: { members: 3 },
    play: restarts,
  },
  {
    number: '18',
    title: '5 members agree within 10 s through five rounds in which majorities crash',
    options: { members: 5 },
    play: rollingMajorities,
  },
  {
    number: '19',
    title: 'a leader and a stale follower are the majority after a double crash, and agree within 10 s',
    options: { members: 3 },
    play: staleMajority,
  },
  {
    number: '20',
    title: 'figure 8: after 1,000 rounds of submits and leader crashes a command commits on 5 within 10 s',
    options: { members: 5, flushEvery: 10 },
    play: (lab) => figure8(lab, false),
  },
  {
    number: '20 (short time-outs)',
    title: 'figure 8 where elections take 100 ms, and so many more leaders crash: commit on 5 within 10 s',
    options: { members: 5, flushEvery: 10, config: { heartbeatMs: 20, electionMs: 100 } },
    play: (lab) => figure8(lab, false),
  },
  {
    number: '22',
    title:
      '49 × 5 agreements while 10 % of requests and of answers are lost, each within 10 s; then one on 5',
    options: { members: 5, wire: unreliableWire },
    play: unreliableAgreements,
  },
  {
    number: '23',
    title:
      'figure 8, lossy, 2/3 of answers 200 to 2,200 ms late: 1,000 rounds, then commit on 5 within 10 s while still so',
    options: { members: 5, wire: unreliableWire },
    play: (lab) => figure8(lab, true),
  },
  {
    number: '24',
    title:
      'churn, 20 rounds of 700 ms: every acknowledged value is in the final log, one more on 5 within 10 s',
    options: { members: 5 },
    play: churn,
  },
  {
    number: '25',
    title:
      'churn on a lossy network: every acknowledged value is in the final log, one more on 5 within 10 s',
    options: { members: 5, wire: unreliableWire },
    play: churn,
  },
];

function restarts(lab: Lab): void {
  lab.boot();
  const n = lab.members.length;
  lab.agree(n);
  for (const member of lab.members) lab.crash(member);
  for (const member of lab.members) lab.restart(member);
  lab.agree(n);
  const leader = lab.leader();
  lab.crash(leader);
  lab.restart(leader);
  lab.agree(n);
  const second = lab.leader();
  lab.crash(second);
  lab.agree(n - 1);
  lab.restart(second);
  lab.agree(n);
  const follower = lab.pick(
    lab.members.filter((member) => member !== lab.leader()),
    'follower',
  );
  lab.crash(follower);
  lab.agree(n - 1);
  lab.restart(follower);
  lab.finish();
  for (const { machine } of lab.members)
    lab.expect((machine?.values.length ?? 0) >= 7, 'every command is there');
}

function rollingMajorities(lab: Lab): void {
  lab.boot();
  const at = (leader: LabMember, offset: number): LabMember =>
    lab.members[(leader.id - 1 + offset) % 5] as LabMember;
  for (let round = 0; round < 5; round += 1) {
    lab.agree(5);
    const leader = lab.leader();
    lab.crash(at(leader, 1));
    lab.crash(at(leader, 2));
    lab.agree(3);
    lab.crash(leader);
    lab.crash(at(leader, 3));
    lab.crash(at(leader, 4));
    lab.restart(at(leader, 1));
    lab.restart(at(leader, 2));
    lab.sleep(1_000);
    lab.restart(at(leader, 3));
    lab.agree(3);
    lab.restart(at(leader, 4));
    lab.restart(leader);
  }
  lab.finish();
}

function staleMajority(lab: Lab): void {
  lab.boot();
  lab.agree(3);
  const leader = lab.leader();
  const [fresh, stale] = drawMembers(
    lab,
    2,
    lab.members.filter((member) => member !== leader),
  ) as [LabMember, LabMember];
  lab.cut(stale);
  lab.agree(2);
  lab.crash(leader);
  lab.crash(fresh);
  lab.connect(stale);
  lab.restart(leader);
  lab.agree(2);
  lab.restart(fresh);
  lab.agree(3);
  lab.finish();
}

const rounds = 1_000;

/** Lossy: leaders are cut instead of crashed, and from round 200 on most answers are late. */
function figure8(lab: Lab, lossy: boolean): void {
  lab.boot();
  lab.agree(1);
  for (let round = 0; round < rounds; round += 1) {
    if (lossy && round === 200) lab.wire.faults = reorderingWire;
    let leader: LabMember | null = null;
    for (const member of lab.members) if (lab.start(member) !== null) leader = member;
    lab.sleep(lab.draw(10, 'long pause') === 9 ? lab.draw(500, 'pause') : lab.draw(13, 'pause'));
    if (leader !== null && lossy && lab.draw(2, 'cut the leader') === 1) lab.cut(leader);
    else if (leader !== null && !lossy) lab.crash(leader);
    const up = lab.members.filter((member) => (lossy ? member.connected : member.node.running));
    if (up.length >= 3) continue;
    const back = lab.pick(lab.members, 'who comes back');
    if (lossy) lab.connect(back);
    else lab.restart(back);
  }
  lab.heal();
  lab.agree(5);
  lab.finish();
}

function unreliableAgreements(lab: Lab): void {
  lab.boot();
  for (let round = 0; round < 49; round += 1) agreeOnMany(lab, 5);
  lab.wire.faults = reliableWire;
  lab.agree(5);
  lab.finish();
}

/** So many commands at once, each submitted anew after two seconds, each on one member at least. */
function agreeOnMany(lab: Lab, count: number): void {
  const begin = lab.now;
  let missing = count;
  while (missing > 0) {
    const left = begin + labLimits.agreeMs - lab.now;
    lab.expect(left > 0, `${count} commands are agreed on within ${labLimits.agreeMs} ms`);
    lab.until(left, () => lab.findLeader() !== null);
    const leader = lab.findLeader();
    if (leader === null) continue;
    const values = Array.from({ length: missing }, () => lab.start(leader)).filter((value) => value !== null);
    const open = (): number => values.filter((value) => lab.holders(value) === 0).length;
    lab.until(Math.min(labLimits.submitMs, left), () => open() === 0);
    missing = open() + missing - values.length;
  }
  lab.measure(`agreement on ${count} commands`, lab.now - begin, labLimits.agreeMs, 'ms');
}

function churn(lab: Lab): void {
  lab.boot();
  const clients = new Clients(lab, { count: 3, timeoutMs: 1_000, thinkMaxMs: 120 });
  clients.start();
  for (let round = 0; round < 20; round += 1) {
    const member = (): LabMember => lab.pick(lab.members, 'member of a round');
    if (lab.draw(5, 'cut') === 4) lab.cut(member());
    if (lab.draw(2, 'bring back') === 1) {
      const back = member();
      lab.restart(back);
      lab.connect(back);
    }
    if (lab.draw(5, 'crash') === 4) lab.crash(member());
    lab.sleep(700);
  }
  lab.wire.faults = reliableWire;
  lab.heal();
  lab.sleep(1_000);
  clients.stop();
  lab.settledLeader();
  lab.finish();
  lab.expect(clients.acknowledged > 0, 'clients were served');
}
