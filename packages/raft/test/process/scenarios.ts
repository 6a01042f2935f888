import { deepEqual, equal, ok } from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readdirSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { firstRecordPosition } from '../../src/log/format.ts';
import { fair, type Weather } from './member-proxy.ts';
import { labMs, pause, type LabMember, type ProcessLab } from './process-lab.ts';

/** One of the labs' portable scenarios that are also run over real processes. */
export interface ProcessScenario {
  /** Its number in the catalogue of scenarios. */
  readonly number: number;
  /** With its threshold. */
  readonly name: string;
  readonly members: number;
  /** Commands between two snapshots. */
  readonly snapshotEvery?: number;
  /** `share` is 1 for the whole scenario, less for a short one. */
  readonly run: (lab: ProcessLab, share: number) => Promise<void>;
}

/** The labs' «unreliable»: 10 % of the messages of each direction lost, and up to 26 ms late. */
const unreliable: Weather = { ...fair, lossPerMille: 100, delayMs: 26 };
/** «Long reordering»: two answers of three come 200 to 2,200 ms late. */
const reordering: Weather = { ...unreliable, longDelayPerMille: 667, longDelayMs: [200, 2_200] };

function times(count: number, share: number): number {
  return Math.max(1, Math.round(count * share));
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T;
}

async function cutThree(lab: ProcessLab): Promise<void> {
  const gone = [...lab.members].sort(() => Math.random() - 0.5).slice(0, 3);
  for (const member of gone) lab.cut(member);
  await lab.leader();
  for (const member of gone) lab.connect(member);
}

/** Kills everybody at once, and starts everybody again. */
async function restartAll(lab: ProcessLab): Promise<void> {
  await Promise.all(lab.members.map((member) => member.kill()));
  await Promise.all(lab.members.map((member) => member.start()));
}

/** Rounds in which one member is away while the others write past a snapshot, and comes back. */
async function snapshotRounds(
  lab: ProcessLab,
  rounds: number,
  away: (member: LabMember) => Promise<void>,
  back: (member: LabMember) => Promise<void>,
): Promise<void> {
  await lab.agree(3);
  for (let round = 0; round < rounds; round += 1) {
    const leader = await lab.leader();
    const [other] = lab.others(leader);
    const victim = round % 3 === 1 ? leader : (other as LabMember);
    await away(victim);
    const commands = 11 + Math.floor(Math.random() * 10);
    for (let count = 0; count < commands; count += 1) await lab.agree(2);
    await back(victim);
    await lab.agree(3);
  }
}

/** Crashes and reconnections at random while three clients write; then all of it must be there. */
async function churn(lab: ProcessLab, rounds: number): Promise<void> {
  let stop = false;
  const client = async (): Promise<void> => {
    while (!stop) {
      const member = pick(lab.connected.length > 0 ? lab.connected : lab.members);
      await lab.propose(member, lab.newValue(), 500).catch(() => pause(20));
    }
  };
  const clients = [client(), client(), client()];
  for (let round = 0; round < rounds; round += 1) {
    const member = pick(lab.members);
    const dice = Math.random();
    if (dice < 0.2) lab.cut(member);
    else if (dice < 0.7) {
      await member.start();
      lab.connect(member);
    } else if (dice < 0.9) await member.kill();
    await pause(700);
  }
  lab.weather = fair;
  for (const member of lab.members) {
    await member.start();
    lab.connect(member);
  }
  stop = true;
  await Promise.all(clients);
  await pause(1_000);
  ok(lab.acknowledged > rounds, `only ${lab.acknowledged} commands were acknowledged`);
}

export const processScenarios: readonly ProcessScenario[] = [
  {
    number: 1,
    name: 'three members elect one leader within 5 s, and keep leader and term for 2 s',
    members: 3,
    async run(lab) {
      const leader = await lab.leader();
      const { term } = await leader.status();
      ok(term >= 1);
      await pause(labMs.nothing);
      equal((await lab.leader(500)).id, leader.id);
      const terms = await Promise.all(lab.members.map(async (member) => (await member.status()).term));
      deepEqual(terms, [term, term, term]);
    },
  },
  {
    number: 2,
    name: 'a cut leader is replaced within 5 s, rejoins as a follower; nobody leads without a quorum',
    members: 3,
    async run(lab) {
      const first = await lab.leader();
      lab.cut(first);
      const second = await lab.leader();
      lab.connect(first);
      equal((await lab.leader()).id, second.id, 'an old leader that comes back disturbs nobody');
      const [other] = lab.others(first, second);
      lab.cut(second);
      lab.cut(other as LabMember);
      await lab.noLeader();
      lab.connect(other as LabMember);
      await lab.leader();
      lab.connect(second);
      await lab.leader();
    },
  },
  {
    number: 3,
    name: 'seven members, three of them cut at random nine times: a leader within 5 s each time',
    members: 7,
    async run(lab, share) {
      await lab.leader();
      for (let round = 0; round < times(9, share); round += 1) await cutThree(lab);
      await lab.leader();
    },
  },
  {
    number: 7,
    name: 'three commands take the places 1, 2 and 3, and none is there before it is proposed',
    members: 3,
    async run(lab) {
      await lab.leader();
      for (let place = 1; place <= 3; place += 1) {
        const before = await lab.states();
        ok(before.every(({ values }) => values.length < place));
        equal(await lab.agree(3, { once: true }), place);
      }
    },
  },
  {
    number: 9,
    name: 'followers are lost one by one: without a quorum a command stays uncommitted for 2 s',
    members: 3,
    async run(lab) {
      await lab.agree(3);
      const leader = await lab.leader();
      const [one, two] = lab.others(leader) as [LabMember, LabMember];
      lab.cut(one);
      await lab.agree(2);
      await lab.agree(2);
      lab.cut(two);
      const [value] = lab.proposeInVain(leader, 1) as [number];
      await pause(labMs.nothing);
      equal(await lab.holders(value), 0);
    },
  },
  {
    number: 10,
    name: 'two leaders are lost in turn: what the third takes stays uncommitted for 2 s',
    members: 3,
    async run(lab) {
      await lab.agree(3);
      const first = await lab.leader();
      lab.cut(first);
      await lab.agree(2);
      const second = await lab.leader();
      lab.cut(second);
      const values = lab.members.flatMap((member) => lab.proposeInVain(member, 1));
      await pause(labMs.nothing);
      for (const value of values) equal(await lab.holders(value), 0);
    },
  },
  {
    number: 11,
    name: 'a follower that missed four commands rejoins, and all agree within 10 s',
    members: 3,
    async run(lab) {
      await lab.agree(3);
      const [follower] = lab.others(await lab.leader()) as [LabMember];
      lab.cut(follower);
      for (let count = 0; count < 4; count += 1) await lab.agree(2);
      lab.connect(follower);
      await lab.agree(3);
      await lab.agree(3);
    },
  },
  {
    number: 12,
    name: 'three of five are cut: nothing commits in 2 s; healed, all five agree within 10 s',
    members: 5,
    async run(lab) {
      await lab.agree(5);
      const leader = await lab.leader();
      const gone = lab.others(leader).slice(0, 3);
      for (const member of gone) lab.cut(member);
      const [value] = lab.proposeInVain(leader, 1) as [number];
      await pause(labMs.nothing);
      equal(await lab.holders(value), 0);
      for (const member of gone) lab.connect(member);
      await lab.leader();
      await lab.agree(5);
    },
  },
  {
    number: 14,
    name: 'a cut leader with three dead commands rejoins after another leader has committed',
    members: 3,
    async run(lab) {
      await lab.agree(3);
      const first = await lab.leader();
      lab.cut(first);
      lab.proposeInVain(first, 3);
      await lab.agree(2);
      const second = await lab.leader();
      lab.cut(second);
      lab.connect(first);
      await lab.agree(2);
      lab.connect(second);
      await lab.agree(3);
    },
  },
  {
    number: 17,
    name: 'all, the leader, a follower are killed and started again: six commands survive',
    members: 3,
    async run(lab) {
      await lab.agree(3);
      await restartAll(lab);
      await lab.agree(3);
      const leader = await lab.leader();
      lab.cut(leader);
      await leader.kill();
      lab.connect(leader);
      await leader.start();
      await lab.agree(3);
      const second = await lab.leader();
      await second.kill();
      await lab.agree(2);
      await second.start();
      await lab.agree(3);
      const [follower] = lab.others(await lab.leader()) as [LabMember];
      await follower.kill();
      await lab.agree(2);
      await follower.start();
      await lab.agree(3);
      const [state] = await lab.states();
      ok((state?.values.length ?? 0) >= 6);
    },
  },
  {
    number: 18,
    name: 'five members, five rounds in which two, then three are killed: each round commits within 10 s',
    members: 5,
    async run(lab, share) {
      await lab.agree(5);
      for (let round = 0; round < times(5, share); round += 1) {
        const leader = await lab.leader();
        const [a, b, c, d] = lab.others(leader) as [LabMember, LabMember, LabMember, LabMember];
        await Promise.all([a.kill(), b.kill()]);
        await lab.agree(3);
        await Promise.all([leader.kill(), c.kill(), d.kill()]);
        await Promise.all([a.start(), b.start()]);
        await pause(1_000);
        await c.start();
        await lab.agree(3);
        await Promise.all([d.start(), leader.start()]);
      }
      await lab.agree(5);
    },
  },
  {
    number: 19,
    name: 'after a double crash the old leader and a stale follower are the quorum, and lose nothing',
    members: 3,
    async run(lab) {
      await lab.agree(3);
      const leader = await lab.leader();
      const [stale, fresh] = lab.others(leader) as [LabMember, LabMember];
      lab.cut(stale);
      await lab.agree(2);
      await Promise.all([leader.kill(), fresh.kill()]);
      lab.connect(stale);
      await leader.start();
      await lab.agree(2);
      await fresh.start();
      await lab.agree(3);
    },
  },
  {
    number: 20,
    name: 'Figure 8: leaders are killed over and over at any moment; then five agree within 10 s',
    members: 5,
    async run(lab, share) {
      await lab.agree(1);
      // (1,000 iterations in the simulator. A process needs a second to start again, so fewer here.)
      for (let iteration = 0; iteration < times(40, share); iteration += 1) {
        for (const member of lab.connected) lab.proposeInVain(member, 1);
        await pause(Math.random() < 0.1 ? Math.random() * 500 : Math.random() * 13);
        const leader = await lab.findLeader();
        await leader?.kill();
        const down = lab.members.filter((member) => !member.running);
        if (down.length > 2) await pick(down).start();
      }
      for (const member of lab.members) await member.start();
      await lab.agree(5);
    },
  },
  {
    number: 22,
    name: '49 times five commands at 10 % loss each way and up to 26 ms delay, then five agree within 10 s',
    members: 5,
    async run(lab, share) {
      await lab.leader();
      lab.weather = unreliable;
      for (let round = 0; round < times(49, share); round += 1) {
        await Promise.all(Array.from({ length: 5 }, () => lab.agree(1)));
      }
      lab.weather = fair;
      await lab.agree(5);
    },
  },
  {
    number: 24,
    name: 'churn on a reliable network, 20 rounds of 700 ms: no acknowledged command is missing',
    members: 5,
    async run(lab, share) {
      await lab.leader();
      await churn(lab, times(20, share));
      await lab.agree(5);
    },
  },
  {
    number: 25,
    name: 'churn on an unreliable network, 20 rounds of 700 ms: no acknowledged command is missing',
    members: 5,
    async run(lab, share) {
      await lab.leader();
      lab.weather = reordering;
      await churn(lab, times(20, share));
      await lab.agree(5);
    },
  },
  {
    number: 29,
    name: 'a snapshot each 10 commands with one member cut (each third time the leader), reliable, then unreliable',
    members: 3,
    snapshotEvery: 10,
    async run(lab, share) {
      const away = (member: LabMember): Promise<void> => Promise.resolve(lab.cut(member));
      const back = (member: LabMember): Promise<void> => Promise.resolve(lab.connect(member));
      await snapshotRounds(lab, times(15, share), away, back);
      lab.weather = unreliable;
      await snapshotRounds(lab, times(15, share), away, back);
    },
  },
  {
    number: 30,
    name: 'a snapshot each 10 commands with one member killed, reliable, then unreliable',
    members: 3,
    snapshotEvery: 10,
    async run(lab, share) {
      const away = (member: LabMember): Promise<void> => member.kill();
      const back = (member: LabMember): Promise<void> => member.start();
      await snapshotRounds(lab, times(15, share), away, back);
      lab.weather = unreliable;
      await snapshotRounds(lab, times(15, share), away, back);
    },
  },
  {
    number: 31,
    name: 'all members are killed five times: places only grow',
    members: 3,
    snapshotEvery: 10,
    async run(lab, share) {
      let last = await lab.agree(3);
      for (let round = 0; round < times(5, share); round += 1) {
        for (let count = 0; count < 11; count += 1) last = await lab.agree(3);
        await restartAll(lab);
        const next = await lab.agree(3);
        ok(next > last, `place ${next} after ${last}`);
        last = next;
      }
    },
  },
  {
    number: 32,
    name: 'a snapshot, all killed, one command, all killed, one command',
    members: 3,
    snapshotEvery: 10,
    async run(lab) {
      for (let count = 0; count < 25; count += 1) await lab.agree(3);
      await restartAll(lab);
      await lab.agree(3);
      await restartAll(lab);
      await lab.agree(3);
    },
  },
  {
    number: 68,
    name: 'kill −9 with real files: a torn tail is repaired, a damaged record in the middle is refused by name',
    members: 3,
    async run(lab) {
      for (let count = 0; count < 20; count += 1) await lab.agree(3);
      const [torn, damaged] = lab.others(await lab.leader()) as [LabMember, LabMember];
      await torn.kill();
      tearTail(torn);
      await torn.start();
      await lab.agree(3);
      await damaged.kill();
      const file = damageMiddle(damaged);
      await damaged.start().then(
        () => Promise.reject(new Error('a member with a damaged log has started')),
        () => undefined,
      );
      ok(damaged.stderr.includes('FLOTILLA_LOG_DAMAGED'), damaged.stderr);
      ok(damaged.stderr.includes(file), `the error names ${file}: ${damaged.stderr}`);
      await lab.agree(2);
    },
  },
  {
    number: 69,
    name: 'repeated messages, one-way cuts and SIGSTOP: the group goes on, and all agree within 10 s after',
    members: 3,
    async run(lab, share) {
      await lab.leader();
      lab.weather = { ...fair, repeatPerMille: 300, delayMs: 5 };
      for (let round = 0; round < times(6, share); round += 1) {
        const leader = await lab.leader();
        const [follower, other] = lab.others(leader) as [LabMember, LabMember];
        if (round % 3 === 0) {
          leader.pause();
          lab.cut(leader);
          await lab.agree(2);
          lab.connect(leader);
          leader.resume();
        } else if (round % 3 === 1) {
          lab.silence(leader, follower, true);
          await lab.agree(2);
          lab.silence(leader, follower, false);
        } else {
          lab.silence(follower, leader, true);
          lab.silence(follower, other, true);
          await lab.agree(2);
          lab.silence(follower, leader, false);
          lab.silence(follower, other, false);
        }
        await lab.agree(3);
      }
    },
  },
];

/** The newest segment of the member's log. */
function logFile(member: LabMember): string {
  const found = readdirSync(member.directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(member.directory, name))
    .filter(
      (path) => path.includes('log') && statSync(path).isFile() && usedBytes(path) > firstRecordPosition,
    );
  ok(found.length > 0, 'the member has a log on its disk');
  return found.sort().at(-1) as string;
}

/** Up to here the preallocated segment is written; records begin at multiples of 8. */
function usedBytes(path: string): number {
  const bytes = readFileSync(path);
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return Math.ceil(end / 8) * 8;
}

/** What a crash in the middle of a write leaves: garbage where the log goes on. */
function tearTail(member: LabMember): void {
  const path = logFile(member);
  const end = usedBytes(path);
  overwrite(path, end, new Uint8Array(100).fill(0xa5));
}

/** Turns a byte of a record that others follow. Answers the file's name. */
function damageMiddle(member: LabMember): string {
  const path = logFile(member);
  const middle = Math.floor(usedBytes(path) / 2);
  overwrite(path, middle, new Uint8Array([0xff, 0x00, 0xff, 0x00]));
  return path.slice(path.lastIndexOf('/') + 1);
}

function overwrite(path: string, position: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, position);
  closeSync(file);
}
