import type { StorageReader } from '../storage.ts';
import { LogUse } from './log-use.ts';
import type { WriteBuffer } from './write-buffer.ts';

/**
 * The write buffer that is being filled, over those that wait for their commit or are in one, over the last storage
 * commit. All shards of a node share one.
 */
export class LayerStack {
  active: WriteBuffer;
  /** Written no more; the newest first. Usually none or one, more only while the storage is behind. */
  frozen: readonly WriteBuffer[];
  readonly storage: StorageReader;
  /** Who has counts or events that are still on their way into the active buffer. */
  readonly unsettled = new Set<Pending>();
  readonly logs = new LogUse();
  /** Of all that is kept in it. */
  liveBytes = 0;

  constructor(active: WriteBuffer, frozen: readonly WriteBuffer[], storage: StorageReader) {
    this.active = active;
    this.frozen = frozen;
    this.storage = storage;
  }

  /** Before the active buffer is frozen. */
  settle(): void {
    for (const pending of this.unsettled) pending.settle();
  }
}

/** Counts and events on their way into the active buffer. */
export interface Pending {
  settle(): void;
}
