import { isFlotillaError, type Platform } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import { type KeySpan, type OrderMachine, orderShard, type ShardId } from '@flotilla/store';
import { limits } from '../limits.ts';
import { decodeMessage, encodeMessage, paths } from './node-messages.ts';
import type { Patience } from './types.ts';

/** A shard that has some keys now, as a map says. */
export interface Heir {
  readonly shard: ShardId;
  /** The version of its range: who has come so far has those keys. */
  readonly range: number;
  /** Where it is to be. */
  readonly nodes: readonly number[];
}

/** A shard that is no more. */
export interface GoneShard {
  readonly shard: ShardId;
  readonly heirs: readonly Heir[];
}

/** What a node says of shards that another one has replicas of. */
export interface GoneAnswer {
  /** How far its order had come. */
  readonly index: number;
  readonly gone: readonly GoneShard[];
}

export interface HeirsParts {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly order: () => OrderMachine | null;
  /** Of group 0, voters and all. */
  readonly orderVoters: () => readonly NodeId[];
  readonly orderMembers: () => readonly NodeId[];
  /** Of any shard that this node has, spare ones too; null: it has none, or no state of it. */
  readonly range: (shard: ShardId) => number | null;
  /** Resolves when everything that is applied survives a crash. */
  readonly flush: () => Promise<void>;
  readonly ask: (node: NodeId, path: string, body: Uint8Array, patience: Patience) => Promise<Uint8Array>;
}

/**
 * Who has the keys of a replica that is one of nobody's any more, and whether they have them for good. That somebody has
 * applied what ended the replica does not say so: a node may lose that in a crash, or itself, and the replica may be what
 * others would have to go on from.
 */
export class Heirs {
  readonly #parts: HeirsParts;

  constructor(parts: HeirsParts) {
    this.#parts = parts;
  }

  /** Of keys, as this node's own map says. */
  of(order: OrderMachine, span: KeySpan): readonly Heir[] {
    return order.map.of([span]).map(({ shard, range, nodes }) => ({
      shard,
      range,
      nodes: shard === orderShard ? this.#parts.orderVoters() : nodes,
    }));
  }

  /** Which of these are no more, as this node's own order says. */
  gone(replicas: readonly { readonly shard: ShardId; readonly span: KeySpan }[]): GoneAnswer {
    const order = this.#parts.order();
    if (order === null) throw new Error('the cluster is not sharded here');
    const gone = replicas.filter(({ shard }) => order.isGone(shard));
    return {
      index: order.index,
      gone: gone.map(({ shard, span }) => ({ shard, heirs: this.of(order, span) })),
    };
  }

  /** Those of the shards that this node has, as far as they are told, through a crash. */
  async kept(heirs: readonly Pick<Heir, 'shard' | 'range'>[]): Promise<readonly ShardId[]> {
    const kept = heirs.filter(({ shard, range }) => {
      return (this.#parts.range(shard) ?? -1) >= range;
    });
    if (kept.length > 0) await this.#parts.flush();
    return kept.map(({ shard }) => shard);
  }

  /**
   * Whether so many have each heir, through a crash, as most of its nodes are. This node is none of them. Where a node of
   * an heir waits for this very replica to go, others count that have what they have split off for it: but for the shard
   * itself, `but`, or all that have it so would rely on each other.
   */
  async haveAll(heirs: readonly Heir[], but: ShardId, waitedMs: number): Promise<boolean> {
    const have = new Map<ShardId, number>();
    const lacks = (heir: Heir): boolean => (have.get(heir.shard) ?? 0) < this.#wanted(heir, waitedMs);
    await this.#count(have, heirs, (heir) => heir.nodes);
    const others = heirs.filter(lacks);
    if (others.some(({ shard }) => shard === but)) return false;
    const everybody = this.#parts.orderMembers();
    await this.#count(have, others, ({ nodes }) => everybody.filter((node) => !nodes.includes(node)));
    return heirs.length > 0 && !heirs.some(lacks);
  }

  /**
   * An heir that is to be here cannot come while the replica is in its way, and nodes that each have such a replica would
   * wait for each other for ever: after a while one that has it suffices, from which this node gets it then.
   */
  #wanted({ nodes }: Heir, waitedMs: number): number {
    const most = Math.floor(nodes.length / 2) + 1;
    if (!nodes.includes(this.#parts.nodeId)) return most;
    return waitedMs > limits.heirsAwaitedMs ? 1 : Math.max(1, Math.min(most, nodes.length - 1));
  }

  async #count(
    have: Map<ShardId, number>,
    heirs: readonly Heir[],
    whom: (heir: Heir) => readonly number[],
  ): Promise<void> {
    const asked = new Map<number, Heir[]>();
    for (const heir of heirs) {
      for (const node of whom(heir)) {
        if (node !== this.#parts.nodeId) asked.set(node, [...(asked.get(node) ?? []), heir]);
      }
    }
    await Promise.all(
      [...asked].map(async ([node, about]) => {
        for (const shard of await this.#askKept(node as NodeId, about)) {
          have.set(shard, (have.get(shard) ?? 0) + 1);
        }
      }),
    );
  }

  async #askKept(node: NodeId, heirs: readonly Heir[]): Promise<readonly ShardId[]> {
    const body = encodeMessage({ heirs: heirs.map(({ shard, range }) => ({ shard, range })) });
    try {
      const answer = await this.#parts.ask(node, paths.kept, body, { timeoutMs: limits.reportMs });
      return decodeMessage<{ readonly kept: readonly ShardId[] }>(answer).kept;
    } catch (error) {
      if (isFlotillaError(error, 'FLOTILLA_STOPPED')) throw error;
      return [];
    }
  }
}
