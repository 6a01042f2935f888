import { FlotillaError } from '@flotilla/platform';
import type { World } from '@flotilla/sim';
import { holdsKey, orderShard, type RangeChange, type ShardRow } from '@flotilla/store';
import { RpcError } from '@flotilla/wire';
import type { Member } from '../../src/member/member.ts';
import { bytesOf } from '../cluster/etcd-messages.ts';
import type { MemberNode } from '../cluster/member-node.ts';
import { letters } from './key-spread.ts';

const restMs = 120;
const patience = { timeoutMs: 2_000 };
const shardsMax = 8;
const replicas = 3;
/** Of proposals: every member understands orders. */
const orderLevel = 3;

export interface ShardChangesOptions {
  readonly world: World;
  readonly members: readonly MemberNode[];
  readonly goesOn: () => boolean;
}

/**
 * Has a cluster sharded as soon as it can be, and then splits, merges and moves shards all the while, through whichever
 * member. Nobody waits for the end of one change before the next.
 */
export class ShardChanges {
  readonly #options: ShardChangesOptions;

  constructor(options: ShardChangesOptions) {
    this.#options = options;
  }

  start(): void {
    const { world, goesOn } = this.#options;
    world.after(restMs * (0.25 + world.tape.choose(16, 'rest of who changes shards') / 8), () => {
      if (!goesOn()) return;
      this.#act();
      this.start();
    });
  }

  #act(): void {
    const { world, members } = this.#options;
    const running = members.filter(({ name, member }) => member !== null && world.node(name).running);
    const asked = running[world.tape.choose(Math.max(1, running.length), 'member that changes shards')];
    if (asked?.member === undefined || asked.member === null) return;
    const change = this.#draw(asked.member);
    if (change === null) return;
    const run = (): void => {
      change().then(
        () => world.coverage.count('change of shards taken'),
        (error: unknown) => {
          if (!(error instanceof FlotillaError) && !(error instanceof RpcError)) throw error;
          world.coverage.count('change of shards not taken');
        },
      );
    };
    world.after(0, run, world.node(asked.name).life);
  }

  #draw({ shards, membership }: Member): (() => Promise<void>) | null {
    const { world } = this.#options;
    const { order } = shards;
    if (order === null) {
      if (membership.level < orderLevel) return null;
      const nodes = membership.members.map(({ nodeId }) => ({ node: nodeId, zone: '', labels: [] }));
      return () => shards.propose({ kind: 'begin', nodes }, patience);
    }
    const { rows } = order.map;
    const row = rows[world.tape.choose(rows.length, 'shard')] as ShardRow;
    const drawn = world.tape.choose(7, 'change of shards');
    if (drawn >= 5 && row.shard !== orderShard) {
      const all = membership.members.map(({ nodeId }) => nodeId);
      const first = world.tape.choose(all.length, 'first node');
      // With fewer than are wanted, the control of shards brings others back: whoever comes gets a snapshot.
      const count = replicas - world.tape.choose(replicas, 'replicas fewer');
      const nodes = all.map((_, i) => all[(first + i) % all.length] as number).slice(0, count);
      const configuration = order.configuration.number;
      const sorted = [...nodes].sort((a, b) => a - b);
      return () =>
        shards.propose({ kind: 'assign', shard: row.shard, nodes: sorted, configuration }, patience);
    }
    const change = this.#rangeChange(rows, row, drawn < 3);
    if (change === null) return null;
    const range = order.map.row(change.shard)?.range ?? 0;
    return () => shards.log(change.shard, { kind: 'barrier', change, range }, patience);
  }

  #rangeChange(rows: readonly ShardRow[], row: ShardRow, splits: boolean): RangeChange | null {
    const { world } = this.#options;
    if (splits && rows.length < shardsMax) {
      const letter = letters[world.tape.choose(letters.length, 'letter')] as string;
      const at = bytesOf(world.tape.chance(1, 2, 'within a letter') ? `${letter}/m` : letter);
      const { shard, span } = rows.find((other) => holdsKey(other.span, at)) ?? row;
      return Buffer.compare(at, span.from) > 0 ? { kind: 'split', shard, at } : null;
    }
    const next = rows[rows.indexOf(row) + 1];
    if (next === undefined || next.shard === orderShard) return null;
    return { kind: 'merge', shard: next.shard, into: row.shard };
  }
}
