import { deleteRange, prefixEnd, put, range, type EtcdRequest } from '@flotilla/check';
import { BugLab } from './bug-lab.ts';
import type { EtcdBug } from './etcd-bugs.ts';

/** Bugs of compaction, and of watches that begin where it ended. */
export const compaction: readonly EtcdBug[] = [
  {
    issue: 17_780,
    name: 'Revision decreasing caused by crash during compaction',
    claim:
      'a member that crashes anywhere in the compaction of its last revision comes back at that revision',
    scenario: crashesInCompaction,
  },
  {
    issue: 18_089,
    name: 'Watch dropping an event when compacting on delete',
    claim: 'a watch from the compaction revision begins with the deletion that was made there',
    scenario: compactedAtDeletion,
  },
  {
    issue: 19_179,
    name: 'Missing delete event on watch opened on same revision as compaction',
    claim:
      'the deletion at the compaction revision is there for watches that are opened while compaction runs',
    scenario: watchedWhileCompacting,
  },
];

/** Several keys in one revision. */
function putAll(prefix: string, count: number, value: string): EtcdRequest {
  const success = Array.from({ length: count }, (_, i) => put(`${prefix}${i}`, value));
  return { type: 'txn', compare: [], success, failure: [] };
}

const afterMs = [0, 1, 2, 5, 30, 55, 60, 80, 120];

function crashesInCompaction(seed: number): Promise<void> {
  return BugLab.run({ seed, members: 1, commitDelayMs: 10, flushDelayMs: 20 }, (lab) => {
    for (const [round, waitMs] of afterMs.entries()) {
      lab.request(putAll(`k/${round}/`, 20, 'v'));
      lab.put('k/kept', String(round));
      // The newest revision is a deletion, of which compaction leaves nothing.
      lab.request(deleteRange('k/', { rangeEnd: prefixEnd('k/') }));
      const { revision } = lab.member(0).database;
      const pending = lab.begin({ type: 'compact', revision });
      lab.pass(waitMs + lab.draw(3, 'into the compaction'));
      lab.crash(0);
      lab.start(0);
      lab.until('it leads', 10_000, () => lab.leader === 0);
      lab.until(
        'compaction is answered',
        12_000,
        () => pending.error === null || pending.error instanceof Error,
      );
      const read = lab.request(range('k/', { rangeEnd: prefixEnd('k/') }));
      lab.expect(
        read?.type === 'range' && read.revision === revision,
        `after ${revision} comes ${JSON.stringify(read)}`,
      );
      const next = lab.put('k/next', String(round));
      lab.expect(next === revision + 1, `after ${revision} comes ${next}`);
      lab.request({ type: 'compact', revision: next });
      lab.pass(200);
      const { compactRevision } = lab.member(0).database;
      lab.expect(compactRevision === next, `compacted at ${compactRevision}`);
    }
  });
}

function compactedAtDeletion(seed: number): Promise<void> {
  return BugLab.run({ seed, snapshotCount: 5, commitDelayMs: 10, flushDelayMs: 10 }, (lab) => {
    const late = lab.follower;
    lab.isolate(late);
    lab.put('k', '1');
    lab.put('k', '2');
    lab.put('k', '3');
    lab.request(deleteRange('k'));
    const deletion = lab.member(lab.leader).database.revision;
    // What is stored together ends with the deletion, and could go as a whole.
    lab.pass(200);
    lab.put('k', '5');
    const watch = (member: number): void => {
      const stream = lab.watch(member, { key: 'k', startRevision: deletion, prevKv: true });
      lab.pass(300);
      const keys = stream.watches[0]?.keys.slice(0, 2).join();
      lab.expect(keys === '-k,k=5', `a watch from the deletion on n${member + 1} begins with ${keys}`);
    };
    const open = lab.watch(
      lab.leader,
      { key: 'k', startRevision: deletion - 2 },
      { key: 'k', startRevision: deletion },
    );
    lab.request({ type: 'compact', revision: deletion });
    watch(lab.leader);
    lab.expect(
      open.watches[1]?.keys.slice(0, 2).join() === '-k,k=5',
      'a watch that was there lost the deletion',
    );
    for (let i = 0; i < 20; i += 1) lab.put('other', String(i));
    watch(lab.leader);
    const leader = lab.leader;
    lab.crash(leader);
    lab.start(leader);
    lab.until('one leads', 10_000, () => lab.leader >= 0);
    for (let i = 0; i < lab.nodes.length; i += 1) {
      if (i === late) continue;
      lab.awaitCaughtUp(i);
      watch(i);
    }
    lab.leaveBehind(late);
    lab.heal();
    lab.awaitSnapshot(late);
    lab.awaitCaughtUp(late);
    watch(late);
  });
}

function watchedWhileCompacting(seed: number): Promise<void> {
  return BugLab.run({ seed, members: 1, commitDelayMs: 5, flushDelayMs: 10 }, (lab) => {
    // Compaction goes in slices of 500 events: a key's creation and its deletion are in different ones.
    for (let round = 0; round < 2; round += 1) {
      for (let i = 0; i < 6; i += 1) lab.request(putAll(`k/${i}/`, 120, `${round}.${i}`));
      const revision = (): number => lab.member(0).database.revision;
      // Its creation goes with the first compaction, its deletion is where the second one ends.
      lab.put('victim', String(round));
      lab.request({ type: 'compact', revision: revision() });
      lab.request(deleteRange('k/', { rangeEnd: prefixEnd('k/') }));
      lab.request(deleteRange('victim'));
      const deletion = revision();
      if (round % 2 === 0) lab.pass(200);
      lab.put('later', String(round));
      const compacting = lab.begin({ type: 'compact', revision: deletion });
      const streams: ReturnType<BugLab['watch']>[] = [];
      const open = (): void => {
        streams.push(lab.watch(0, { key: 'victim', startRevision: deletion }));
      };
      for (let i = 0; i < 8; i += 1) {
        open();
        lab.pass(1);
        if (i === 4 && round % 2 === 1) {
          lab.crash(0);
          lab.start(0);
          lab.until('it leads', 10_000, () => lab.leader === 0);
        }
      }
      lab.until('compaction is answered', 12_000, () => compacting.error === null);
      lab.pass(200);
      open();
      lab.pass(300);
      for (const [i, { watches, ended }] of streams.entries()) {
        const keys = watches[0]?.keys.join();
        // A crash ends those that were open; none of them may have been told less.
        const lost = ended && keys === '';
        lab.expect(lost || keys === '-victim', `watch ${i + 1} of round ${round + 1} has got «${keys}»`);
      }
    }
  });
}
