import { type NodeId } from '@flotilla/raft';
import type { OrderEntry, ShardEntry, ShardId } from '@flotilla/store';
import { isFlotillaError } from '@flotilla/platform';
import { RpcError } from '@flotilla/wire';
import type { Member } from '../../../src/member/member.ts';
import { paths } from '../../../src/shards/node-messages.ts';

interface Asked {
  readonly to: NodeId;
  readonly path: string;
  readonly body: Uint8Array;
}

const patience = { timeoutMs: 2_000 };

/** Messages that have a replica begin or end. */
const moving: readonly string[] = [paths.open, paths.drop];

/**
 * Everything that changed who serves what, and every request that was logged, as it was: so that all of it can come once
 * more, late. That is what lost answers, slow messages and leaders that hang make of it.
 */
export class LateCopies {
  readonly #ordered = new Map<number, OrderEntry>();
  readonly #logged: { readonly shard: ShardId; readonly entry: ShardEntry }[] = [];
  readonly #asked: Asked[] = [];
  #isReplaying = false;

  /** One life of a member. */
  watch({ shards }: Member): void {
    shards.onOrder(({ entry, index }) => {
      if (entry !== null && !this.#isReplaying) this.#ordered.set(index, entry);
    });
    shards.onApplied(({ shard, entry }) => {
      if (!this.#isReplaying && shards.held(shard)?.leads === true) this.#logged.push({ shard, entry });
    });
    const ask = shards.ask.bind(shards);
    shards.ask = (to, path, body, ...more) => {
      if (moving.includes(path) && !this.#isReplaying) this.#asked.push({ to, path, body });
      return ask(to, path, body, ...more);
    };
  }

  /** All of it comes again, in the order in which it came, through this member. */
  async replay({ shards }: Member): Promise<number> {
    this.#isReplaying = true;
    const copies = [
      ...[...this.#ordered.values()].map((entry) => () => shards.propose(entry, patience)),
      ...this.#logged.map(
        ({ shard, entry }) =>
          () =>
            shards.log(shard, entry, patience),
      ),
      ...this.#asked.map(
        ({ to, path, body }) =>
          () =>
            shards.ask(to, path, body, patience),
      ),
    ];
    for (const copy of copies) {
      try {
        await copy();
      } catch (error) {
        // Refused, as it should be, or for a shard that is not there any more.
        if (!isFlotillaError(error) && !(error instanceof RpcError)) throw error;
      }
    }
    this.#isReplaying = false;
    return copies.length;
  }
}
