import { FlotillaError, type Platform, type Timer, unreachable } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import {
  compareRecords,
  decodePlain,
  encodePlain,
  intersection,
  type KeySpan,
  type OrderedRecord,
  type PinnedKeys,
  type RecordPiece,
  RecordStream,
  type ShardId,
} from '@flotilla/store';
import { etcdErrors } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { Changes } from './changes.ts';
import type { Deadline } from './deadline.ts';
import type { ReadPlace } from './reader.ts';
import type { ShardNode } from './types.ts';

interface Opening {
  readonly shard: ShardId;
  readonly span: KeySpan;
  readonly lastFact: number;
  readonly compactRevision: number;
  readonly through: number;
}

type Question =
  | { readonly kind: 'open'; readonly opening: Opening }
  | { readonly kind: 'next'; readonly stream: number }
  | { readonly kind: 'close'; readonly stream: number };

type Reply =
  | { readonly kind: 'opened'; readonly stream: number }
  | { readonly kind: 'piece'; readonly piece: RecordPiece }
  /** Not here, not yet, or no more: somebody else, or everything again. */
  | { readonly kind: 'not-here' };

interface OpenStream {
  readonly records: RecordStream;
  readonly pinned: PinnedKeys;
  timer: Timer;
}

/** Of one shard, wherever it is read. */
interface Source {
  next(): Promise<RecordPiece>;
  close(): void;
}

/**
 * All records that are kept, of all shards, as one stream in one order, each shard's at a replica that has everything of
 * it: what hashes and snapshots are made of. What is in memory is a piece of each shard.
 */
export class RecordParts {
  readonly #platform: Platform;
  readonly #node: ShardNode;
  readonly #changes: Changes;
  /** Of other nodes, which may forget them. */
  readonly #open = new Map<number, OpenStream>();
  #lastStream = 0;

  constructor(platform: Platform, node: ShardNode, changes: Changes) {
    this.#platform = platform;
    this.#node = node;
    this.#changes = changes;
    node.handle(path, (body) => this.#serve(body));
  }

  /** Up to a revision. Throws `FLOTILLA_SHARD_UNREACHABLE` when a replica was lost in the middle. */
  async *all(at: ReadPlace, through: number, deadline: Deadline): AsyncGenerator<OrderedRecord> {
    const sources: Source[] = [];
    try {
      const { order } = this.#node;
      if (order === null) throw etcdErrors.unhealthy;
      for (const { shard, span } of order.map.rows) {
        sources.push(await this.#source(shard, span, at, through, deadline));
      }
      yield* merged(sources);
    } finally {
      for (const source of sources) source.close();
    }
  }

  stop(): void {
    for (const stream of this.#open.keys()) this.#close(stream);
  }

  async #source(
    shard: ShardId,
    span: KeySpan,
    at: ReadPlace,
    through: number,
    deadline: Deadline,
  ): Promise<Source> {
    const { compactRevision } = at;
    for (let attempt = 0; ; attempt += 1) {
      deadline.requireTimeToRead();
      const lastFact = this.#node.order?.lastFact(shard, at.index ?? 0) ?? null;
      if (lastFact === null) throw lost(shard);
      const opening = { shard, span, lastFact, compactRevision, through };
      const own = this.#openHere(opening);
      if (own !== null) return this.#local(own);
      const others = this.#node.nodesOf(shard).filter((id) => id !== this.#node.nodeId);
      const other = others[attempt % Math.max(1, others.length)];
      const remote = other === undefined ? null : await this.#remote(other, opening);
      if (remote !== null) return remote;
      await this.#changes.next(Math.min(deadline.leftMs, limits.shardReadPauseMs));
    }
  }

  #openHere({ shard, span, lastFact, compactRevision, through }: Opening): OpenStream | null {
    const own = this.#node.replica(shard);
    if (own?.isReady !== true) return null;
    const { machine } = own;
    const isComplete = machine.serves([span], lastFact) && machine.compactRevision === compactRevision;
    if (!isComplete) return null;
    const pinned = machine.store.pin();
    const part = intersection(machine.span, span) as KeySpan;
    const records = new RecordStream({ ...pointOf(pinned), compactRevision }, part, through);
    return { records, pinned, timer: noTimer };
  }

  #local({ records, pinned }: OpenStream): Source {
    let isOpen = true;
    return {
      next: async () => {
        const piece = records.next(limits.shardRecordsPiece);
        await new Promise<void>((resolve) => this.#platform.defer(resolve));
        return piece;
      },
      close: () => {
        if (!isOpen) return;
        isOpen = false;
        records.close();
        pinned.release();
      },
    };
  }

  async #remote(node: NodeId, opening: Opening): Promise<Source | null> {
    const reply = await this.#ask(node, { kind: 'open', opening });
    if (reply.kind !== 'opened') return null;
    const { stream } = reply;
    return {
      next: async () => {
        const next = await this.#ask(node, { kind: 'next', stream });
        if (next.kind !== 'piece') throw lost(opening.shard);
        return next.piece;
      },
      close: () => {
        void this.#ask(node, { kind: 'close', stream });
      },
    };
  }

  async #ask(node: NodeId, question: Question): Promise<Reply> {
    try {
      const patience = { timeoutMs: limits.shardReadCallMs };
      return decodePlain<Reply>(await this.#node.ask(node, path, encodePlain(question), patience));
    } catch {
      return { kind: 'not-here' };
    }
  }

  // For other nodes.

  #serve(body: Uint8Array): Uint8Array {
    return encodePlain(this.#answer(decodePlain<Question>(body)));
  }

  #answer(question: Question): Reply {
    switch (question.kind) {
      case 'open': {
        const opened = this.#open.size >= limits.shardRecordStreams ? null : this.#openHere(question.opening);
        if (opened === null) return { kind: 'not-here' };
        this.#lastStream += 1;
        const stream = this.#lastStream;
        opened.timer = this.#expiry(stream);
        this.#open.set(stream, opened);
        return { kind: 'opened', stream };
      }
      case 'next': {
        const opened = this.#open.get(question.stream);
        if (opened === undefined) return { kind: 'not-here' };
        opened.timer.cancel();
        opened.timer = this.#expiry(question.stream);
        return { kind: 'piece', piece: opened.records.next(limits.shardRecordsPiece) };
      }
      case 'close':
        this.#close(question.stream);
        return { kind: 'not-here' };
      default:
        return unreachable(question);
    }
  }

  #expiry(stream: number): Timer {
    return this.#platform.timer(limits.unreadAnswerMs, 'shard-records', () => this.#close(stream));
  }

  #close(stream: number): void {
    const opened = this.#open.get(stream);
    if (opened === undefined) return;
    this.#open.delete(stream);
    opened.timer.cancel();
    opened.records.close();
    opened.pinned.release();
  }
}

const path = '/shards/records';
const noTimer: Timer = { cancel: () => undefined };

function pointOf({ layers, revision }: PinnedKeys): Pick<PinnedKeys, 'layers' | 'revision'> {
  return { layers, revision };
}

function lost(shard: ShardId): FlotillaError {
  return new FlotillaError(
    'FLOTILLA_SHARD_UNREACHABLE',
    `the replica of shard ${shard} that was read is gone`,
  );
}

/** In their one order, with places in their revisions that no two of them share. */
async function* merged(sources: readonly Source[]): AsyncGenerator<OrderedRecord> {
  const heads: Head[] = [];
  for (const source of sources) {
    const head = new Head(source);
    if (await head.advance()) heads.push(head);
  }
  let last = { revision: -1, sub: -1 };
  while (heads.length > 0) {
    heads.sort((a, b) => compareRecords(a.record, b.record));
    const first = heads[0] as Head;
    const { record } = first;
    const sub = record.revision === last.revision ? Math.max(record.sub, last.sub + 1) : record.sub;
    last = { revision: record.revision, sub };
    yield { ...record, sub };
    if (!(await first.advance())) heads.shift();
  }
}

class Head {
  record!: OrderedRecord;
  readonly #source: Source;
  #piece: RecordPiece = { records: [], isOver: false };
  #at = 0;

  constructor(source: Source) {
    this.#source = source;
  }

  /** False: there is no other. */
  async advance(): Promise<boolean> {
    while (this.#at >= this.#piece.records.length) {
      if (this.#piece.isOver) return false;
      this.#piece = await this.#source.next();
      this.#at = 0;
    }
    this.record = this.#piece.records[this.#at] as OrderedRecord;
    this.#at += 1;
    return true;
  }
}
