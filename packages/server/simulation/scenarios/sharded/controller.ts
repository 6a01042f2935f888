import { allShards, configuration, done, isBalanced, moved, settled, shardedLimits } from './steps.ts';
import type { LabChange, LabConfiguration, LabNode, ShardedLab, ShardedScenario } from './sharded-lab.ts';

/** Scenarios 49 to 52 of the catalogue: the one who decides which group has which shard. */
export const controllers: readonly ShardedScenario[] = [
  {
    number: '49',
    title: 'join, leave, move and query: shards even but for one, history readable with any one node down',
    options: { groups: 4, nodesOfAGroup: 1, shards: 10 },
    play: history,
  },
  {
    number: '50',
    title: '10 clients that join two groups each and have one leave at once: exactly the others are there',
    options: { groups: 21, nodesOfAGroup: 1, shards: 10 },
    play: concurrent,
  },
  {
    number: '51',
    title: 'a join or a leave of one group or several moves no more than it must: of 10 shards at most 4',
    options: { groups: 5, nodesOfAGroup: 1, shards: 10 },
    play: minimal,
  },
  {
    number: '52',
    title: 'the controller is killed: within 5 s every other node tells the same configuration',
    options: { groups: 3, shards: 10 },
    play: killed,
  },
];

function change(lab: ShardedLab, what: string, asked: LabChange): LabConfiguration {
  done(lab, what, asked);
  settled(lab);
  const now = configuration(lab);
  lab.expect(isBalanced(now), `after ${what} the shards are with ${now.shards.join()}`);
  return now;
}

function history(lab: ShardedLab): void {
  lab.boot([1]);
  const seen = [configuration(lab)];
  seen.push(change(lab, 'join 2', lab.join([2])));
  seen.push(change(lab, 'join 3 and 4', lab.join([3, 4])));
  done(lab, 'move', lab.move(0, 3));
  settled(lab);
  const after = configuration(lab);
  lab.expect(after.shards[0] === 3, `shard 0 was moved to 3 and is with ${after.shards[0]}`);
  seen.push(after);
  seen.push(change(lab, 'leave 1', lab.leave([1])));
  const [last] = seen.slice(-1);
  lab.expect(last?.groups.join() === '2,3,4', `2, 3 and 4 are left, not ${last?.groups.join()}`);
  for (let i = 1; i < seen.length; i += 1) {
    lab.expect((seen[i]?.number ?? 0) > (seen[i - 1]?.number ?? 0), 'every change has a higher number');
  }
  for (const down of lab.nodes(0)) {
    lab.crash([down]);
    for (const known of seen) {
      const told = configuration(lab, known.number, otherThan(lab, down));
      lab.expect(
        JSON.stringify(told) === JSON.stringify(known),
        `configuration ${known.number} is told otherwise`,
      );
    }
    lab.start([down]);
    settled(lab);
  }
  lab.finish();
}

function concurrent(lab: ShardedLab): void {
  lab.boot([1]);
  const clients = Array.from({ length: 10 }, (_, i) => new Rival(lab, 2 + i, 12 + i));
  lab.within('10 clients end', 3 * shardedLimits.changeMs, () => {
    for (const client of clients) client.goOn();
    return clients.every(({ isDone }) => isDone);
  });
  for (const { refused } of clients) lab.expect(refused === null, `a change was refused: ${refused}`);
  settled(lab);
  const now = configuration(lab);
  const stay = [1, ...clients.map((client) => client.stays)];
  lab.expect(now.groups.join() === stay.join(), `1 to 11 are left, not ${now.groups.join()}`);
  lab.expect(isBalanced(now), `the shards are with ${now.shards.join()}`);
  const again = change(lab, 'join of one that has left', lab.join([12]));
  lab.expect(again.groups.includes(12), 'who has left may come back');
  lab.finish();
}

/** Has one group join, then another one, and that leave again. */
class Rival {
  readonly stays: number;
  readonly #lab: ShardedLab;
  readonly #goes: number;
  #turn = 0;
  #change: LabChange | null = null;

  constructor(lab: ShardedLab, stays: number, goes: number) {
    this.#lab = lab;
    this.stays = stays;
    this.#goes = goes;
  }

  get isDone(): boolean {
    return this.#turn === 3 && this.#change?.isDone === true;
  }

  get refused(): string | null {
    return this.#change?.refused ?? null;
  }

  /** The next one, when the one before is known: nobody waits for shards that move for others. */
  goOn(): void {
    if (this.#change !== null && !this.#change.isDone && this.#change.isTaken !== true) return;
    if (this.#turn === 3 || this.refused !== null) return;
    const lab = this.#lab;
    if (this.#turn === 2) this.#change = lab.leave([this.#goes]);
    else this.#change = lab.join([this.#turn === 0 ? this.stays : this.#goes]);
    this.#turn += 1;
  }
}

function minimal(lab: ShardedLab): void {
  lab.boot([1, 2]);
  const two = configuration(lab);
  const three = change(lab, 'join 3', lab.join([3]));
  const most = Math.floor(lab.shards / 3) + 1;
  lab.measure('shards moved by a third group', moved(two, three).length, most, 'shards');
  for (const shard of moved(two, three)) {
    lab.expect(
      three.shards[shard] === 3,
      `shard ${shard} went from ${two.shards[shard]} to ${three.shards[shard]}`,
    );
  }
  const others = change(lab, 'leave 1', lab.leave([1]));
  lab.measure('shards moved by a group that leaves', moved(three, others).length, most, 'shards');
  for (const shard of moved(three, others)) {
    lab.expect(three.shards[shard] === 1, `shard ${shard} left ${three.shards[shard]}, which stays`);
  }
  const many = change(lab, 'join 1, 4 and 5', lab.join([1, 4, 5]));
  for (const shard of moved(others, many)) {
    lab.expect([1, 4, 5].includes(many.shards[shard] ?? 0), `shard ${shard} went to ${many.shards[shard]}`);
  }
  const few = change(lab, 'leave 4 and 5', lab.leave([4, 5]));
  for (const shard of moved(many, few)) {
    lab.expect([4, 5].includes(many.shards[shard] ?? 0), `shard ${shard} left ${many.shards[shard]}`);
  }
  lab.expect(allShards(lab).length === few.shards.length, 'every shard is somewhere');
  lab.finish();
}

function killed(lab: ShardedLab): void {
  lab.boot([1, 2]);
  change(lab, 'join 3', lab.join([3]));
  const before = configuration(lab);
  const { controller } = lab;
  lab.expect(controller !== null, 'somebody is the controller');
  const killedMs = lab.now;
  lab.crash([controller as LabNode]);
  lab.within('another controller', shardedLimits.controllerMs, () => lab.controller !== null);
  const all = [0, 1, 2, 3].flatMap((group) => lab.nodes(group));
  const same = (node: LabNode): void => {
    const told = configuration(lab, before.number, node);
    const text = `${node.name} tells another ${before.number}: ${JSON.stringify(told)}`;
    lab.expect(JSON.stringify(told) === JSON.stringify(before), text);
  };
  for (const node of all) if (node.name !== controller?.name) same(node);
  lab.measure('everybody else tells it', lab.now - killedMs, shardedLimits.controllerMs, 'ms');
  lab.start([controller as LabNode]);
  settled(lab);
  same(controller as LabNode);
  lab.finish();
}

function otherThan(lab: ShardedLab, down: LabNode): LabNode {
  return lab.nodes(0).find(({ name }) => name !== down.name) as LabNode;
}
