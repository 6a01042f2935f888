import { type Platform, unreachable } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import {
  countPage,
  decodePlain,
  encodePlain,
  holdsKey,
  intersection,
  type KeySpan,
  type OrderMachine,
  type Page,
  type PageRequest,
  readPage,
  type RequestOrigin,
  type ShardId,
  type ShardMachine,
} from '@flotilla/store';
import { etcdErrors } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { Changes } from './changes.ts';
import type { Deadline } from './deadline.ts';
import { inParallel } from './in-parallel.ts';
import { decodePage, encodePage } from './page-message.ts';
import type { ShardNode } from './types.ts';

/** What is asked of one replica. */
type Question =
  | { readonly kind: 'page'; readonly request: PageRequest }
  | { readonly kind: 'count'; readonly span: KeySpan; readonly revision: number }
  | { readonly kind: 'lease-keys'; readonly span: KeySpan; readonly lease: bigint }
  | { readonly kind: 'settled'; readonly span: KeySpan; readonly session: number; readonly request: number };

type Reply =
  | { readonly kind: 'page'; readonly page: Page }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'lease-keys'; readonly keys: readonly Uint8Array[] }
  | { readonly kind: 'settled'; readonly isSettled: boolean };

type Refusal =
  /** It has no replica of the shard, or one of other keys. */
  | { readonly kind: 'elsewhere' }
  /** Its replica has not applied what it must. */
  | { readonly kind: 'behind' }
  /** The revision is gone. */
  | { readonly kind: 'compacted' };

/** A place in the order that a replica must have come to. */
export interface ReadAt {
  /** Null: this node's own replicas, wherever they are, have the revision. */
  readonly index: number | null;
  readonly revision: number;
}

export interface PartReaderParts {
  readonly platform: Platform;
  readonly node: ShardNode;
  readonly changes: Changes;
}

/**
 * Reads parts of the keyspace at a place in the order, each at a replica that has all of it: this node's own, or another
 * node's (rule 10). Nothing is locked and nobody is waited for but the replica itself.
 */
export class PartReader {
  readonly #platform: Platform;
  readonly #node: ShardNode;
  readonly #changes: Changes;

  constructor({ platform, node, changes }: PartReaderParts) {
    this.#platform = platform;
    this.#node = node;
    this.#changes = changes;
    node.handle(path, (body) => this.#serve(body));
  }

  /** The first keys of the span, or the last: what one shard has of them, and no more than is asked for. */
  async page(request: PageRequest, at: ReadAt, deadline: Deadline): Promise<Page> {
    const { span, reverse } = request;
    const [reply, part] = await this.#ask(
      (order) => partOf(order, span, reverse),
      (own) => ({ kind: 'page', request: { ...request, span: own } }),
      at,
      deadline,
    );
    if (reply.kind !== 'page') return unreachable(reply as never);
    return { ...reply.page, rest: restOf(span, part, reply.page.rest, reverse) };
  }

  /** How many keys the span has. `deadline`: of each shard. */
  async count(span: KeySpan, at: ReadAt, revision: number, deadline: () => Deadline): Promise<number> {
    let count = 0;
    for (let left: KeySpan | null = span; left !== null;) {
      const whole: KeySpan = left;
      const [reply, part] = await this.#ask(
        (order) => partOf(order, whole, false),
        (own) => ({ kind: 'count', span: own, revision }),
        at,
        deadline(),
      );
      if (reply.kind !== 'count') return unreachable(reply as never);
      count += reply.count;
      left = restOf(whole, part, null, false);
    }
    return count;
  }

  /** The keys within spans that go with a lease, at this place in the order or later, sorted. */
  async keysOf(
    lease: bigint,
    spans: readonly KeySpan[],
    at: ReadAt,
    deadline: Deadline,
  ): Promise<Uint8Array[]> {
    const found = await inParallel(spans, limits.shardReadsAtOnce, (span) =>
      this.#keysIn(span, lease, at, deadline),
    );
    return found.flat().sort(compare);
  }

  async #keysIn(span: KeySpan, lease: bigint, at: ReadAt, deadline: Deadline): Promise<Uint8Array[]> {
    const keys: Uint8Array[] = [];
    for (let left: KeySpan | null = span; left !== null;) {
      const whole: KeySpan = left;
      const [reply, part] = await this.#ask(
        (order) => partOf(order, whole, false),
        (own) => ({ kind: 'lease-keys', span: own, lease }),
        at,
        deadline,
      );
      if (reply.kind !== 'lease-keys') return unreachable(reply as never);
      keys.push(...reply.keys);
      left = restOf(whole, part, null, false);
    }
    return keys;
  }

  /** Whether a request of a session was executed by any of those who have these spans, or would be refused. */
  async isSettled(
    request: Pick<RequestOrigin, 'session' | 'request'>,
    spans: readonly KeySpan[],
    at: ReadAt,
    deadline: Deadline,
  ): Promise<boolean> {
    const told = await inParallel(spans, limits.shardReadsAtOnce, (span) =>
      this.#isSettledIn(span, request, at, deadline),
    );
    return told.includes(true);
  }

  async #isSettledIn(
    span: KeySpan,
    { session, request }: Pick<RequestOrigin, 'session' | 'request'>,
    at: ReadAt,
    deadline: Deadline,
  ): Promise<boolean> {
    for (let left: KeySpan | null = span; left !== null;) {
      const whole: KeySpan = left;
      const [reply, part] = await this.#ask(
        (order) => partOf(order, whole, false),
        (own) => ({ kind: 'settled', span: own, session, request }),
        at,
        deadline,
      );
      if (reply.kind !== 'settled') return unreachable(reply as never);
      if (reply.isSettled) return true;
      left = restOf(whole, part, null, false);
    }
    return false;
  }

  /** Asks until somebody has answered; the map may change meanwhile. */
  async #ask(
    place: (order: OrderMachine) => Part,
    question: (span: KeySpan) => Question,
    at: ReadAt,
    deadline: Deadline,
  ): Promise<readonly [Reply, KeySpan]> {
    const startMs = this.#platform.now();
    for (let attempt = 0; ; attempt += 1) {
      deadline.requireTimeToRead();
      const { order } = this.#node;
      if (order === null) throw etcdErrors.unhealthy;
      const { shard, span } = place(order);
      const lastFact = at.index === null ? 0 : order.lastFact(shard, at.index);
      const asked = question(span);
      const isLate = this.#platform.now() - startMs > limits.shardReadOwnMs;
      const reply =
        lastFact === null
          ? elsewhere
          : await this.#askShard(shard, lastFact, asked, isLate, attempt, deadline);
      if (reply.kind === 'compacted') throw etcdErrors.compacted;
      if (reply.kind !== 'elsewhere' && reply.kind !== 'behind') return [reply, span];
      await this.#changes.next(Math.min(deadline.leftMs, limits.shardReadPauseMs));
    }
  }

  /** At this node if it can be had here; others are asked when it does not come soon. */
  async #askShard(
    shard: ShardId,
    lastFact: number,
    question: Question,
    isLate: boolean,
    attempt: number,
    deadline: Deadline,
  ): Promise<Reply | Refusal> {
    const own = this.#node.replica(shard);
    if (own?.isReady === true) {
      const reply = answer(own.machine, lastFact, question);
      if (reply.kind !== 'elsewhere' && !(reply.kind === 'behind' && isLate)) return reply;
    }
    const others = this.#node.nodesOf(shard).filter((id) => id !== this.#node.nodeId);
    const other = others[attempt % Math.max(1, others.length)];
    return other === undefined ? elsewhere : await this.#askNode(other, shard, lastFact, question, deadline);
  }

  async #askNode(
    node: NodeId,
    shard: ShardId,
    lastFact: number,
    question: Question,
    deadline: Deadline,
  ): Promise<Reply | Refusal> {
    try {
      const body = encodePlain({ shard, lastFact, question });
      const answered = await this.#node.ask(node, path, body, deadline.patience(limits.shardReadCallMs));
      return decodeReply(answered);
    } catch {
      // It does not answer: the next one may.
      return elsewhere;
    }
  }

  /** Another node asks; what has not come yet is waited for, a little. */
  async #serve(body: Uint8Array): Promise<Uint8Array> {
    const { shard, lastFact, question } = decodePlain<{
      readonly shard: ShardId;
      readonly lastFact: number;
      readonly question: Question;
    }>(body);
    const untilMs = this.#platform.now() + limits.shardReadCallMs / 2;
    for (;;) {
      const own = this.#node.replica(shard);
      const reply = own?.isReady === true ? answer(own.machine, lastFact, question) : elsewhere;
      const leftMs = untilMs - this.#platform.now();
      if (reply.kind !== 'behind' || leftMs <= 0) return encodeReply(reply);
      await this.#changes.next(leftMs);
    }
  }
}

const path = '/shards/read';
const elsewhere: Refusal = { kind: 'elsewhere' };
const behind: Refusal = { kind: 'behind' };
const compacted: Refusal = { kind: 'compacted' };

interface Part {
  readonly shard: ShardId;
  readonly span: KeySpan;
}

/** What the first shard of a span has of it, or the last. */
function partOf({ map }: OrderMachine, span: KeySpan, reverse: boolean): Part {
  const rows = map.of([span]);
  const row = (reverse ? rows.at(-1) : rows[0]) as (typeof rows)[number];
  return { shard: row.shard, span: intersection(row.span, span) as KeySpan };
}

/** What is left of a span when a part of it was read but for `rest`. */
function restOf(span: KeySpan, part: KeySpan, rest: KeySpan | null, reverse: boolean): KeySpan | null {
  if (reverse) {
    if (rest !== null) return { from: span.from, to: rest.to };
    return compare(part.from, span.from) === 0 ? null : { from: span.from, to: part.from };
  }
  if (rest !== null) return { from: rest.from, to: span.to };
  if (part.to === null || (span.to !== null && compare(part.to, span.to) === 0)) return null;
  return { from: part.to, to: span.to };
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

function answer(machine: ShardMachine, lastFact: number, question: Question): Reply | Refusal {
  const span = question.kind === 'page' ? question.request.span : question.span;
  if (!machine.owns([span])) return elsewhere;
  if (!machine.serves([span], lastFact)) return behind;
  const { keys, attachments } = machine.store;
  switch (question.kind) {
    case 'page':
      if (machine.compactRevision > question.request.revision) return compacted;
      return { kind: 'page', page: readPage(keys, question.request) };
    case 'count':
      if (machine.compactRevision > question.revision) return compacted;
      return { kind: 'count', count: countPage(keys, span, question.revision) };
    case 'lease-keys':
      return {
        kind: 'lease-keys',
        keys: attachments.keysOf(question.lease).filter((key) => holdsKey(span, key)),
      };
    case 'settled':
      return { kind: 'settled', isSettled: machine.memory.look(question) !== 'new' };
    default:
      return unreachable(question);
  }
}

function encodeReply(reply: Reply | Refusal): Uint8Array {
  return encodePlain(reply.kind === 'page' ? { kind: 'page', page: encodePage(reply.page) } : reply);
}

function decodeReply(bytes: Uint8Array): Reply | Refusal {
  const reply = decodePlain<Reply | Refusal>(bytes);
  return reply.kind === 'page'
    ? { kind: 'page', page: decodePage(reply.page as unknown as Uint8Array) }
    : reply;
}
