import type { Platform } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import { fromEventLoop, generatedTape, type SimNode, World } from '@flotilla/sim';
import {
  noOrigin,
  type OrderedStorage,
  type OrderMachine,
  orderShard,
  type RangeChange,
  type ShardId,
} from '@flotilla/store';
import { PutRequest, RangeRequest } from '@flotilla/wire';
import type { Member } from '../../src/member/member.ts';
import type { NodeShard } from '../../src/shards/types.ts';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { leaderIndex } from '../cluster/leader-index.ts';
import { MemberNode } from '../cluster/member-node.ts';
import type { CrashPoint } from '../crashes/crash-point.ts';
import { WrittenHistory } from '../cluster/written-history.ts';
import { isDone } from '../transactions/shards-at-rest.ts';
import { describeReplica } from './replica-state.ts';

const patience = { timeoutMs: 10_000 };

export interface ShardLabOptions {
  readonly members: number;
  readonly seed?: number;
  /** Entries after which a log is compacted, all but the last five. */
  readonly snapshotCount?: number;
  /** Puts itself between members and their disks. */
  readonly crashes?: CrashPoint;
}

/** Whole members over simulated sockets, disks and clocks, whose cluster a test shards, splits, merges and breaks. */
export class ShardLab {
  readonly world: World;
  readonly nodes: readonly SimNode[];
  readonly members: readonly MemberNode[];
  /** Of replicas that have converged. */
  comparedSums = 0;

  private constructor({ members: count, seed = 1, snapshotCount = 10_000, crashes }: ShardLabOptions) {
    this.world = new World({ tape: generatedTape(seed) });
    const settings = {
      electionMs: 1_000,
      heartbeatMs: 100,
      snapshotCount,
      host: {},
      commitDelayMs: 5,
      flushDelayMs: 5,
      ...(crashes === undefined
        ? {}
        : {
            wrapStorage: (storage: OrderedStorage, platform: Platform) => crashes.storage(storage, platform),
          }),
    };
    const names = Array.from({ length: count }, (_, i) => `n${i + 1}`);
    const written = new WrittenHistory(this.world);
    this.members = names.map(
      (name) => new MemberNode(this.world, settings, name, names, written, () => undefined, shortTails),
    );
    this.nodes = this.members.map((member) =>
      this.world.addNode(member.name, (platform) => member.main(crashes?.platform(platform) ?? platform)),
    );
  }

  static run(options: ShardLabOptions, test: (lab: ShardLab) => void) {
    return fromEventLoop(() => {
      const lab = new ShardLab(options);
      try {
        for (const node of lab.nodes) node.start();
        lab.until('a leader', () => lab.leader >= 0);
        lab.until('all to be up', () => lab.members.every(({ member }) => member !== null));
        lab.until('all to have told of themselves', () => lab.running[0]?.membership.level === 3);
        test(lab);
        if (lab.world.violation !== null) throw new Error(lab.world.violation.message);
      } finally {
        lab.world.end();
      }
    });
  }

  /** Of group 0. −1: nobody. */
  get leader(): number {
    return leaderIndex(this.nodes, this.members);
  }

  get running(): readonly Member[] {
    return this.members.flatMap(({ member }, i) =>
      member !== null && (this.nodes[i] as SimNode).running ? [member] : [],
    );
  }

  member(index: number): Member {
    const { member } = this.members[index] as MemberNode;
    if (member === null) throw new Error(`member ${index + 1} does not run`);
    return member;
  }

  pass(ms: number): void {
    this.world.run(ms);
    if (this.world.violation !== null) throw new Error(this.world.violation.message);
  }

  until(what: string, holds: () => boolean, withinMs = 30_000): void {
    this.world.run(withinMs, holds);
    if (this.world.violation !== null) {
      throw new Error(`${this.world.violation.message}\n${this.world.violation.stack ?? ''}`);
    }
    if (!holds()) throw new Error(`waited in vain for ${what}`);
  }

  /** Does it in the present life of a member; what it rejects with is thrown. */
  act<Result>(index: number, action: (member: Member) => Promise<Result>): Result {
    const ended = this.start(index, action);
    this.until('it to end', () => ended.result !== undefined || ended.error !== undefined);
    if (ended.error !== undefined) throw ended.error as Error;
    return ended.result as Result;
  }

  /** Goes on while the world does. */
  start<Result>(
    index: number,
    action: (member: Member) => Promise<Result>,
  ): { result: Result | undefined; error: unknown } {
    const ended: { result: Result | undefined; error: unknown } = { result: undefined, error: undefined };
    const run = (): void => {
      action(this.member(index)).then(
        (result) => (ended.result = result),
        (error: unknown) => (ended.error = error),
      );
    };
    this.world.after(0, run, (this.nodes[index] as SimNode).life);
    return ended;
  }

  // Shards.

  begin(): void {
    this.act(0, async ({ shards, membership }) => {
      const nodes = membership.members.map(({ nodeId }) => ({ node: nodeId, zone: '', labels: [] }));
      await shards.propose({ kind: 'begin', nodes }, patience);
      return true;
    });
    this.until('all to be sharded', () => this.running.every(({ shards }) => shards.order !== null));
  }

  order(index = 0): OrderMachine {
    const { order } = this.member(index).shards;
    if (order === null) throw new Error('the cluster is not sharded');
    return order;
  }

  change(change: RangeChange, index = 0): void {
    const row = this.order(index).map.row(change.shard);
    if (row === null) throw new Error(`there is no shard ${change.shard}`);
    const before = this.order(index).map.configuration;
    this.act(index, async ({ shards }) => {
      await shards.log(change.shard, { kind: 'barrier', change, range: row.range }, patience);
      return true;
    });
    this.until(`the ${change.kind}`, () => this.order(index).map.configuration > before);
  }

  /** The id of the child. */
  split(at: string, index = 0): ShardId {
    const { shard } = this.order(index).map.ofKey(bytesOf(at));
    this.change({ kind: 'split', shard, at: bytesOf(at) }, index);
    return this.order(index).map.ofKey(bytesOf(at)).shard;
  }

  /** Until a shard has a leader that can serve. */
  led(shard: ShardId): void {
    this.until(`a leader of shard ${shard}`, () => this.leaderOf(shard) !== null);
  }

  leaderOf(shard: ShardId): Member | null {
    const leads = ({ shards }: Member): boolean => {
      const replica = shards.replica(shard);
      return replica !== null && replica.leads && replica.isReady;
    };
    return this.running.find(leads) ?? null;
  }

  put(key: string, value: string, index = 0): number {
    const request = PutRequest.encode(PutRequest.create({ key: bytesOf(key), value: bytesOf(value) }));
    const { header } = this.act(index, ({ backend }) => backend.write('put', request, noOrigin));
    return header?.revision ?? 0;
  }

  get(key: string, index = 0): string | null {
    const request = RangeRequest.create({ key: bytesOf(key) });
    const { kvs } = this.act(index, async ({ backend }) => {
      await backend.readBarrier();
      return await backend.range(request);
    });
    const [kv] = kvs;
    return kv === undefined ? null : new TextDecoder().decode(kv.value);
  }

  assign(shard: ShardId, nodes: readonly number[]): void {
    const { configuration } = this.order();
    this.act(0, async ({ shards }) => {
      await shards.propose({ kind: 'assign', shard, nodes, configuration: configuration.number }, patience);
      return true;
    });
    this.until(
      `shard ${shard} to be on ${nodes.join()}`,
      () => this.order().map.row(shard)?.nodes.join() === nodes.join(),
    );
  }

  nodeId(index: number): NodeId {
    return this.member(index).shards.nodeId;
  }

  // What must hold.

  /** Every replica has applied everything, nothing waits, and all of a shard say the same. */
  converge(): void {
    this.until('everything to be applied', () => this.#isQuiet);
    this.until('all to have been read', () =>
      this.running.every(({ shards }) => [...shards.summed()].every(({ sums }) => sums.length > 0)),
    );
    for (const { shard } of this.order().map.rows) this.#requireEqual(shard);
  }

  get #isQuiet(): boolean {
    const orders = this.running.map(({ shards }) => shards.order);
    const [first] = orders;
    if (first === null || first === undefined) return false;
    if (orders.some((order) => order?.index !== first.index)) return false;
    return first.map.rows.every(({ shard, nodes }) => {
      const holders = this.running.filter(({ shards }) => shards.replica(shard) !== null);
      const isPlaced = shard === orderShard || holders.length === nodes.length;
      return isPlaced && holders.every(({ shards }) => this.#isDone(shards.replica(shard), first));
    });
  }

  #isDone(replica: NodeShard | null, order: OrderMachine): boolean {
    return replica !== null && replica.isReady && isDone(replica.machine, order);
  }

  #requireEqual(shard: ShardId): void {
    const states = this.running.flatMap(({ shards }) => {
      const replica = shards.replica(shard);
      return replica === null ? [] : [describeReplica(replica.machine)];
    });
    for (const state of states) {
      if (state !== states[0]) throw new Error(`replicas of shard ${shard} differ:\n${states.join('\n')}`);
    }
    this.#requireEqualSums(shard);
  }

  /** At every index of the shard's log that two of its replicas tell. */
  #requireEqualSums(shard: ShardId): void {
    const known = new Map<number, number>();
    for (const { shards } of this.running) {
      const { sums } = [...shards.summed()].find(({ id }) => id === shard) ?? { sums: [] };
      for (const { index, sum } of sums) {
        if ((known.get(index) ?? sum) !== sum) throw new Error(`sums of shard ${shard} differ at ${index}`);
        if (known.has(index)) this.comparedSums += 1;
        known.set(index, sum);
      }
    }
  }
}

const shortTails = {
  settings: () => [['snapshot-catchup-entries', '5']] as const,
  removed: () => undefined,
};
