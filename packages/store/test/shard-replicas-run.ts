import assert from 'node:assert';
import { seededRandom, type Random } from '@flotilla/platform';
import { ShardHistory, type LoggedShard } from './shard-history.ts';
import { ShardNode } from './shard-nodes.ts';

const steps = 220;

/** Three nodes that hear of the logs at their own pace. The first never removes anything: it can always help. */
export class ReplicasRun {
  readonly history: ShardHistory;
  readonly nodes: readonly ShardNode[];
  readonly #random: Random;

  constructor(seed: number) {
    const random = seededRandom(seed);
    this.#random = random.fork('run');
    this.history = new ShardHistory(random.fork('history'));
    this.nodes = [1, 2, 3].map(() => new ShardNode(this.history));
  }

  async go(): Promise<void> {
    // The third has none at the beginning.
    for (const node of this.nodes.slice(0, 2)) {
      node.begin();
      await node.run(node.store.commitNow());
      await node.platform.advance(200);
    }
    for (let step = 0; step < steps; step += 1) {
      this.history.step();
      await this.#act(this.nodes[this.#random.below(3)] as ShardNode);
    }
    this.history.settle();
    for (const node of this.nodes) await this.#finish(node);
  }

  async #act(node: ShardNode): Promise<void> {
    const random = this.#random;
    const choice = random.below(100);
    const shard = this.#some([...node.replicas.keys()]);
    if (choice < 70) {
      if (shard !== undefined) node.deliver(shard, 1 + random.below(12));
      if (shard !== undefined && random.below(2) === 0) node.deliver(shard, 1 + random.below(3));
    } else if (choice < 85) await node.platform.advance(random.below(60));
    else if (choice < 91) node.crash();
    else if (choice < 92) await node.restart();
    else if (choice < 97) await this.#snapshot(node);
    else if (node !== this.#keeper && shard !== undefined) await node.remove(shard);
  }

  get #keeper(): ShardNode {
    return this.nodes[0] as ShardNode;
  }

  async #snapshot(to: ShardNode): Promise<void> {
    const from = this.#some(this.nodes.filter((node) => node !== to)) as ShardNode;
    const ready = [...from.replicas.values()].filter((one) => one.isReady && one.applied.index > 0);
    const giver = this.#some(ready);
    if (giver === undefined) return;
    const taker = to.replicas.get(giver.id);
    // A snapshot that is older than the state is of no use to anybody, and the keeper has what it needs.
    if (taker !== undefined && taker.applied.index >= giver.applied.index) return;
    if (to === this.#keeper) return;
    if ((await to.take(from, giver.id, this.#random)) !== 'no room') return;
    if (this.#random.below(2) === 0) return;
    await to.makeRoom(giver.machine.span, giver.id);
  }

  /** Brings the node to where the logs are, by snapshots of the first one where it cannot come by itself. */
  async #finish(node: ShardNode): Promise<void> {
    for (let round = 0; round < 200; round += 1) {
      let progress = false;
      for (const shard of node.replicas.keys()) while (node.deliver(shard, 20)) progress = true;
      if (!progress && this.#isComplete(node)) break;
      if (!progress) await this.#help(node);
    }
    await this.#compare(node);
    await node.platform.advance(500);
    assert.deepEqual(node.strayKeys, []);
    await node.restart();
    await this.#compare(node);
    await node.platform.advance(200);
  }

  #isComplete(node: ShardNode): boolean {
    return this.history.living.every(({ shard }) => {
      const replica = node.replicas.get(shard);
      return replica?.isReady === true && replica.applied.index === this.history.shard(shard).applied;
    });
  }

  async #help(node: ShardNode): Promise<void> {
    if (node === this.#keeper) throw new Error(`the first node needs nobody: ${this.#standing(node)}`);
    for (const { shard, span } of this.history.living) {
      const replica = node.replicas.get(shard);
      if (replica?.isReady === true && replica.applied.index === this.history.shard(shard).applied) continue;
      await node.makeRoom(span, shard);
      if ((await node.take(this.#keeper, shard, null)) === 'taken') return;
    }
  }

  #standing(node: ShardNode): string {
    return this.history.living
      .map(({ shard }) => {
        const replica = node.replicas.get(shard);
        const waits = JSON.stringify(replica?.waitsFor ?? null);
        return `${shard}: ${replica?.applied.index} of ${this.history.shard(shard).applied}, waits for ${waits}`;
      })
      .join('; ');
  }

  async #compare(node: ShardNode): Promise<void> {
    for (const { shard } of this.history.living) {
      const logged: LoggedShard = this.history.shard(shard);
      const replica = node.replicas.get(shard);
      if (replica === undefined) throw new Error(`no replica of shard ${shard}`);
      assert.equal(replica.applied.index, logged.applied);
      node.judge(replica, logged.present);
    }
    await node.run(node.store.commitNow());
  }

  #some<T>(list: readonly T[]): T | undefined {
    return list[this.#random.below(Math.max(1, list.length))];
  }
}

/** For mutations. */
export async function run(seed: number): Promise<{ readonly violation: null }> {
  await new ReplicasRun(seed).go();
  return { violation: null };
}
