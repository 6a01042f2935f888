import {
  Appenders,
  allShards,
  configuration,
  done,
  fill,
  readable,
  settled,
  shardedLimits,
  verify,
} from './steps.ts';
import type { ShardedLab, ShardedScenario } from './sharded-lab.ts';

const groups = [1, 2, 3];

/** Scenarios 53 to 59 of the catalogue: shards go from group to group, and take everything with them. */
export const movers: readonly ShardedScenario[] = [
  {
    number: '53',
    title: 'one of two groups is down: exactly its shards are silent for 2 s',
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
    options: { groups: 3, shards: 10, snapshotEvery: 50 },
    play: restarts,
  },
  {
    number: '56',
    title: 'a node of each group sleeps through three configurations, and is up to date again',
    options: { groups: 3, shards: 10, snapshotEvery: 50 },
    play: missed,
  },
  ...[false, true].map((unreliable): ShardedScenario => ({
    number: unreliable ? '58' : '57',
    title: `10 clients append for 12 s, while groups join, leave and are killed${unreliable ? ', lossy' : ''}: each append once`,
    options: { groups: 3, shards: 10, unreliable, snapshotEvery: 50 },
    play: appends,
  })),
  {
    number: '59',
    title:
      '30 keys of 1000 bytes on 9 replicas, moved about: at most 117,000 bytes, and 10,000 more after one move',
    options: { groups: 3, shards: 10, snapshotEvery: 5 },
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
  lab.crash(lab.nodes(2));
  const keys = [...written.keys()];
  const own = keys.filter((_, shard) => shards[shard] === 1);
  // Until those who are left have found each other.
  lab.within(
    'the other group serves',
    shardedLimits.controllerMs,
    () => readable(lab, own, 500).size === own.length,
  );
  const read = readable(lab, keys, shardedLimits.silenceMs);
  for (const [shard, key] of keys.entries()) {
    lab.expect(
      read.has(key) === (shards[shard] === 1),
      `shard ${shard} of group ${shards[shard]}: ${read.has(key)}`,
    );
  }
  lab.start(lab.nodes(2));
  verify(lab, written);
  lab.finish();
}

function joinAndLeave(lab: ShardedLab): void {
  lab.boot([1]);
  const written = new Map(fill(lab, names(lab.shards)));
  const appenders = new Appenders(lab, 2);
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
  const appenders = new Appenders(lab, 10, 100);
  const untilMs = lab.now + 12_000;
  let joined = [1];
  while (lab.now < untilMs) {
    const group = groups[lab.draw(groups.length, 'group')] as number;
    if (!joined.includes(group)) {
      done(lab, 'join', lab.join([group]));
      joined = [...joined, group];
    } else if (joined.length > 1) {
      done(lab, 'leave', lab.leave([group]));
      joined = joined.filter((other) => other !== group);
    }
    lab.sleep(lab.draw(900, 'rest'));
    const killed = lab.nodes(groups[lab.draw(groups.length, 'killed group')] as number);
    lab.crash(killed);
    lab.sleep(lab.draw(500, 'down'));
    lab.start(killed);
  }
  appenders.stop();
  lab.expect(appenders.count >= 50, `only ${appenders.count} appends in 12 s`);
  lab.finish();
}

function garbage(lab: ShardedLab): void {
  lab.boot([1]);
  const written = fill(lab, names(30), 1_000);
  lab.sleep(1_000);
  const beforeBytes = lab.storedBytes;
  done(lab, 'move', lab.move(allShards(lab)[0] as number, 2));
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
