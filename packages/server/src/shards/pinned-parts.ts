import { FlotillaError, type Platform, type Timer, unreachable } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import {
  countPage,
  decodePlain,
  encodePlain,
  intersection,
  type KeySpan,
  limits as storeLimits,
  type Page,
  type PageRequest,
  type PinnedKeys,
  readPage,
  type RecordPiece,
  RecordStream,
  type ShardId,
  type ShardRow,
} from '@flotilla/store';
import { etcdErrors } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { Changes } from './changes.ts';
import type { Deadline } from './deadline.ts';
import { inParallel } from './in-parallel.ts';
import { decodePage, encodePage } from './page-message.ts';
import type { ReadPlace } from './reader.ts';
import type { ShardNode } from './types.ts';

/** What the keys are pinned for. */
export type PinnedFor =
  /** Every record up to a revision: nothing more may be compacted than was at the place. */
  | { readonly kind: 'records'; readonly compactRevision: number; readonly through: number }
  /** Reads at a revision: that one may not be compacted. */
  | { readonly kind: 'pages'; readonly revision: number };

interface Opening {
  readonly shard: ShardId;
  readonly span: KeySpan;
  readonly lastFact: number;
  readonly what: PinnedFor;
}

type Question =
  | { readonly kind: 'open'; readonly opening: Opening }
  | { readonly kind: 'records'; readonly pinned: number; readonly maxBytes: number }
  | { readonly kind: 'page'; readonly pinned: number; readonly request: PageRequest }
  | { readonly kind: 'count'; readonly pinned: number; readonly span: KeySpan; readonly revision: number }
  /** Somebody will read on, though not soon. */
  | { readonly kind: 'keep'; readonly pinned: number }
  | { readonly kind: 'close'; readonly pinned: number };

type Reply =
  | { readonly kind: 'opened'; readonly pinned: number }
  | { readonly kind: 'records'; readonly piece: RecordPiece }
  | { readonly kind: 'page'; readonly page: Uint8Array }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'kept' }
  /** More is compacted there than when the reading began. */
  | { readonly kind: 'compacted' }
  /** Not here, not yet, or no more: somebody else, or everything again. */
  | { readonly kind: 'not-here' };

interface OpenPin {
  readonly keys: PinnedKeys;
  readonly records: RecordStream | null;
  timer: Timer;
}

/** What a shard had of some keys, at whichever node it is pinned. */
export interface PinnedPart {
  readonly span: KeySpan;
  /** The next ones, of keys that are pinned for records. Each of these throws `FLOTILLA_SHARD_UNREACHABLE` when it is lost. */
  records(maxBytes: number): Promise<RecordPiece>;
  page(request: PageRequest): Promise<Page>;
  count(span: KeySpan, revision: number): Promise<number>;
  close(): void;
}

/**
 * Keys of shards as they were at a place in the order, pinned at replicas that had everything of it: what takes long to
 * read stays as it was, whatever is written, compacted, split or moved meanwhile. A replica that is lost takes its part
 * with it.
 */
export class PinnedParts {
  readonly #platform: Platform;
  readonly #node: ShardNode;
  readonly #changes: Changes;
  /** For other nodes, which may forget them. */
  readonly #open = new Map<number, OpenPin>();
  #lastPinned = 0;
  /** Of this node's own clients: what each has pinned here shares a view or few. */
  #readings = 0;

  constructor(platform: Platform, node: ShardNode, changes: Changes) {
    this.#platform = platform;
    this.#node = node;
    this.#changes = changes;
    node.handle(path, (body) => this.#serve(body));
  }

  /**
   * In the order of their keys; each has to be closed. Throws `etcdErrors.compacted` when compaction has overtaken it,
   * `FLOTILLA_READ_TIMEOUT` when nobody has a part in time, and `etcdErrors.tooManyRequests` when so many readings are open
   * that the storage has no view to spare.
   */
  async open(span: KeySpan, at: ReadPlace, what: PinnedFor, deadline: Deadline): Promise<PinnedPart[]> {
    if (this.#readings >= storeLimits.pinnedReads) throw etcdErrors.tooManyRequests;
    this.#readings += 1;
    try {
      return this.#counted(await this.#openAll(span, at, what, deadline));
    } catch (error) {
      this.#readings -= 1;
      throw error;
    }
  }

  /** The reading is over with the last of its parts. */
  #counted(parts: readonly PinnedPart[]): PinnedPart[] {
    const open = new Set(parts);
    return parts.map((part) => ({
      ...part,
      close: () => {
        if (!open.delete(part)) return;
        part.close();
        if (open.size === 0) this.#readings -= 1;
      },
    }));
  }

  async #openAll(
    span: KeySpan,
    at: ReadPlace,
    what: PinnedFor,
    deadline: Deadline,
  ): Promise<readonly PinnedPart[]> {
    const { order } = this.#node;
    if (order === null) throw etcdErrors.unhealthy;
    const spans = order.map.of([span]).map((row) => intersection(row.span, span) as KeySpan);
    const opened: PinnedPart[] = [];
    let isGivenUp = false;
    try {
      const parts = await inParallel(spans, limits.shardReadsAtOnce, async (one) => {
        const own: PinnedPart[] = [];
        // Ranges may change meanwhile: what is pinned stays as it is, and the rest is where the map says by then.
        for (let left: KeySpan | null = one; left !== null;) {
          const part: PinnedPart = await this.#part(left, at, what, deadline);
          if (isGivenUp) {
            // Another one has failed meanwhile: nobody else closes this one.
            part.close();
            break;
          }
          opened.push(part);
          own.push(part);
          left = isSameEnd(part.span.to, one.to) ? null : { from: part.span.to as Uint8Array, to: one.to };
        }
        return own;
      });
      return parts.flat();
    } catch (error) {
      isGivenUp = true;
      for (const part of opened) part.close();
      throw error;
    }
  }

  stop(): void {
    for (const pinned of this.#open.keys()) this.#close(pinned);
  }

  /** Of the first shard of these keys. */
  async #part(left: KeySpan, at: ReadPlace, what: PinnedFor, deadline: Deadline): Promise<PinnedPart> {
    const untilMs = this.#platform.now() + limits.shardRecordsOpenMs;
    for (let attempt = 0; ; attempt += 1) {
      deadline.requireTimeToRead();
      const { order } = this.#node;
      if (order === null) throw etcdErrors.unhealthy;
      const row = order.map.of([left])[0] as ShardRow;
      const { shard } = row;
      const span = intersection(row.span, left) as KeySpan;
      const lastFact = at.index === null ? 0 : order.lastFact(shard, at.index);
      if (lastFact !== null) {
        const opening = { shard, span, lastFact, what };
        const opened = this.#openedHere(opening) ?? (await this.#openedElsewhere(opening, attempt));
        if (opened === 'compacted') return await this.#overtaken(at);
        if (opened !== null) return opened;
      }
      if (this.#platform.now() >= untilMs) throw tooLate(shard);
      await this.#changes.next(Math.min(deadline.leftMs, limits.shardReadPauseMs));
    }
  }

  /** What compacted it there is soon known here: then whoever reads can begin anew. */
  async #overtaken({ compactRevision }: ReadPlace): Promise<never> {
    const isKnown = (): boolean => (this.#node.order?.compactRevision ?? -1) > compactRevision;
    await this.#changes.until(isKnown, limits.shardReadCallMs);
    throw etcdErrors.compacted;
  }

  #openedHere(opening: Opening): PinnedPart | 'compacted' | null {
    const opened = this.#openHere(opening);
    return opened === null || opened === 'compacted' ? opened : this.#local(opening.span, opened);
  }

  async #openedElsewhere(opening: Opening, attempt: number): Promise<PinnedPart | 'compacted' | null> {
    const others = this.#node.nodesOf(opening.shard).filter((id) => id !== this.#node.nodeId);
    const other = others[attempt % Math.max(1, others.length)];
    return other === undefined ? null : await this.#remote(other, opening);
  }

  #openHere({ shard, span, lastFact, what }: Opening): OpenPin | 'compacted' | null {
    const own = this.#node.replica(shard);
    if (own?.isReady !== true) return null;
    const { machine } = own;
    if (!machine.serves([span], lastFact)) return null;
    switch (what.kind) {
      case 'records': {
        const { compactRevision, through } = what;
        if (machine.compactRevision < compactRevision) return null;
        if (machine.compactRevision > compactRevision) return 'compacted';
        const keys = machine.store.pin();
        const { layers, revision } = keys;
        const records = new RecordStream({ layers, revision, compactRevision }, span, through);
        return { keys, records, timer: noTimer };
      }
      case 'pages':
        if (machine.compactRevision > what.revision) return 'compacted';
        return { keys: machine.store.pin(), records: null, timer: noTimer };
      default:
        return unreachable(what);
    }
  }

  #local(span: KeySpan, pin: OpenPin): PinnedPart {
    let isOpen = true;
    const ask = async (question: Question): Promise<Reply> => {
      const reply = answer(pin, question);
      await new Promise<void>((resolve) => this.#platform.defer(resolve));
      return reply;
    };
    const close = (): void => {
      if (isOpen) release(pin);
      isOpen = false;
    };
    return partOver(span, 0, ask, close, () => lostPart(span));
  }

  async #remote(node: NodeId, opening: Opening): Promise<PinnedPart | 'compacted' | null> {
    const reply = await this.#ask(node, { kind: 'open', opening });
    if (reply.kind === 'compacted') return 'compacted';
    if (reply.kind !== 'opened') return null;
    const { pinned } = reply;
    let keeping = noTimer;
    // Others may be read long before it.
    const keepLater = (): void => {
      keeping = this.#platform.timer(limits.unreadAnswerMs / 3, 'shard-pinned-keep', () => {
        void this.#ask(node, { kind: 'keep', pinned });
        keepLater();
      });
    };
    keepLater();
    const close = (): void => {
      keeping.cancel();
      void this.#ask(node, { kind: 'close', pinned });
    };
    const ask = (question: Question): Promise<Reply> => this.#ask(node, question);
    return partOver(opening.span, pinned, ask, close, () => lostPart(opening.span));
  }

  async #ask(node: NodeId, question: Question): Promise<Reply> {
    try {
      const patience = { timeoutMs: limits.shardReadCallMs };
      return decodePlain<Reply>(await this.#node.ask(node, path, encodePlain(question), patience));
    } catch {
      return notHere;
    }
  }

  // For other nodes.

  #serve(body: Uint8Array): Uint8Array {
    return encodePlain(this.#answer(decodePlain<Question>(body)));
  }

  #answer(question: Question): Reply {
    if (question.kind === 'open') return this.#opened(question.opening);
    if (question.kind === 'close') {
      this.#close(question.pinned);
      return notHere;
    }
    const pin = this.#open.get(question.pinned);
    if (pin === undefined) return notHere;
    pin.timer.cancel();
    pin.timer = this.#expiry(question.pinned);
    return answer(pin, question);
  }

  #opened(opening: Opening): Reply {
    const opened = this.#open.size >= limits.shardRecordStreams ? null : this.#openHere(opening);
    if (opened === null) return notHere;
    if (opened === 'compacted') return { kind: 'compacted' };
    this.#lastPinned += 1;
    const pinned = this.#lastPinned;
    opened.timer = this.#expiry(pinned);
    this.#open.set(pinned, opened);
    return { kind: 'opened', pinned };
  }

  #expiry(pinned: number): Timer {
    return this.#platform.timer(limits.unreadAnswerMs, 'shard-pinned', () => this.#close(pinned));
  }

  #close(pinned: number): void {
    const pin = this.#open.get(pinned);
    if (pin === undefined) return;
    this.#open.delete(pinned);
    pin.timer.cancel();
    release(pin);
  }
}

const path = '/shards/pinned';
const noTimer: Timer = { cancel: () => undefined };
const notHere: Reply = { kind: 'not-here' };

/** Of a pin that is there. */
function answer({ keys, records }: OpenPin, question: Question): Reply {
  switch (question.kind) {
    case 'records': {
      if (records === null) return notHere;
      const maxBytes = Math.min(question.maxBytes, limits.shardPageBytes);
      return { kind: 'records', piece: records.next(limits.shardRecordsPiece, maxBytes) };
    }
    case 'page':
      return { kind: 'page', page: encodePage(readPage(keys, question.request)) };
    case 'count':
      return { kind: 'count', count: countPage(keys, question.span, question.revision) };
    case 'keep':
      return { kind: 'kept' };
    case 'open':
    case 'close':
      return notHere;
    default:
      return unreachable(question);
  }
}

function partOver(
  span: KeySpan,
  pinned: number,
  ask: (question: Question) => Promise<Reply>,
  close: () => void,
  lost: () => Error,
): PinnedPart {
  return {
    span,
    records: async (maxBytes) => {
      const reply = await ask({ kind: 'records', pinned, maxBytes });
      if (reply.kind !== 'records') throw lost();
      return reply.piece;
    },
    page: async (request) => {
      const reply = await ask({ kind: 'page', pinned, request });
      if (reply.kind !== 'page') throw lost();
      return decodePage(reply.page);
    },
    count: async (counted, revision) => {
      const reply = await ask({ kind: 'count', pinned, span: counted, revision });
      if (reply.kind !== 'count') throw lost();
      return reply.count;
    },
    close,
  };
}

function release({ keys, records }: OpenPin): void {
  records?.close();
  keys.release();
}

function isSameEnd(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one === null || other === null ? one === other : Buffer.compare(one, other) === 0;
}

function lostPart({ from }: KeySpan): FlotillaError {
  const start = JSON.stringify(Buffer.from(from).toString());
  return new FlotillaError(
    'FLOTILLA_SHARD_UNREACHABLE',
    `the replica that was read from ${start} on is gone`,
  );
}

function tooLate(shard: ShardId): FlotillaError {
  return new FlotillaError('FLOTILLA_READ_TIMEOUT', `nobody has all of shard ${shard} in time`);
}
