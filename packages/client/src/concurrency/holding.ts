import { FlotillaError } from '@flotilla/platform';
import type { RequestOptions } from '../connection/requester.ts';
import { when } from '../kv/compare.ts';
import type { Condition } from '../kv/compare.ts';
import { op } from '../kv/operations.ts';
import type { Lease } from '../lease/lease.ts';
import { limits } from '../limits.ts';
import { deferred } from '../waiting.ts';
import type { Watcher } from '../watch/watcher.ts';
import type { Place, Queue } from './queue.ts';

/**
 * A place at the head of a queue, as long as its key is there.
 *
 * Nobody can promise that a program notices in time that it holds nothing any more: it may be paused. What it changes
 * must therefore ask for the holding (`client.if(lock.isHeld)`), or carry its {@link Holding.revision} to a service
 * that refuses lower ones than it has seen.
 */
export class Holding {
  readonly key: string;
  /** The fencing token: who holds later has a higher one. */
  readonly revision: number;
  /** True of the cluster for as long as this is held: a condition for transactions. */
  readonly isHeld: Condition;
  readonly lease: Lease;
  protected readonly queue: Queue;
  readonly #ownsLease: boolean;
  readonly #lost = deferred<FlotillaError>();
  readonly #controller = new AbortController();
  readonly #watch: Watcher;
  #state: 'held' | 'released' | 'lost' = 'held';

  /** `seenRevision`: of the cluster when the place was found to be the first. */
  constructor(queue: Queue, place: Place, seenRevision: number) {
    this.queue = queue;
    this.key = place.key;
    this.revision = place.revision;
    this.isHeld = when.createRevision(place.key, '=', place.revision);
    this.lease = place.lease;
    this.#ownsLease = place.ownsLease;
    this.#watch = queue.client.watch(place.key, { startRevision: seenRevision + 1, compacted: 'skip' });
    this.lease.signal.addEventListener('abort', this.#leaseLost);
    void this.#guard();
    if (!this.lease.isAlive) this.#lose('its lease has ended');
  }

  /** Aborts when the holding is lost, with a `FLOTILLA_LOCK_LOST` as reason. Not when it is released. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves, with the reason, when the holding is lost. */
  get lost(): Promise<FlotillaError> {
    return this.#lost.promise;
  }

  /** As far as this client knows. */
  get isAlive(): boolean {
    return this.#state === 'held';
  }

  /** Lets the next one in. */
  async release(options: RequestOptions = { timeoutMs: limits.revokeTimeoutMs }): Promise<void> {
    if (this.#state !== 'held') return;
    this.#stop('released');
    if (this.#ownsLease) await this.lease.release(options);
    else
      await this.queue.client
        .if(this.isHeld)
        .do(op.delete(this.key))
        .commit({ ...options, repeatable: true });
  }

  /** {@link release}; when no server can be reached the lease ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(ignore);
  }

  readonly #leaseLost = (): void => this.#lose('its lease is lost');

  /** Somebody may delete the key; compacted history may have had its end. */
  async #guard(): Promise<void> {
    try {
      for await (const { events, lost } of this.#watch) {
        if (events.some(({ type }) => type === 'delete')) this.#lose('its key was deleted');
        else if (lost !== null && !(await this.#isThere())) this.#lose('its key is gone');
      }
    } catch (error) {
      this.#lose(`it cannot be watched: ${String(error)}`);
    }
  }

  async #isThere(): Promise<boolean> {
    return (await this.queue.client.get(this.key))?.createRevision === this.revision;
  }

  #lose(why: string): void {
    if (this.#state !== 'held') return;
    this.#stop('lost');
    if (this.#ownsLease) this.lease.release().catch(ignore);
    const error = new FlotillaError('FLOTILLA_LOCK_LOST', `${this.key} is lost: ${why}`);
    this.#lost.resolve(error);
    this.#controller.abort(error);
  }

  #stop(state: 'released' | 'lost'): void {
    this.#state = state;
    this.lease.signal.removeEventListener('abort', this.#leaseLost);
    this.#watch.close();
  }
}

function ignore(): void {}
