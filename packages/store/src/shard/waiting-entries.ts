import { type Claim, conflicts } from './prepared.ts';
import type { PrepareEntry, RequestEntry } from './shard-entry.ts';
import { type Footprint, footprintOf } from './write-request.ts';

/** A request or a Prepare that may have to wait. */
export interface WaitingEntry {
  readonly entry: RequestEntry | PrepareEntry;
  readonly footprint: Footprint;
  /** In the shard's log. */
  readonly position: number;
  /** A frontier that was fetched after it was applied first. */
  fresh: number | null;
  /** Whether it was let in before: a barrier does not hold it up. */
  admitted: boolean;
}

/** What is stored of one. */
export type StoredWaiting = Pick<WaitingEntry, 'entry' | 'position' | 'fresh'>;

/** Entries of a shard that wait for a lock, a number or each other, in the order of the log: rules 7, 9. */
export class WaitingEntries {
  #items: WaitingEntry[];

  constructor(stored: readonly StoredWaiting[] = []) {
    this.#items = stored.map(({ entry, position, fresh }) => ({
      ...waitingEntry(entry, position),
      fresh,
      admitted: true,
    }));
  }

  get stored(): StoredWaiting[] {
    return this.#items.map(({ entry, position, fresh }) => ({ entry, position, fresh }));
  }

  get size(): number {
    return this.#items.length;
  }

  /** What their keys and values take. */
  get bytes(): number {
    return this.#items.reduce((sum, { footprint }) => sum + footprint.bytes, 0);
  }

  add(item: WaitingEntry): void {
    item.admitted = true;
    this.#items.push(item);
  }

  /** Tries each once more, in order; what is not over stays. Whoever tries finds those before it that stay, and no others. */
  retry(isOver: (item: WaitingEntry) => boolean): void {
    const items = this.#items;
    this.#items = [];
    for (const item of items) if (!isOver(item)) this.#items.push(item);
  }

  hasPrepare(transaction: string): boolean {
    return this.#items.some(({ entry }) => entry.kind === 'prepare' && entry.transaction === transaction);
  }

  /** Whether something waits that must not be overtaken by it. */
  holdsUp(claim: Claim): boolean {
    return this.#items.some((item) => conflicts(claimOf(item), claim));
  }

  /** The place in the log of the newest that waits for a frontier beyond `known`; null: none does. */
  frontierWantedAt(known: number): number | null {
    let position: number | null = null;
    for (const item of this.#items) {
      if (item.fresh === null && item.footprint.newestRead > known) position = item.position;
    }
    return position;
  }

  /** A frontier was fetched after everything up to `asked` had been applied. */
  frontier(asked: number, revision: number): void {
    for (const item of this.#items) {
      if (item.position <= asked) item.fresh = Math.max(item.fresh ?? 0, revision);
    }
  }
}

/** One that has just come. */
export function waitingEntry(entry: RequestEntry | PrepareEntry, position: number): WaitingEntry {
  const footprint = entry.kind === 'request' ? footprintOf(entry.write) : fragmentFootprint(entry);
  return { entry, footprint, position, fresh: null, admitted: false };
}

export function fragmentFootprint({ fragment }: Pick<PrepareEntry, 'fragment'>): Footprint {
  if (fragment === null)
    return { spans: [], leases: [], horizon: 0, newestRead: 0, oldestRead: 0, filtersOwn: false, bytes: 0 };
  return footprintOf({ kind: 'txn', request: fragment });
}

function claimOf({ entry, footprint }: WaitingEntry): Claim {
  return { ...footprint, revokes: entry.kind === 'prepare' ? entry.revokes : null };
}
