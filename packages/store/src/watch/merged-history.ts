import { FlotillaError, type Platform } from '@flotilla/platform';
import { limits } from '../limits.ts';
import type { OrderEntry } from '../order/order-entry.ts';
import type { OrderMachine } from '../order/order-machine.ts';
import type { ShardRow } from '../order/shard-map.ts';
import { intersection, type KeySpan } from '../shard/key-span.ts';
import { orderShard, type ShardId } from '../shard/shard-entry.ts';
import type { EventAnswer, EventPosition, EventRequest, ShardEvent } from './event-page.ts';
import type { HistoryPage, HistoryRequest, SharedHistory } from './history.ts';
import { comparePlaces } from './read-events.ts';
import { SpanSet } from './span-set.ts';

/** This node's copy of the order. */
export type WatchedOrder = Pick<OrderMachine, 'index' | 'frontier' | 'compactRevision' | 'map' | 'lastFact'>;

export interface MergedHistoryParts {
  readonly platform: Platform;
  /** Another one after a snapshot. */
  order(): WatchedOrder;
  newest(): Promise<number>;
  /** Asks replicas, until one has an answer or its patience is over. A `FlotillaError` is as good as no answer. */
  read(request: EventRequest): Promise<EventAnswer>;
}

/** What is to be asked of one shard. */
interface Part {
  readonly shard: ShardId;
  readonly spans: readonly KeySpan[];
  readonly from: number;
}

/** `moved`: the keys have another shard by now, which the order here may know already. */
type PartResult = 'missing' | 'moved' | 'read';

/**
 * The history of all shards as one. No index of revisions is kept: each shard that has keys of what is watched is asked
 * for its events, and they are put together by revision and, within a transaction over several shards, by the order of
 * its operations. A shard that has written nothing since everything of it was read is not asked.
 */
export class MergedHistory implements SharedHistory {
  readonly #parts: MergedHistoryParts;
  /** By shard: the last entry of the order that has numbered writes of it or changed its range, as far as that was seen. */
  readonly #writes = new Map<ShardId, number>();
  /** Entries after this one were seen. */
  #seenFrom: number;
  /** Somewhere the order stood: what was numbered after the revision is of entries after the index. */
  #mark: { readonly index: number; readonly revision: number };
  /** Beyond what the order here knows: a replica has said so. */
  #compacted = -1;
  /** Shards that nobody could be asked about, and when they may be asked for again. */
  readonly #suspects = new Map<ShardId, { readonly untilMs: number; readonly delayMs: number }>();

  constructor(parts: MergedHistoryParts) {
    this.#parts = parts;
    const { index, frontier: revision } = parts.order();
    this.#seenFrom = index;
    this.#mark = { index, revision };
  }

  get revision(): number {
    return this.#parts.order().frontier;
  }

  get compactRevision(): number {
    return Math.max(this.#compacted, this.#parts.order().compactRevision);
  }

  newest(): Promise<number> {
    return this.#parts.newest();
  }

  /** To be told of every entry of the order, when it is applied here. */
  applied(entry: OrderEntry): void {
    const { index, map } = this.#parts.order();
    if (entry.kind === 'cut') {
      for (const { shard } of entry.counts) this.#writes.set(shard, index);
      for (const { participants } of entry.decisions) {
        for (const shard of participants) this.#writes.set(shard, index);
      }
    } else if (entry.kind === 'range') {
      // What one has written is another's now.
      this.#writes.clear();
      for (const { shard } of map.rows) this.#writes.set(shard, index);
    }
  }

  /** A snapshot has taken the place of entries that were not seen. */
  restored(): void {
    this.#writes.clear();
    this.#seenFrom = this.#parts.order().index;
  }

  async read(request: HistoryRequest): Promise<HistoryPage> {
    for (let attempt = 1; ; attempt += 1) {
      const { index, frontier } = this.#parts.order();
      const { parts, missing } = this.#plan(request);
      const gathered = new GatheredEvents(request);
      const results = await this.#readParts(parts, request, gathered);
      const isLast = attempt === limits.watchPlans || this.#parts.order().index === index;
      if (results.includes('moved') && !isLast) continue;
      results.forEach((result, i) => {
        if (result !== 'read') missing.push(...(parts[i] as Part).spans);
      });
      const page = gathered.page(missing);
      // What is read next is asked for from there on.
      if (request.live && page.through === frontier) this.#mark = { index, revision: frontier };
      return page;
    }
  }

  // Whom to ask.

  #plan(request: HistoryRequest): { readonly parts: readonly Part[]; readonly missing: KeySpan[] } {
    const nowMs = this.#parts.platform.now();
    const parts: Part[] = [];
    const missing: KeySpan[] = [];
    const least = request.parts.reduce((from, part) => Math.min(from, part.from), Infinity);
    for (const row of this.#parts.order().map.rows) {
      // Most shards are idle for most pages: what they have of the spans is not even looked at.
      if (this.#isIdle(row.shard, least)) continue;
      const part = partOf(row, request);
      if (part === null || this.#isIdle(part.shard, part.from)) continue;
      const suspect = this.#suspects.get(part.shard);
      if (suspect !== undefined && suspect.untilMs > nowMs) missing.push(...part.spans);
      else parts.push(part);
    }
    return { parts, missing };
  }

  /** Whether the shard has certainly nothing that is new. */
  #isIdle(shard: ShardId, from: number): boolean {
    const { index, revision } = this.#mark;
    // Its own writes are their own order.
    if (shard === orderShard || from <= revision || index < this.#seenFrom) return false;
    return (this.#writes.get(shard) ?? 0) <= index;
  }

  // Asking.

  async #readParts(
    parts: readonly Part[],
    request: HistoryRequest,
    gathered: GatheredEvents,
  ): Promise<PartResult[]> {
    const results: PartResult[] = [];
    let next = 0;
    const share = Math.max(1, Math.min(parts.length, limits.watchShardReads));
    const work = async (): Promise<void> => {
      for (let i = next++; i < parts.length; i = next++) {
        results[i] = await this.#readPart(parts[i] as Part, request, share, gathered);
      }
    };
    await Promise.all(Array.from({ length: share }, work));
    return results;
  }

  /** At least one whole revision, if there is any. No further than others have let the page go by then. */
  async #readPart(
    part: Part,
    request: HistoryRequest,
    share: number,
    gathered: GatheredEvents,
  ): Promise<PartResult> {
    const { shard, spans } = part;
    const { previous, live } = request;
    const { through } = gathered;
    if (part.from > through) return 'read';
    const maxEvents = Math.ceil(request.maxEvents / share);
    const maxBytes = Math.ceil(request.maxBytes / share);
    const events: ShardEvent[] = [];
    let from: EventPosition = { revision: part.from, skip: 0 };
    for (;;) {
      const order = this.#parts.order();
      const lastFact = order.lastFact(shard, order.index);
      if (lastFact === null) return 'moved';
      const asked = { shard, lastFact, spans, from, through, previous, live, maxEvents, maxBytes };
      const answer = await this.#ask(asked);
      if (answer.kind === 'compacted') {
        this.#compacted = Math.max(this.#compacted, answer.revision);
        return 'missing';
      }
      if (answer.kind === 'elsewhere') return 'moved';
      if (answer.kind === 'behind') {
        this.#suspect(shard);
        return 'missing';
      }
      this.#suspects.delete(shard);
      for (const event of answer.events) events.push(event);
      const { next } = answer;
      if (next !== null && next.revision <= part.from) {
        from = next;
        continue;
      }
      gathered.add(events, next === null ? through : next.revision - 1);
      return 'read';
    }
  }

  async #ask(request: EventRequest): Promise<EventAnswer> {
    try {
      return await this.#parts.read(request);
    } catch (error) {
      if (!(error instanceof FlotillaError)) throw error;
      return { kind: 'behind' };
    }
  }

  #suspect(shard: ShardId): void {
    const before = this.#suspects.get(shard)?.delayMs ?? limits.watchBackoffMs / 2;
    const delayMs = Math.min(2 * before, limits.watchBackoffMaxMs);
    this.#suspects.set(shard, { untilMs: this.#parts.platform.now() + delayMs, delayMs });
  }
}

/**
 * Events of many shards on their way into one page. What is beyond the bounds of the page is dropped as it comes, by whole
 * revisions, and read again with the next one: however many shards there are, no more is in memory than a page and what
 * is being asked for.
 */
class GatheredEvents {
  /** All events up to here fit, as far as they have come. */
  through: number;
  readonly #bounds: Pick<HistoryRequest, 'maxBytes' | 'maxEvents'>;
  #events: ShardEvent[] = [];
  #bytes = 0;

  constructor({ through, maxBytes, maxEvents }: HistoryRequest) {
    this.through = through;
    this.#bounds = { maxBytes, maxEvents };
  }

  /** Of a shard: all that it has, up to a revision. */
  add(events: readonly ShardEvent[], through: number): void {
    this.through = Math.min(this.through, through);
    for (const event of events) {
      if (event.revision > this.through) break;
      this.#events.push(event);
      this.#bytes += bytesOf(event);
    }
    const { maxBytes, maxEvents } = this.#bounds;
    if (this.#bytes > maxBytes || this.#events.length > maxEvents) this.#shorten();
  }

  page(missing: KeySpan[]): HistoryPage {
    const events = this.#events.filter(({ revision }) => revision <= this.through);
    return { events: events.sort(compareEvents), through: this.through, missing };
  }

  /** To as many revisions as fit, or the first one. */
  #shorten(): void {
    const { maxBytes, maxEvents } = this.#bounds;
    const sorted = this.#events.filter(({ revision }) => revision <= this.through).sort(compareEvents);
    let [bytes, kept] = [0, 0];
    this.#bytes = 0;
    for (let i = 0; i < sorted.length; i += 1) {
      const { revision } = sorted[i] as ShardEvent;
      bytes += bytesOf(sorted[i] as ShardEvent);
      const isWhole = sorted[i + 1]?.revision !== revision;
      if (!isWhole) continue;
      if (kept > 0 && (bytes > maxBytes || i + 1 > maxEvents)) break;
      kept = i + 1;
      this.#bytes = bytes;
    }
    this.#events = sorted.slice(0, kept);
    const first = sorted[kept];
    if (first !== undefined) this.through = first.revision - 1;
  }
}

function bytesOf({ kv, previous }: ShardEvent): number {
  return sizeOf(kv) + (previous === null ? 0 : sizeOf(previous));
}

function sizeOf({ key, value }: ShardEvent['kv']): number {
  return key.length + value.length;
}

/** What is asked of a row; null: nothing of it. */
function partOf({ shard, span: whole }: ShardRow, { parts, through }: HistoryRequest): Part | null {
  const spans: KeySpan[] = [];
  let from = Infinity;
  for (const part of parts) {
    if (part.from > through) continue;
    const span = intersection(whole, part.span);
    if (span === null) continue;
    spans.push(span);
    from = Math.min(from, part.from);
  }
  return spans.length === 0 ? null : { shard, spans: new SpanSet(spans, limits.watchSpans).spans, from };
}

/** Events of one revision are in several shards by a transaction over them, or because its shard was split. */
function compareEvents(a: ShardEvent, b: ShardEvent): number {
  return a.revision === b.revision ? comparePlaces(a, b) : a.revision - b.revision;
}
