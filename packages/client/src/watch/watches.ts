import type { Requester } from '../connection/requester.ts';
import { clientClosed } from '../errors.ts';
import type { KeyOrSpan } from '../span.ts';
import { WatchLane } from './watch-lane.ts';
import { Watcher } from './watcher.ts';
import type { WatchOptions } from './watcher.ts';

/**
 * All watches of a client. They share one stream; one whose reader is slow is given a stream of its own, which is then
 * not read on, so that it holds back its server and nobody else.
 */
export class Watches {
  readonly #requester: Requester;
  readonly #lanes = new Map<Watcher, WatchLane>();
  #shared: WatchLane;

  constructor(requester: Requester) {
    this.#requester = requester;
    this.#shared = new WatchLane(requester, this);
  }

  watch(keys: KeyOrSpan, options: WatchOptions): Watcher {
    const watcher = new Watcher(keys, options, this);
    if (options.signal?.aborted === true) {
      watcher.close();
      return watcher;
    }
    if (this.#requester.closing.aborted) {
      watcher.fail(clientClosed());
      return watcher;
    }
    // A lane that waits for the one slow reader on it is left to that one.
    if (this.#shared.isHeld) this.#shared = new WatchLane(this.#requester, this);
    this.#join(watcher, this.#shared);
    return watcher;
  }

  /** For a lane: this one would hold up the others. */
  isolate(watcher: Watcher): void {
    this.#lanes.get(watcher)?.remove(watcher);
    this.#join(watcher, new WatchLane(this.#requester, this));
  }

  ended(watcher: Watcher): void {
    this.#lanes.get(watcher)?.remove(watcher);
    this.#lanes.delete(watcher);
  }

  drained(watcher: Watcher): void {
    this.#lanes.get(watcher)?.drained();
  }

  close(): void {
    for (const watcher of this.#lanes.keys()) watcher.close();
  }

  #join(watcher: Watcher, lane: WatchLane): void {
    this.#lanes.set(watcher, lane);
    lane.add(watcher);
  }
}
