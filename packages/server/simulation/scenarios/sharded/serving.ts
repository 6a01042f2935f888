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

/** Scenarios 60 to 63 of the catalogue: a change that is under way, or cannot be, is in nobody else's way. */
export const servers: readonly ShardedScenario[] = [
  {
    number: '60',
    title: 'while a change is stuck, other shards give at least 100 answers in 4 s, each within 2 s',
    options: { groups: 3, shards: 12 },
    play: unaffected,
  },
  {
    number: '61',
    title: 'of two groups that leave one is dead: the shards of the other are served elsewhere within 1 s',
    options: { groups: 3, shards: 12 },
    play: partial,
  },
  ...[1, 10].flatMap((clients) =>
    [false, true].map((unreliable): ShardedScenario => ({
      number: `62 (${clients} ${clients === 1 ? 'client' : 'clients'}${unreliable ? ', unreliable' : ''})`,
      title: '8 groups join and leave, 200 ms apart, for 20 s under clients that append: linearizable',
      options: { groups: 8, shards: 12, unreliable, snapshotEvery: 50 },
      play: (lab) => many(lab, clients),
    })),
  ),
  {
    number: '63',
    title: 'a change waits for a group that is down, and is over within 2 s of its return',
    options: { groups: 2, shards: 12 },
    play: blocked,
  },
];

function unaffected(lab: ShardedLab): void {
  lab.boot([1, 2]);
  const written = fill(lab, allShards(lab).map(String));
  const before = configuration(lab);
  const dead = groupWithoutController(lab, [2, 1]);
  lab.crash(lab.nodes(dead));
  const stuck = lab.join([3]);
  const own = [...written.keys()].filter((_, shard) => before.shards[shard] !== dead);
  let answers = 0;
  let worstMs = 0;
  let goesOn = true;
  const reader = lab.client(async (client) => {
    for (let turn = 0; goesOn; turn += 1) {
      const beginMs = lab.now;
      await client.read(own[turn % own.length] as string);
      worstMs = Math.max(worstMs, lab.now - beginMs);
      answers += 1;
      await client.sleep(5);
    }
  });
  lab.sleep(4_000);
  goesOn = false;
  lab.within('the reader ends', shardedLimits.silenceMs, () => reader.finished);
  lab.expect(answers >= 100, `only ${answers} answers in 4 s`);
  lab.measure('slowest answer', worstMs, shardedLimits.silenceMs, 'ms');
  lab.expect(!stuck.isDone, 'shards have left a group that is down');
  lab.start(lab.nodes(dead));
  done(lab, 'join', stuck);
  verify(lab, written);
  lab.finish();
}

function partial(lab: ShardedLab): void {
  lab.boot([1, 2, 3]);
  const written = fill(lab, allShards(lab).map(String));
  const before = configuration(lab);
  const dead = groupWithoutController(lab, [1, 3]);
  lab.crash(lab.nodes(dead));
  const leave = lab.leave([1, 3]);
  const alive = [...written.keys()].filter((_, shard) => before.shards[shard] !== dead);
  lab.sleep(1_000);
  const read = readable(lab, alive, 1_000);
  lab.expect(
    read.size === alive.length,
    `${read.size} of ${alive.length} shards of living groups are served`,
  );
  const between = configuration(lab).shards;
  const stuck = between.filter((holder, shard) => before.shards[shard] !== dead && holder !== 2);
  lab.expect(stuck.length === 0, `shards are with ${between.join()} while ${dead} is dead`);
  lab.start(lab.nodes(dead));
  done(lab, 'leave', leave);
  verify(lab, written);
  lab.finish();
}

function many(lab: ShardedLab, clients: number): void {
  lab.boot([1]);
  const appenders = new Appenders(lab, clients, 50);
  const groups = [2, 3, 4, 5, 6, 7, 8];
  const changes: LabChange[] = [];
  const untilMs = lab.now + 20_000;
  for (const group of groups) {
    changes.push(lab.join([group]));
    lab.sleep(200);
  }
  for (const change of changes) done(lab, 'join', change);
  lab.sleep(Math.max(0, untilMs - 5_000 - lab.now));
  const left = groups.map((group) => {
    const change = lab.leave([group]);
    lab.sleep(200);
    return change;
  });
  for (const change of left) done(lab, 'leave', change);
  settled(lab);
  appenders.stop();
  const { groups: last } = configuration(lab);
  lab.expect(last.join() === '1', `group 1 is left, not ${last.join()}`);
  lab.finish();
}

function blocked(lab: ShardedLab): void {
  lab.boot([1]);
  const written = fill(lab, allShards(lab).map(String));
  lab.crash(lab.nodes(2));
  const change = lab.join([2]);
  lab.sleep(shardedLimits.silenceMs);
  lab.expect(!change.isDone, 'shards have gone to a group that is down');
  verify(lab, written);
  lab.start(lab.nodes(2));
  lab.within('the change ends', 2_000, () => change.isDone);
  verify(lab, written);
  lab.finish();
}
