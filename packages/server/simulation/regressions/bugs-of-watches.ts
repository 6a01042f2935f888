import { put, type EtcdRequest } from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import type { OrderedStorage } from '@flotilla/store';
import { BugLab } from './bug-lab.ts';
import type { EtcdBug } from './etcd-bugs.ts';

/** Bugs in what watches are told. The judges of the lab hold each of them to etcd's nine promises. */
export const watches: readonly EtcdBug[] = [
  {
    issue: 15_220,
    name: 'Watch progress notification not synced with stream',
    claim: 'progress is told only when every watch of the stream has been told everything before',
    scenario: progressWhileBehind,
  },
  {
    issue: 15_271,
    name: 'Watch traveling back in time after network partition',
    claim: 'a watch goes on over a snapshot of its member without a gap or a repeat',
    scenario: watchOverSnapshot,
  },
  {
    issue: 17_247,
    name: 'Duplicated watch event due to bug in TXN caching',
    claim: 'history that is in the write buffer and in storage at the same time is told once',
    scenario: historyInTwoLayers,
  },
  {
    issue: 17_529,
    name: 'Watch events lost during stream starvation',
    claim: 'watches of a stream that nobody reads get all of it when it is read again',
    scenario: starvedStream,
  },
  {
    issue: 20_221,
    name: 'Watch on future revision returns notifications',
    claim: 'a watch from a revision that its member does not have yet is told of no progress before it',
    scenario: (seed) => futureWatch(seed, 'log'),
  },
  {
    issue: 20_221,
    name: 'Watch on future revision returns old events',
    claim: 'a watch from a revision that comes to its member by a snapshot begins exactly there',
    scenario: (seed) => futureWatch(seed, 'snapshot'),
  },
];

const everything = { key: '\0', rangeEnd: '\0' };

function numbered(keys: number): (client: number, count: number) => EtcdRequest {
  return (client, count) => put(`k/${count % keys}`, `${client}.${count}`);
}

function progressWhileBehind(seed: number): Promise<void> {
  return BugLab.run({ seed, members: 1, commitDelayMs: 20, world: { syncMaxMs: 1 } }, (lab) => {
    lab.load(3, 4, numbered(5));
    lab.pass(150);
    for (let round = 0; round < 4; round += 1) {
      // One is up to date at once, one has all the history to read.
      const stream = lab.watch(
        0,
        { ...everything, progressNotify: true },
        { ...everything, startRevision: 2, prevKv: true },
        { key: 'k/0', startRevision: 2 },
      );
      for (let i = 0; i < 20; i += 1) {
        stream.askProgress();
        lab.pass(1 + lab.draw(4, 'until progress is asked for'));
      }
      const told = stream.watches.reduce((sum, { progress }) => sum + progress, 0);
      lab.expect(told > 0, 'no progress was told');
      stream.close();
    }
  });
}

function watchOverSnapshot(seed: number): Promise<void> {
  const flags = [['watch-progress-notify-interval', '100ms']] as const;
  return BugLab.run({ seed, snapshotCount: 5, flags }, (lab) => {
    const late = lab.follower;
    for (let i = 0; i < 10; i += 1) lab.put(`k/${i % 3}`, `before ${i}`);
    const first = lab.watch(late, { ...everything, startRevision: 2, prevKv: true, progressNotify: true });
    const others = lab.watch(late, { key: 'k/0' }, { key: 'k/', rangeEnd: 'k0', progressNotify: true });
    // Has never got anything: where it began is compacted, and yet it has missed nothing.
    const quiet = lab.watch(late, { key: 'quiet', startRevision: 3 });
    lab.pass(500);
    lab.request({ type: 'compact', revision: lab.member(lab.leader).database.revision });
    lab.awaitCaughtUp(late);
    for (let round = 0; round < 2; round += 1) {
      lab.isolate(late);
      lab.leaveBehind(late, (i) => lab.put(`k/${i % 3}`, `away ${round}.${i}`));
      lab.heal();
      lab.awaitSnapshot(late);
      others.askProgress();
      lab.put('k/0', `back ${round}`, late);
      lab.awaitCaughtUp(late);
      lab.pass(300);
    }
    lab.expect(quiet.watches[0]?.canceled === null, 'a watch that has missed nothing was ended');
    const { revision } = lab.member(late).database;
    for (const { recorded, keys } of [...first.watches, ...others.watches]) {
      lab.expect(
        recorded.latest === revision,
        `a watch is at ${recorded.latest}, not at ${revision}: ${keys.join()}`,
      );
    }
  });
}

function historyInTwoLayers(seed: number): Promise<void> {
  const options = { seed, members: 1, wrapStorage: seenBeforeItIsSaid, world: { syncMaxMs: 1 } };
  return BugLab.run(options, (lab) => {
    lab.load(3, 5, (client, count) => {
      if (count % 3 > 0) return put(`k/${count % 4}`, `${client}.${count}`);
      const [one, other] = [put(`t/${client}`, `${count}`), put('t/all', `${client}.${count}`)];
      return { type: 'txn', compare: [], success: [one, other], failure: [] };
    });
    for (let round = 0; round < 8; round += 1) {
      lab.pass(5 + lab.draw(60, 'until a watch'));
      const { revision } = lab.member(0).database;
      lab.watch(
        0,
        { ...everything, startRevision: Math.max(2, revision - 60), prevKv: true },
        { key: 't/', rangeEnd: 't0', startRevision: Math.max(2, revision - 20), fragment: true },
      );
    }
    lab.stopLoad();
    lab.pass(500);
  });
}

/** A storage whose commits can be read long before it says that they are there, as LMDB's can for a moment. */
function seenBeforeItIsSaid(storage: OrderedStorage, platform: Platform): OrderedStorage {
  const commit = storage.commit.bind(storage);
  storage.commit = (batch) => {
    const { committed, flushed } = commit(batch);
    const said = committed.then(
      () => new Promise<void>((resolve) => platform.timer(40, 'said later', resolve)),
    );
    return { committed: said, flushed: Promise.all([said, flushed]).then(() => undefined) };
  };
  return storage;
}

function starvedStream(seed: number): Promise<void> {
  return BugLab.run({ seed, members: 1 }, (lab) => {
    const keys = Array.from({ length: 4 }, (_, i) => `k/${i}`);
    const stream = lab.watch(
      0,
      ...Array.from({ length: 16 }, (_, i) => ({
        ...everything,
        startRevision: i % 3,
        fragment: i % 2 === 0,
      })),
      ...keys.map((key) => ({ key, startRevision: 1, prevKv: true })),
    );
    lab.pass(200);
    const valueBytes = 16 * 1024;
    const puts = 24;
    stream.stall();
    // To all watches together it is more than the wire, the transport and the stream's own buffer take.
    for (let i = 0; i < puts; i += 1) {
      lab.put(keys[i % keys.length] as string, `${i}.`.padEnd(valueBytes, 'x'));
    }
    lab.expect(lab.member(0).database.watches.behindCount > 0, 'nobody has fallen behind');
    // A little at a time: some of its watches are always behind others.
    for (let i = 0; i < 10; i += 1) {
      stream.read();
      lab.pass(0.5);
      stream.stall();
      lab.put(keys[i % keys.length] as string, `${i}`);
    }
    stream.read();
    lab.pass(2_000);
    const { revision } = lab.member(0).database;
    for (const { recorded } of stream.watches.slice(0, 16)) {
      const events = recorded.responses.reduce((sum, response) => sum + response.events.length, 0);
      lab.expect(recorded.latest === revision, `a watch is at ${recorded.latest}, not at ${revision}`);
      lab.expect(events === puts + 10, `a watch has got ${events} events`);
    }
  });
}

function futureWatch(seed: number, way: 'log' | 'snapshot'): Promise<void> {
  const flags = [['watch-progress-notify-interval', '100ms']] as const;
  const options = { seed, flags, ...(way === 'snapshot' ? { snapshotCount: 5 } : {}) };
  return BugLab.run(options, (lab) => {
    for (let i = 0; i < 5; i += 1) lab.put(`k/${i % 3}`, `before ${i}`);
    const late = lab.follower;
    lab.awaitCaughtUp(late);
    lab.isolate(late);
    let revision = 0;
    for (let i = 0; i < 30; i += 1) revision = lab.put(`k/${i % 3}`, `away ${i}`);
    if (way === 'snapshot') lab.leaveBehind(late, (i) => (revision = lab.put('k/0', `on ${i}`)));
    // A client that has spoken to another member: it asks for what this one will only have when it is back.
    const starts = [revision - 20, revision - 2, revision, revision + 1, revision + 4];
    const streams = starts.map((startRevision) =>
      lab.watch(late, { ...everything, startRevision, prevKv: true, progressNotify: true }),
    );
    for (let i = 0; i < 5; i += 1) {
      lab.pass(100);
      for (const stream of streams) stream.askProgress();
    }
    const early = streams.some(({ watches }) => watches.some(({ progress }) => progress > 0));
    lab.expect(!early, 'a watch from the future was told of progress');
    lab.heal();
    if (way === 'snapshot') lab.awaitSnapshot(late);
    for (const stream of streams) stream.askProgress();
    lab.awaitCaughtUp(late);
    lab.pass(200);
    for (let i = 0; i < 6; i += 1) lab.put(`k/${i % 3}`, `after ${i}`);
    lab.pass(500);
    for (const [index, { watches }] of streams.entries()) {
      const [watch] = watches;
      const events = watch?.recorded.responses.flatMap((response) => response.events) ?? [];
      const [first] = events;
      const begins = first?.type === 'put' ? first.kv.modRevision : first?.modRevision;
      lab.expect(begins === starts[index], `a watch from ${starts[index]} began with ${begins}`);
      lab.expect(watch?.recorded.latest === revision + 6, `a watch ended with ${watch?.recorded.latest}`);
      lab.expect((watch?.progress ?? 0) > 0, 'a watch that is there was told of no progress');
    }
  });
}
