import type { Bytes } from '../bytes.ts';
import type { RequestOptions } from '../connection/requester.ts';
import type { Entry } from '../entry.ts';
import { clientError } from '../errors.ts';
import { op } from '../kv/operations.ts';
import { Holding } from './holding.ts';
import { Queue } from './queue.ts';
import type { QueueClient, QueueOptions } from './queue.ts';

/** An office that is held. */
export class Leadership extends Holding {
  /** Says something else to those who observe the election. Rejects with `FLOTILLA_LOCK_LOST` out of office. */
  async proclaim(value: Bytes, options?: RequestOptions): Promise<void> {
    const put = op.put(this.key, value, { lease: this.lease });
    const { succeeded } = await this.queue.client.if(this.isHeld).do(put).commit(options);
    if (!succeeded) throw clientError('FLOTILLA_LOCK_LOST', `${this.key} leads no more`);
  }

  /** Gives the office up. */
  resign(options?: RequestOptions): Promise<void> {
    return this.release(options);
  }
}

/**
 * An office that one at a time holds, and what the holder says.
 *
 * @example
 * await using leadership = await client.election('elections/scheduler').campaign('10.0.0.7:8080');
 * await runUntil(leadership.signal);
 */
export class Election {
  readonly #queue: Queue;

  constructor(client: QueueClient, name: string) {
    this.#queue = new Queue(client, name);
  }

  /** Waits until it is elected. `value` is what others read of it, also while it waits. */
  async campaign(value: Bytes, options: QueueOptions = {}): Promise<Leadership> {
    const place = await this.#queue.enter(value, options);
    return new Leadership(this.#queue, place, await this.#queue.wait(place, options));
  }

  /** Who leads, as what it has proclaimed; null: nobody. */
  leader(options?: RequestOptions): Promise<Entry | null> {
    return this.#queue.first(options);
  }

  /** Each leader and each of its proclamations, from the present one on; null: nobody leads. Ends with the signal. */
  async *observe(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<Entry | null> {
    let told: Entry | null | undefined;
    for await (const leader of this.#leaders(options)) {
      if (told !== undefined && leader?.modRevision === told?.modRevision) continue;
      told = leader;
      yield leader;
    }
  }

  async *#leaders(options: { readonly signal?: AbortSignal }): AsyncGenerator<Entry | null> {
    const { client, span } = this.#queue;
    const read = async (): Promise<[Map<string, Entry>, number]> => {
      const { entries, revision } = await client.range(span, options);
      return [new Map(entries.map((entry) => [entry.key, entry])), revision];
    };
    let [candidates, revision] = await read();
    yield oldest(candidates);
    const watch = client.watch(span, { startRevision: revision + 1, compacted: 'skip', ...options });
    for await (const batch of watch) {
      if (batch.lost !== null) [candidates, revision] = await read();
      // What was read again may be newer than what the watch still has to tell.
      if (batch.revision <= revision && batch.lost === null) continue;
      for (const { type, entry } of batch.events) {
        if (type === 'put') candidates.set(entry.key, entry);
        else candidates.delete(entry.key);
      }
      yield oldest(candidates);
    }
  }
}

function oldest(candidates: ReadonlyMap<string, Entry>): Entry | null {
  let first: Entry | null = null;
  for (const entry of candidates.values()) {
    if (first === null || entry.createRevision < first.createRevision) first = entry;
  }
  return first;
}
