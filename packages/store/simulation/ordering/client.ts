import { RangeResponse } from '@flotilla/wire';
import { range } from '../../src/mvcc/range.ts';
import type { KeySpan } from '../../src/shard/key-span.ts';
import type { RequestOrigin } from '../../src/shard/request-memory.ts';
import type { ClientReply, Cluster, Serving } from './cluster.ts';
import type { OrderingHistory, ReadOperation, WriteOperation } from './history.ts';
import type { OrderingNode } from './node.ts';
import { nameOf } from './witness.ts';
import type { Workload } from './workload.ts';
import type { OrderingWorld } from './world.ts';

const lanes = 2;

/** One client with one session at a time and some requests at once. It asks again until it is answered. */
export class Client {
  readonly #cluster: Cluster;
  readonly #world: OrderingWorld;
  readonly #workload: Workload;
  readonly #history: OrderingHistory;
  readonly #name: string;
  readonly #untilMs: number;
  #session: number | null = null;
  #sessions = 0;
  #nextRequest = 1;
  readonly #open = new Set<number>();
  #seen = 1;
  #idle = 0;
  /** Steps that are left of this session. */
  #left = 0;

  constructor(cluster: Cluster, workload: Workload, history: OrderingHistory, name: string, untilMs: number) {
    this.#cluster = cluster;
    this.#world = cluster.world;
    this.#workload = workload;
    this.#history = history;
    this.#name = name;
    this.#untilMs = untilMs;
    this.#world.at(this.#world.between(0, 20, 'first step'), () => this.#openSession());
  }

  get finished(): boolean {
    return this.#idle === lanes;
  }

  /** For reports. */
  get status(): string {
    return `${this.#name}: session ${this.#session}, open requests ${[...this.#open].join(' ')}, ${this.#idle} of ${lanes} done`;
  }

  #openSession(): void {
    this.#sessions += 1;
    const name = `${this.#name}/${this.#sessions}`;
    this.#nextRequest = 1;
    this.#open.clear();
    this.#session = null;
    this.#left = 8 + this.#world.below(40, 'length of a session');
    const ask = (): void => {
      if (this.#session !== null || this.#world.ended) return;
      const node = this.#node();
      this.#world.send(node, () =>
        this.#cluster.openSession(node, name, (session) => this.#begin(name, session)),
      );
      this.#world.at(this.#world.between(15, 45, 'again'), ask);
    };
    ask();
  }

  #begin(name: string, session: number): void {
    if (this.#session !== null || name !== `${this.#name}/${this.#sessions}`) return;
    this.#session = session;
    for (let lane = 0; lane < lanes; lane += 1) this.#next(session);
  }

  #next(session: number): void {
    const { now } = this.#world;
    if (this.#session !== session) return;
    if (now > this.#untilMs) {
      this.#idle += 1;
      return;
    }
    this.#left -= 1;
    if (this.#left < 0 && !this.#world.healed) {
      this.#endSession(session);
      return;
    }
    const kind = this.#world.below(100, 'step');
    if (kind < 18) this.#read(session, 'read');
    else if (kind < 24) this.#read(session, 'historic');
    else if (kind < 28) this.#read(session, 'serializable');
    else this.#write(session);
  }

  /** What is open stays unknown for ever. */
  #endSession(session: number): void {
    this.#world.coverage.count('session ended');
    this.#cluster.toLeader(0, (lead) => {
      this.#cluster.propose(lead, { kind: 'expire-sessions', sessions: [session] });
    });
    this.#openSession();
  }

  #later(session: number): void {
    this.#world.at(this.#world.between(0, 6, 'think'), () => this.#next(session));
  }

  #write(session: number): void {
    const { now } = this.#world;
    const request = this.#nextRequest;
    this.#nextRequest += 1;
    this.#open.add(request);
    const name = nameOf({ session, request });
    const write = this.#workload.write(name, this.#seen);
    const user = this.#world.chance(30, 'as a user') ? `u${this.#world.below(2, 'user')}` : null;
    const operation: WriteOperation = {
      kind: 'write',
      name,
      user,
      write,
      startMs: now,
      endMs: Infinity,
      answer: null,
    };
    this.#history.writes.set(name, operation);
    let done = false;
    const finish = (): void => {
      done = true;
      if (this.#session !== session) return;
      this.#open.delete(request);
      this.#later(session);
    };
    const reply = (message: ClientReply): void => {
      if (done || this.#session !== session || message.kind === 'retry') return;
      if (message.kind === 'finished') {
        // Only a copy of what was answered can be told so.
        this.#cluster.witness.fail('refused though it was open', `${name} of ${this.#name}`);
        return;
      }
      const { result, revision, effective } = message.answer;
      operation.endMs = this.#world.now;
      operation.answer = { result, revision, effective };
      this.#seen = Math.max(this.#seen, revision);
      finish();
    };
    const ask = (): void => {
      if (done || this.#session !== session || this.#world.ended) return;
      const node = this.#node();
      const origin: RequestOrigin = { session, request, floor: Math.min(...this.#open) };
      const caller = user === null ? null : { name: user, authRevision: 1 };
      this.#world.send(node, () => this.#cluster.write(node, { origin, user: caller, write }, reply));
      this.#world.at(this.#world.between(25, 80, 'again'), ask);
    };
    ask();
    if (!this.#world.healed && this.#world.chance(3, 'abandon')) {
      this.#world.at(this.#world.between(1, 40, 'patience'), () => {
        if (!done) finish();
      });
    }
  }

  #read(session: number, kind: ReadOperation['kind']): void {
    const span = this.#workload.span();
    const startMs = this.#world.now;
    // A read at a revision that somebody has seen.
    const revision = kind === 'historic' ? 1 + this.#world.below(this.#seen, 'at revision') : 0;
    let done = false;
    let tries = 0;
    const reply = (at: number, response: RangeResponse | null): void => {
      if (done || this.#session !== session) return;
      done = true;
      const request = this.#workload.range(span, revision);
      const endMs = this.#world.now;
      this.#history.reads.push({ kind, request, startMs, endMs, revision: at, response });
      if (kind === 'read') this.#seen = Math.max(this.#seen, at);
      this.#later(session);
    };
    const ask = (): void => {
      if (done || this.#session !== session || this.#world.ended) return;
      tries += 1;
      if (kind === 'serializable' && tries > 4) {
        done = true;
        this.#later(session);
        return;
      }
      const node = this.#node();
      this.#world.send(node, () => {
        if (kind === 'serializable') this.#readHere(node, span, reply);
        else this.#readAt(node, span, revision, reply);
      });
      this.#world.at(this.#world.between(25, 55, 'again'), ask);
    };
    ask();
  }

  /** Linearizable: at the frontier, fetched now; or at an older revision, which the frontier says is there. */
  #readAt(
    node: OrderingNode,
    span: KeySpan,
    revision: number,
    reply: (at: number, response: RangeResponse | null) => void,
  ): void {
    const { incarnation } = node;
    const cluster = this.#cluster;
    cluster.frontier(node, (fetched) => {
      let left = 60;
      const poll = (): void => {
        left -= 1;
        if (left === 0 || !node.up || node.incarnation !== incarnation || this.#world.ended) return;
        const at = revision === 0 ? fetched.revision : revision;
        const serving = cluster.serving(node, span, fetched.index);
        if (serving === null) return this.#world.at(3, poll);
        const isCompacted = serving.some(({ replica }) => replica.shard.compactRevision > at);
        // The latest is never compacted; that it is not the latest any more is the replica's affair.
        if (isCompacted && revision === 0) return this.#world.at(3, poll);
        const response = isCompacted || node.order.compactRevision > at ? null : readPieces(serving, at);
        if (response === null && revision === 0)
          return this.#world.at(3, () => this.#readAgain(node, span, reply));
        this.#world.send(node, () => reply(at, response));
      };
      poll();
    });
  }

  /** The frontier that it fetched was compacted meanwhile. */
  #readAgain(
    node: OrderingNode,
    span: KeySpan,
    reply: (at: number, response: RangeResponse | null) => void,
  ): void {
    if (node.up) this.#readAt(node, span, 0, reply);
  }

  /** Serializable: whatever one replica has, as it was at one revision. */
  #readHere(
    node: OrderingNode,
    span: KeySpan,
    reply: (at: number, response: RangeResponse | null) => void,
  ): void {
    const serving = this.#cluster.serving(node, span, null);
    if (serving === null || serving.length !== 1) return;
    const [{ replica }] = serving as [Serving];
    const at = replica.shard.known;
    if (replica.shard.compactRevision > at) return;
    reply(at, readPieces(serving, at));
  }

  #node(): OrderingNode {
    return this.#world.pick(this.#cluster.nodes, 'node');
  }
}

/** One range from several replicas, all of them complete at the revision. */
export function readPieces(serving: readonly Serving[], revision: number): RangeResponse {
  const kvs: RangeResponse['kvs'][number][] = [];
  let count = 0;
  for (const { replica, span } of serving) {
    const { keys, known } = { keys: replica.shard.store.keys, known: replica.shard.known };
    keys.settle();
    const point = {
      layers: keys.layers,
      revision: Math.max(known, revision),
      compactRevision: replica.shard.compactRevision,
    };
    const request = {
      key: span.from,
      rangeEnd: span.to ?? new Uint8Array(1),
      revision,
      limit: 0,
      sortOrder: 0,
      sortTarget: 0,
      serializable: false,
      keysOnly: false,
      countOnly: false,
      minModRevision: 0,
      maxModRevision: 0,
      minCreateRevision: 0,
      maxCreateRevision: 0,
    } as const;
    const response = range(point, request);
    kvs.push(...response.kvs);
    count += response.count;
  }
  return RangeResponse.create({ kvs, count });
}
