import { RpcError, Status } from '@flotilla/wire';
import type { RequestOptions } from '../connection/requester.ts';
import { clientError, toEtcdError } from '../errors.ts';
import type { EtcdError } from '../errors.ts';
import type { Entry } from '../entry.ts';
import { when } from '../kv/compare.ts';
import type { KeyValues } from '../kv/kv.ts';
import { op } from '../kv/operations.ts';
import type { Lease } from '../lease/lease.ts';
import { limits } from '../limits.ts';
import type { ClientWorld } from '../platform.ts';
import type { KeyOrSpan, Span } from '../span.ts';
import { joinSignals } from '../waiting.ts';
import type { Watcher, WatchOptions } from '../watch/watcher.ts';

/** What locks and elections need of a client. */
export interface QueueClient extends KeyValues {
  readonly world: ClientWorld;
  watch(keys: KeyOrSpan, options?: WatchOptions): Watcher;
  lease(ttlSeconds?: number, options?: RequestOptions): Promise<Lease>;
}

export interface QueueOptions {
  /** Of the lease that is granted for this place and ends with it. Default: 30 s. */
  readonly ttlSeconds?: number;
  /** A lease to use instead: the place ends with it. Of one lease there is one place in a queue. */
  readonly lease?: Lease;
  /** How long to wait for one's turn; absent: for ever. */
  readonly timeoutMs?: number;
  /** Leaves the queue. */
  readonly signal?: AbortSignal;
}

/** A key in a queue. */
export interface Place {
  readonly key: string;
  /** That made the key: places are served in the order of these. */
  readonly revision: number;
  readonly lease: Lease;
  /** The lease was granted for this place. */
  readonly ownsLease: boolean;
}

/**
 * Who waits for something, and in which order: keys `<name>/<lease in hexadecimal>`, the oldest of which has it. That
 * is how etcd's own locks and elections are written, so that all who use them exclude each other.
 */
export class Queue {
  readonly client: QueueClient;
  readonly name: string;
  readonly #span: Span;

  constructor(client: QueueClient, name: string) {
    this.client = client;
    this.name = name;
    this.#span = { prefix: `${name}/` };
  }

  async enter(value: string | Uint8Array, options: QueueOptions): Promise<Place> {
    const lease = options.lease ?? (await this.client.lease(options.ttlSeconds ?? limits.leaseTtlSeconds));
    const ownsLease = options.lease === undefined;
    const key = `${this.name}/${lease.id.toString(16)}`;
    try {
      const { succeeded, revision, results } = await this.client
        .if(when.missing(key))
        .do(op.put(key, value, { lease }))
        .else(op.get(key))
        .commit({ repeatable: true });
      if (succeeded) return { key, revision, lease, ownsLease };
      const [entry] = results;
      if (entry === null) throw clientError('FLOTILLA_LOCK_LOST', `${key} was there and is gone`);
      if (entry.text !== String(value)) await this.client.put(key, value, { lease });
      return { key, revision: entry.createRevision, lease, ownsLease };
    } catch (error) {
      if (ownsLease) lease.release().catch(ignore);
      throw error;
    }
  }

  /** Gives a place up that was not had yet. */
  async leave({ key, revision, lease, ownsLease }: Place): Promise<void> {
    const options = { timeoutMs: limits.revokeTimeoutMs };
    if (ownsLease) await lease.release(options);
    else {
      const isMine = when.createRevision(key, '=', revision);
      await this.client
        .if(isMine)
        .do(op.delete(key))
        .commit({ ...options, repeatable: true });
    }
  }

  /** Whether the place is the first now, and of which revision that was true. */
  async isFirst(place: Place): Promise<{ readonly isFirst: boolean; readonly revision: number }> {
    const first = await this.client.range(this.#span, { sortBy: 'createRevision', limit: 1 });
    return { isFirst: first.entries[0]?.createRevision === place.revision, revision: first.revision };
  }

  /** Resolves when nobody is before the place any more, with a revision of which that was true. */
  async wait(place: Place, options: QueueOptions): Promise<number> {
    const timeout = new AbortController();
    const { platform } = this.client.world;
    const timer =
      options.timeoutMs === undefined
        ? null
        : platform.timer(options.timeoutMs, 'wait for a lock', () => timeout.abort(notInTime(this.name)));
    const { signal, release } = joinSignals(options.signal, place.lease.signal, timeout.signal);
    try {
      return await this.#untilFirst(place, signal);
    } catch (error) {
      await this.leave(place).catch(ignore);
      throw error;
    } finally {
      timer?.cancel();
      release();
    }
  }

  /** The head of the queue. */
  async first(options?: RequestOptions): Promise<Entry | null> {
    const range = { sortBy: 'createRevision', limit: 1 } as const;
    return (await this.client.range(this.#span, { ...range, ...options })).entries[0] ?? null;
  }

  get span(): Span {
    return this.#span;
  }

  async #untilFirst(place: Place, signal: AbortSignal): Promise<number> {
    for (;;) {
      if (signal.aborted) throw given(signal);
      const before = await this.client.range(this.#span, {
        sortBy: 'createRevision',
        order: 'descending',
        limit: 1,
        maxCreateRevision: place.revision - 1,
      });
      const [neighbour] = before.entries;
      if (neighbour === undefined) return this.#stillThere(place);
      // Only the one before: when it goes, not everybody who waits is woken.
      const watch = this.client.watch(neighbour.keyBytes, {
        startRevision: before.revision + 1,
        only: 'delete',
        compacted: 'skip',
        signal,
      });
      await watch.next();
      watch.close();
    }
  }

  /** One's own key may have gone while one waited; then somebody else may be the first. */
  async #stillThere(place: Place): Promise<number> {
    const { entries, revision } = await this.client.range(place.key);
    if (entries[0]?.createRevision === place.revision) return revision;
    throw clientError('FLOTILLA_LOCK_LOST', `${place.key} was deleted while it waited`);
  }
}

function notInTime(name: string): EtcdError {
  const error = new RpcError(Status.DEADLINE_EXCEEDED, `${name} was not to be had in time`);
  return toEtcdError(error, 'not executed');
}

function given(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : toEtcdError(reason, 'not executed');
}

function ignore(): void {}
