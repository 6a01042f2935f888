import { put } from '@flotilla/check';
import { HashKVRequest, type HashKVResponse, Maintenance } from '@flotilla/wire';
import { BugLab, isOver, type Pending } from './bug-lab.ts';
import type { EtcdBug } from './etcd-bugs.ts';

/** Bugs of members that are given a whole state. */
export const snapshots: readonly EtcdBug[] = [
  {
    issue: 18_055,
    name: 'Panic when two snapshots are received in a short period',
    claim: 'a member that is sent one snapshot after the other, and cut off in between, ends with the last',
    scenario: oneSnapshotAfterTheOther,
  },
  {
    issue: 20_271,
    name: 'Panic from db page expected to be 5',
    claim:
      'Defragment, hashes and snapshots that are asked of a member while it is given a state do it no harm',
    scenario: askedWhileInstalling,
  },
];

/** A state that takes a while on a slow wire, in many chunks. */
const slow = {
  host: { limits: { snapshotWindowChunks: 1 } },
  world: { delayMinMs: 1, delayMaxMs: 3, bytesPerMs: 2_000 },
} as const;

function fill(lab: BugLab, round: number): void {
  for (let i = 0; i < 24; i += 1) lab.put(`k/${i}`, `${round}.${i}.`.padEnd(8 * 1024, 'x'));
}

function oneSnapshotAfterTheOther(seed: number): Promise<void> {
  return BugLab.run({ seed, snapshotCount: 5, commitDelayMs: 5, flushDelayMs: 20, ...slow }, (lab) => {
    const late = lab.follower;
    const installs = new Set<number>();
    let begun = 0;
    let was = '';
    lab.world.monitor(() => {
      const member = lab.nodes[late]?.running === true ? lab.running(late) : null;
      const index = member?.database.installed?.index;
      if (index !== undefined) installs.add(index);
      const life = member?.group.status().life ?? '';
      if (life !== was && life === 'installing') begun += 1;
      was = life;
    });
    lab.isolate(late);
    fill(lab, 0);
    lab.leaveBehind(late);
    for (let round = 1; round <= 4; round += 1) {
      lab.heal();
      // It is cut off somewhere in the middle, and the leader's log goes on: the next snapshot is another one.
      lab.pass(40 * round + lab.draw(200, 'into the snapshot'));
      lab.isolate(late);
      lab.leaveBehind(late, (i) => lab.put(`k/${i % 24}`, `later ${round}.${i}`.padEnd(8 * 1024, 'y')));
    }
    lab.heal();
    lab.load(2, 20, (client, count) => put(`k/${count % 3}`, `${client}.${count}`));
    lab.awaitSnapshot(late);
    lab.isolate(late);
    lab.pass(400);
    lab.heal();
    lab.awaitSnapshot(late);
    lab.stopLoad();
    lab.awaitCaughtUp(late);
    lab.expect(
      installs.size >= 2 || begun >= 2,
      `only ${installs.size} snapshots were installed, ${begun} begun`,
    );
  });
}

function askedWhileInstalling(seed: number): Promise<void> {
  return BugLab.run({ seed, snapshotCount: 5, commitDelayMs: 5, flushDelayMs: 20, ...slow }, (lab) => {
    const late = lab.follower;
    lab.isolate(late);
    fill(lab, 0);
    lab.leaveBehind(late);
    lab.heal();
    const asked: Pending<unknown>[] = [];
    const hashes: Pending<HashKVResponse>[] = [];
    let during = 0;
    for (let i = 0; i < 60; i += 1) {
      if (!lab.member(late).group.status().stateReady) during += 1;
      hashes.push(lab.beginCall(Maintenance.methods.HashKV, HashKVRequest.create({}), { member: late }));
      asked.push(lab.beginCall(Maintenance.methods.Defragment, {}, { member: late }));
      asked.push(lab.beginCall(Maintenance.methods.Hash, {}, { member: late }));
      lab.pass(5);
    }
    lab.expect(during > 3, 'nothing was asked while the snapshot was installed');
    lab.awaitCaughtUp(late);
    lab.until('all is answered', 15_000, () => [...asked, ...hashes].every((pending) => isOver(pending)));
    // Whatever it has answered meanwhile is the hash of a state that there was.
    for (const { answer } of hashes) {
      if (answer === null) continue;
      const request = HashKVRequest.create({ revision: answer.hashRevision });
      const real = lab.call(Maintenance.methods.HashKV, request).hash;
      lab.expect(answer.hash === real, `the hash at revision ${answer.hashRevision} is none of a state`);
    }
    const hash = (member: number): number =>
      lab.call(Maintenance.methods.HashKV, HashKVRequest.create({}), { member }).hash;
    lab.expect(hash(late) === hash(lab.leader), 'the hashes differ');
  });
}
