import {
  Appenders,
  allShards,
  configuration,
  done,
  fill,
  groupWithoutController,
  readable,
  settled,
  shardedLimits,
  verify,
} from './steps.ts';
import type { LabChange, ShardedLab, ShardedScenario } from './sharded-lab.ts';

const groups = [1, 2, 3];

/** The courses' snapshots at 100 and 300 bytes of log are such of one and three entries. */
const appending = [
  { number: '57 (snapshots)', unreliable: false, snapshotEvery: 1 },
  { number: '57 (no snapshots)', unreliable: false, snapshotEvery: null },
  { number: '57 (few snapshots)', unreliable: false, snapshotEvery: 3 },
  { number: '58', unreliable: true, snapshotEvery: 1 },
] as const;

/** Scenarios 53 to 59 of the catalogue: shards go from group to group, and take everything with them. */
export const movers: readonly ShardedScenario[] = [
  {
    number: '53',
    title:
      'one of two groups is down: exactly its shards are silent for 2 s; writes at the wrong group, or for an old configuration, are refused',
    options: { groups: 2, shards: 10 },
    play: halfDown,
  },
  {
    number: '54',
    title: 'append, join, append, leave, and 1 s later the old group is killed: everything is there',
    options: { groups: 2, shards: 10 },
    play: joinAndLeave,
  },
  {
    number: '55',
    title: '30 keys with snapshots, through joins and leaves, and a restart of every group',
    options: { groups: 3, shards: 10, snapshotEvery: 5 },
    play: restarts,
  },
  {
    number: '56',
    title: 'a node of each group sleeps through three configurations, and is up to date again',
    options: { groups: 3, shards: 10, snapshotEvery: 5 },
    play: missed,
  },
  ...appending.map(({ number, unreliable, snapshotEvery }): ShardedScenario => ({
    number,
    title: `10 clients append for 12 s, while groups join and leave and one or all are killed in the middle of it${unreliable ? ', lossy' : ''}: each append once`,
    options: { groups: 3, shards: 10, unreliable, snapshotEvery },
    play: appends,
  })),
  {
    number: '59',
    title:
      '30 keys of 1000 bytes on 9 replicas, moved about: at most 117,000 bytes, and 10,000 more after one move',
    options: { groups: 3, shards: 10, snapshotEvery: 1 },
    play: garbage,
  },
];

function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `name ${i}`);
}

function halfDown(lab: ShardedLab): void {
  lab.boot([1, 2]);
  const written = fill(lab, names(lab.shards));
  const { shards } = configuration(lab);
  for (const [shard, holder] of shards.entries()) {
    const [[own], [other]] = [lab.nodes(holder ?? 0), lab.nodes(holder === 1 ? 2 : 1)];
    if (lab.refuses === undefined || own === undefined || other === undefined) break;
    lab.expect(lab.refuses(shard, other), `${other.name} took a write of shard ${shard}, which it has not`);
    lab.expect(
      lab.refuses(shard, own),
      `${own.name} took a write of shard ${shard} for an old configuration`,
    );
  }
  const dead = groupWithoutController(lab, [2, 1]);
  lab.crash(lab.nodes(dead));
  const keys = [...written.keys()];
  const read = readable(lab, keys, shardedLimits.silenceMs);
  for (const [shard, key] of keys.entries()) {
    lab.expect(
      read.has(key) === (shards[shard] !== dead),
      `shard ${shard} of group ${shards[shard]}, ${dead} is down: ${read.has(key)}`,
    );
  }
  lab.start(lab.nodes(dead));
  verify(lab, written);
  lab.finish();
}

function joinAndLeave(lab: ShardedLab): void {
  lab.boot([1]);
  const written = new Map(fill(lab, names(lab.shards)));
  const appenders = new Appenders(lab, 2, 50);
  done(lab, 'join', lab.join([2]));
  lab.sleep(500);
  done(lab, 'leave', lab.leave([1]));
  appenders.stop();
  lab.sleep(1_000);
  lab.crash(lab.nodes(1));
  verify(lab, written);
  lab.start(lab.nodes(1));
  lab.finish();
}

function restarts(lab: ShardedLab): void {
  lab.boot([1]);
  const written = fill(lab, names(30));
  done(lab, 'join', lab.join([2, 3]));
  verify(lab, written);
  done(lab, 'leave', lab.leave([1]));
  verify(lab, written);
  for (const group of groups) lab.crash(lab.nodes(group));
  for (const group of groups) lab.start(lab.nodes(group));
  verify(lab, written);
  done(lab, 'join again', lab.join([1]));
  verify(lab, written);
  lab.finish();
}

function missed(lab: ShardedLab): void {
  lab.boot([1]);
  const written = fill(lab, names(30));
  const asleep = groups.flatMap((group) => lab.nodes(group).slice(0, 1));
  lab.crash(asleep);
  done(lab, 'join', lab.join([2]));
  done(lab, 'join', lab.join([3]));
  done(lab, 'leave', lab.leave([1]));
  verify(lab, written);
  lab.start(asleep);
  settled(lab);
  // Others sleep now: what was missed is needed.
  const others = groups.flatMap((group) => lab.nodes(group).slice(1, 2));
  lab.crash(others);
  verify(lab, written);
  lab.start(others);
  done(lab, 'join again', lab.join([1]));
  verify(lab, written);
  lab.finish();
}

function appends(lab: ShardedLab): void {
  lab.boot([1]);
  const appenders = new Appenders(lab, 10, 300);
  const untilMs = lab.now + 12_000;
  let joined = [1];
  const asked = new Map<number, LabChange>();
  while (lab.now < untilMs) {
    const group = groups[lab.draw(groups.length, 'group')] as number;
    let change: LabChange | null = null;
    // Whoever is not answered asks again: of two who ask opposite things at once, either may have the last word.
    const isAsked = asked.get(group)?.isDone === false;
    if (!isAsked && !joined.includes(group)) {
      change = lab.join([group]);
      joined = [...joined, group];
    } else if (!isAsked && joined.length > 1) {
      change = lab.leave([group]);
      joined = joined.filter((other) => other !== group);
    }
    if (change !== null) asked.set(group, change);
    lab.sleep(lab.draw(900, 'how far it comes'));
    const drawn = lab.draw(groups.length + 1, 'killed group, or all');
    const killed = drawn === groups.length ? groups : [groups[drawn] as number];
    const nodes = killed.flatMap((each) => lab.nodes(each));
    lab.crash(nodes);
    lab.sleep(lab.draw(500, 'down'));
    lab.start(nodes);
    if (change !== null) lab.until(shardedLimits.changeMs / 10, () => change.isDone);
  }
  settled(lab);
  appenders.stop();
  lab.expect(appenders.count >= 50, `only ${appenders.count} appends in 12 s`);
  const now = configuration(lab);
  const same = now.groups.join() === [...joined].sort((a, b) => a - b).join();
  lab.expect(same, `${joined.join()} have joined, not ${now.groups.join()}`);
  lab.finish();
}

function garbage(lab: ShardedLab): void {
  lab.boot([1, 2]);
  const written = fill(lab, names(30), 1_000);
  lab.sleep(1_000);
  const beforeBytes = lab.storedBytes;
  const { shards } = configuration(lab);
  const moved = allShards(lab).find((shard) => shards[shard] === 1) as number;
  done(lab, 'move', lab.move(moved, 2));
  lab.sleep(1_000);
  lab.measure('bytes after a move', lab.storedBytes, beforeBytes + 10_000, 'B');
  for (let turn = 0; turn < 4; turn += 1) {
    done(lab, 'join', lab.join([2, 3]));
    done(lab, 'leave', lab.leave([1, 2]));
    done(lab, 'join', lab.join([1]));
    done(lab, 'leave', lab.leave([3]));
  }
  done(lab, 'join', lab.join([2, 3]));
  lab.sleep(1_000);
  verify(lab, written);
  lab.measure('bytes of everybody', lab.storedBytes, 117_000, 'B');
  lab.finish();
}
