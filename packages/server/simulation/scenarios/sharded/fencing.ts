import {
  Appenders,
  allShards,
  configuration,
  done,
  fill,
  isBalanced,
  settled,
  shardedLimits,
  verify,
} from './steps.ts';
import type { LabNode, ShardedLab, ShardedScenario } from './sharded-lab.ts';

/** Scenarios 64 to 67 of the catalogue: several who decide, and one who comes back from the dead. */
export const fences: readonly ShardedScenario[] = [
  ...[0, 5].flatMap((clients) =>
    [false, true].map((unreliable): ShardedScenario => ({
      number: `64 (${clients} clients${unreliable ? ', unreliable' : ''})`,
      title:
        'the controller is cut off in mid-change, five times, in 60 s if there are clients: the next one finishes, and the old one changes nothing',
      options: { groups: 3, shards: 12, unreliable },
      play: (lab) => cutController(lab, clients),
    })),
  ),
  ...[false, true].map((unreliable): ShardedScenario => ({
    number: unreliable ? '65 (unreliable)' : '65',
    title:
      'four rivals change the same for 2 s: every number has one configuration, and everybody tells the same',
    options: { groups: 4, shards: 12, unreliable },
    play: rivals,
  })),
  {
    number: '66',
    title: 'everything that was ever asked for comes again, late: nothing changes, newer writes stay',
    options: { groups: 2, shards: 12 },
    play: replayed,
  },
  {
    number: '67',
    title: 'two groups swap all their shards, and everybody restarts: it ends without any client’s help',
    options: { groups: 2, shards: 12 },
    play: swap,
  },
];

function cutController(lab: ShardedLab, clients: number): void {
  lab.boot([1]);
  const written = fill(lab, allShards(lab).map(String));
  const appenders = new Appenders(lab, clients, 250);
  const beginMs = lab.now;
  for (let turn = 0; turn < 5; turn += 1) {
    const joins = turn % 2 === 0;
    const change = joins ? lab.join([2, 3]) : lab.leave([2, 3]);
    lab.sleep(lab.draw(400, 'how far the change comes'));
    const old = lab.controller;
    if (old !== null) lab.cutOff([old]);
    const isNew = (): boolean => lab.controller !== null && lab.controller.name !== old?.name;
    lab.within('another controller', shardedLimits.controllerMs, isNew);
    done(lab, joins ? 'join' : 'leave', change);
    // (Whoever is cut off is not where everybody else is yet.)
    const before = configuration(lab, undefined, lab.controller as LabNode);
    lab.cutOff([]);
    settled(lab);
    const after = configuration(lab);
    const same = before.groups.join() === after.groups.join() && isBalanced(after);
    lab.expect(same, `who came back changed ${before.groups.join()} to ${after.groups.join()}`);
    if (clients > 0) lab.sleep(Math.max(0, beginMs + (turn + 1) * 12_000 - lab.now));
  }
  appenders.stop();
  verify(lab, written);
  lab.finish();
}

function rivals(lab: ShardedLab): void {
  lab.boot([1]);
  const written = fill(lab, allShards(lab).map(String));
  const nodes = lab.nodes(0);
  const untilMs = lab.now + 2_000;
  while (lab.now < untilMs) {
    for (let rival = 0; rival < 4; rival += 1) {
      const through = nodes[rival % nodes.length];
      const group = 2 + lab.draw(3, 'group');
      if (lab.draw(2, 'join or leave') === 0) lab.join([group], through);
      else lab.leave([group], through);
    }
    lab.sleep(50 + lab.draw(100, 'rest'));
  }
  settled(lab);
  const { number } = configuration(lab);
  for (let asked = number; asked > 0; asked -= 1) {
    const told = nodes.map((node) => JSON.stringify(lab.query(asked, node)));
    if (told.every((text) => text === 'null')) break;
    lab.expect(new Set(told).size === 1, `configuration ${asked} is ${told.join(' and ')}`);
  }
  lab.expect(isBalanced(configuration(lab)), 'shards are even when all is over');
  verify(lab, written);
  lab.finish();
}

function replayed(lab: ShardedLab): void {
  lab.boot([1]);
  fill(lab, allShards(lab).map(String));
  done(lab, 'join', lab.join([2]));
  done(lab, 'leave', lab.leave([1]));
  done(lab, 'join', lab.join([1]));
  const newer = fill(lab, allShards(lab).map(String));
  settled(lab);
  const before = configuration(lab);
  lab.replayChanges();
  lab.sleep(2_000);
  lab.expect(lab.isSettled, 'something is under way again');
  settled(lab);
  const after = configuration(lab);
  const same =
    JSON.stringify([before.groups, before.shards]) === JSON.stringify([after.groups, after.shards]);
  lab.expect(same, `shards were with ${before.shards.join()}, and are with ${after.shards.join()}`);
  verify(lab, newer);
  lab.finish();
}

function swap(lab: ShardedLab): void {
  lab.boot([1, 2]);
  const written = fill(lab, allShards(lab).map(String));
  const { shards } = configuration(lab);
  const moves = shards.map((holder, shard) => lab.move(shard, holder === 1 ? 2 : 1));
  const isKnown = (): boolean => moves.every(({ isTaken }) => isTaken !== false);
  lab.within('all moves are wanted', shardedLimits.controllerMs, isKnown);
  lab.sleep(lab.draw(300, 'how far they come'));
  const all = [0, 1, 2].flatMap((group) => lab.nodes(group));
  lab.crash(all);
  lab.start(all);
  // Nobody asks for anything now.
  lab.within('the swap ends', 2 * shardedLimits.changeMs, () => moves.every(({ isDone }) => isDone));
  const after = configuration(lab);
  lab.expect(
    after.shards.every((holder, shard) => holder === (shards[shard] === 1 ? 2 : 1)),
    `shards were with ${shards.join()}, and are with ${after.shards.join()}`,
  );
  verify(lab, written);
  lab.finish();
}
