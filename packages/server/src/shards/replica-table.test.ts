import { assert } from '@flotilla/platform';
import {
  configurationOf,
  type Entry,
  type Group,
  type GroupStatus,
  type Host,
  type Index,
  type NodeId,
  type Term,
} from '@flotilla/raft';
import {
  Database,
  encodeOrderEntry,
  encodeProposal,
  encodeShardEntry,
  MemoryStorage,
  type OrderEntry,
  type ShardEntry,
  type ShardId,
  storageTables,
  UserRules,
} from '@flotilla/store';
import { expect, test } from 'vitest';
import { VirtualPlatform } from '../../../store/test/virtual-platform.ts';
import { bytesOf } from '../../simulation/cluster/etcd-messages.ts';
import { ReplicaTable } from './replica-table.ts';
import { ShardAnswers } from './shard-answers.ts';
import { SpareReplicas } from './spare-replicas.ts';

const nodeId = 1 as NodeId;

/** Groups that open when a test lets them. */
class SlowHost {
  readonly calls: string[] = [];
  readonly #waiting = new Map<ShardId, () => void>();
  status: Partial<GroupStatus> = { role: 'follower', leader: nodeId, held: null };

  get host(): Host {
    const { calls } = this;
    const host: Partial<Host> = {
      removedGroups: [],
      openGroup: async ({ id }) => {
        calls.push(`open ${id}`);
        await new Promise<void>((resolve) => this.#waiting.set(id, resolve));
        calls.push(`opened ${id}`);
        const group: Partial<Group<unknown>> = {
          onRoleChange: () => () => undefined,
          onRemoved: () => undefined,
          status: () => this.status as GroupStatus,
          resume: () => calls.push(`resume ${id}`),
        };
        return group as Group<never>;
      },
      removeGroup: (id) => {
        calls.push(`remove ${id}`);
        return Promise.resolve();
      },
    };
    return host as Host;
  }

  opens(shard: ShardId): void {
    this.#waiting.get(shard)?.();
  }
}

/** The replicas of a node whose shard 0 is a real one, over groups that are none. */
class TableLab {
  readonly platform: VirtualPlatform;
  readonly host = new SlowHost();
  readonly errors: unknown[] = [];
  readonly table: ReplicaTable;
  readonly #database: Database;

  private constructor(platform: VirtualPlatform, database: Database) {
    this.platform = platform;
    this.#database = database;
    const { host } = this.host;
    const flush = (): Promise<void> => database.store.flushNow();
    const failed = (error: unknown): void => void this.errors.push(error);
    const letGo = (): void => undefined;
    this.table = new ReplicaTable({
      platform,
      nodeId,
      host,
      store: database.store,
      access: (encoded) => UserRules.decode(encoded),
      flush,
      order: () => database.order,
      applied: () => undefined,
      answers: (replica) =>
        new ShardAnswers({
          platform,
          busy: new Set(),
          machine: () => (replica.isReady ? replica.machine : null),
          order: () => database.order,
          frontier: () => Promise.reject(new Error('nobody asks for it')),
        }),
      roleChanged: () => undefined,
      changed: () => undefined,
      resumeOrder: () => undefined,
      orderHeldMs: () => 0,
      spares: new SpareReplicas({ platform, nodeId, host, flush, letGo, failed }),
      letGo,
      failed,
    });
    database.keepOrder({
      applied: ({ effects }) => {
        for (const effect of effects) {
          if (effect.kind === 'shard' && effect.effect.kind === 'split') {
            this.table.spawnedOfOrder(effect.effect.child, [nodeId]);
          }
        }
      },
      mapChanged: () => undefined,
      drained: () => null,
      restored: () => undefined,
      superseded: () => undefined,
    });
  }

  static async open(): Promise<TableLab> {
    const platform = new VirtualPlatform(1);
    const options = { image: null, maxCommitDelayMs: 0, maxFlushDelayMs: 0 };
    const storage = new MemoryStorage(platform, storageTables, options);
    const lab = new TableLab(platform, await Database.open(platform, storage));
    lab.say({ kind: 'begin', nodes: [{ node: nodeId, zone: '', labels: [] }] });
    return lab;
  }

  say(entry: OrderEntry): void {
    const payload = encodeProposal({ kind: 'order', requestId: 0, request: encodeOrderEntry(entry) });
    this.#database.apply([entryAt(this.#database.applied.index + 1, payload)]);
  }

  log(shard: ShardId, entry: ShardEntry): void {
    const replica = this.table.get(shard)?.replica;
    replica?.apply([entryAt(replica.applied.index + 1, encodeShardEntry(entry))]);
  }

  /** Off shard 0. */
  split(at: string): ShardId {
    const row = this.#database.order?.map.row(0);
    assert(row !== null && row !== undefined, 'it is sharded');
    const { range } = row;
    const change = { kind: 'split', shard: 0, at: bytesOf(at) } as const;
    this.say({ kind: 'own', entry: { kind: 'barrier', change, range } });
    this.say({ kind: 'range', change, range, nodes: [nodeId] });
    return this.#database.order?.map.ofKey(bytesOf(at)).shard ?? -1;
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 20; i += 1) await this.platform.advance(10);
  }
}

function entryAt(index: number, payload: Uint8Array): Entry {
  return { index: index as Index, term: 1 as Term, kind: 'command', payload };
}

test('a child that comes before the stored replicas are opened is opened once', async () => {
  const lab = await TableLab.open();
  const shard = lab.split('m');
  const opening = lab.table.open();
  await lab.settle();
  lab.host.opens(shard);
  await lab.settle();
  await opening;
  expect(lab.host.calls.filter((call) => call.startsWith('open '))).toEqual([`open ${shard}`]);
  expect(lab.errors).toEqual([]);
});

test('a replica that goes while its group is being opened waits for that', async () => {
  const lab = await TableLab.open();
  const shard = lab.split('m');
  await lab.settle();
  const held = lab.table.get(shard);
  assert(held !== null, 'the child is here');
  lab.table.drop(held);
  await lab.settle();
  expect(lab.host.calls).toEqual([`open ${shard}`]);
  lab.host.opens(shard);
  await lab.settle();
  expect(lab.host.calls).toEqual([`open ${shard}`, `opened ${shard}`, `remove ${shard}`]);
  expect(lab.errors).toEqual([]);
  expect(held.replica.hasEnded).toBe(true);
});

test('who waits for a neighbour is asked again when a snapshot has completed that', async () => {
  const lab = await TableLab.open();
  const right = lab.split('t');
  const left = lab.split('m');
  await lab.settle();
  for (const shard of [left, right]) lab.host.opens(shard);
  await lab.settle();
  const change = { kind: 'merge', shard: right, into: left } as const;
  lab.log(right, { kind: 'barrier', change, range: 1 });
  await lab.settle();
  lab.host.calls.length = 0;
  const held = lab.table.get(right);
  assert(held !== null, 'the neighbour is here');
  lab.table.restored(held.replica);
  await lab.settle();
  expect(lab.host.calls).toEqual([`resume ${left}`]);
});

test('a replica without a state believes its own log before what it hears of its membership', async () => {
  const lab = await TableLab.open();
  const shard = lab.split('m');
  lab.host.status = { ...lab.host.status, lastIndex: 20 as Index, configuration: configurationOf([1, 2, 3]) };
  const gone = lab.table.get(shard);
  assert(gone !== null, 'the child is here');
  lab.host.opens(shard);
  await lab.settle();
  lab.table.drop(gone);
  await lab.settle();
  const opened = lab.table.openEmpty({
    shard,
    span: { from: bytesOf('m'), to: null },
    appliedIndex: 1,
    orderIndex: 1,
  });
  await lab.settle();
  lab.host.opens(shard);
  await lab.settle();
  await opened;
  expect(lab.table.get(shard)?.replica.stateMissing).toBe(true);
  // Scenario 58, seed 2: it is opened before it is a member, and whoever is asked may be behind.
  lab.table.disowned(shard, 21);
  expect(lab.table.get(shard)).not.toBeNull();
  lab.table.dropped(shard, 9);
  expect(lab.table.get(shard)).not.toBeNull();
  lab.table.dropped(shard, 21);
  expect(lab.table.get(shard)).toBeNull();
  await lab.settle();
  expect(lab.errors).toEqual([]);
});
