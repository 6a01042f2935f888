import { assert, unreachable } from '@flotilla/platform';
import { CompactionResponse, etcdErrors, LeaseGrantResponse, LeaseRevokeResponse } from '@flotilla/wire';
import { type ApplyResult, noAnswer } from '../apply-result.ts';
import { decodePlain, encodePlain } from '../encoding/plain.ts';
import { limits } from '../limits.ts';
import { header } from '../mvcc/header.ts';
import type { LogPosition } from '../mvcc/meta.ts';
import type { RequestOrigin } from '../shard/request-memory.ts';
import {
  type Decision,
  type Fact,
  type FactChange,
  orderShard,
  type RangeChange,
  type ShardEffect,
  type ShardId,
} from '../shard/shard-entry.ts';
import { type OwnOrder, type ShardBounds, ShardMachine } from '../shard/shard-machine.ts';
import type { ShardAccess, ShardStore } from '../shard/shard-store.ts';
import { FactChain } from './fact-chain.ts';
import { LeaseRegistry, type OrderedLease } from './lease-registry.ts';
import type { OrderEffect, OrderEntry, ProposedDecision } from './order-entry.ts';
import { ShardMap, type ShardRow } from './shard-map.ts';

/** What a new cluster's order group begins with: one shard, its own, that has every key. */
export interface OrderParts {
  readonly store: ShardStore;
  readonly access: ShardAccess;
  readonly nodes: readonly number[];
  /** Other shards that are there from the beginning. */
  readonly rows?: readonly ShardRow[];
  readonly bounds?: ShardBounds;
}

/**
 * The order of everything. Its log says which writes of which shards come next, what becomes of transactions over
 * several of them, who serves which keys, and what is true of the whole: leases, sessions, users, compaction. It holds
 * shard 0, whose writes are ordered by their place in this log.
 *
 * Pure and deterministic; the other half of `shard-machine.ts`. docs/ordering.md has the rules.
 */
export class OrderMachine {
  /** Of the last entry that was applied. */
  index = 0;
  /** The last revision that is assigned. */
  frontier: number;
  map: ShardMap;
  compactRevision = -1;
  readonly own: ShardMachine;
  readonly leases: LeaseRegistry;
  readonly #chains = new Map<ShardId, FactChain>();
  /** By number: the name that each was opened with. */
  readonly #sessions = new Map<number, string>();
  #nextSession = 1;
  #nextShard: number;
  #effects: OrderEffect[] = [];
  #ownChain = new FactChain(0);

  constructor(parts: OrderParts) {
    const { store, access, nodes, rows = [wholeRow(nodes)], bounds } = parts;
    this.map = new ShardMap(rows);
    this.leases = new LeaseRegistry();
    this.frontier = store.keys.revision;
    this.#nextShard = Math.max(...rows.map(({ shard }) => shard)) + 1;
    for (const { shard } of rows) if (shard !== orderShard) this.#chains.set(shard, new FactChain(0));
    const row = this.map.row(orderShard);
    assert(row !== null, 'the order group has a shard of its own');
    const { span, membership, range } = row;
    this.own = new ShardMachine({
      shard: orderShard,
      span,
      epoch: { membership, range },
      store,
      access,
      order: this.#ownOrder(),
      ...(bounds === undefined ? {} : { bounds }),
    });
    this.own.advance(0, this.frontier);
  }

  // What is known of it.

  /** The last fact of a shard at an index: see `FactChain.lastAt`. Null: there is no such shard any more. */
  lastFact(shard: ShardId, index: number): number | null {
    if (shard === orderShard) return index;
    return this.#chains.get(shard)?.lastAt(index) ?? null;
  }

  /** What its leader has to log next. */
  factsAfter(shard: ShardId, ordered: number): Fact[] {
    return this.#chains.get(shard)?.after(ordered) ?? [];
  }

  /** The revision of a write, as soon as a cut has numbered it. */
  revisionOf(shard: ShardId, seq: number): number | null {
    return this.#chains.get(shard)?.revisionOf(seq) ?? null;
  }

  /** The last seq of a shard that is numbered; null: there is no such shard. */
  numbered(shard: ShardId): number | null {
    const chain = this.#chains.get(shard);
    return chain === undefined || chain.ended !== null ? null : chain.numbered;
  }

  logged(shard: ShardId): number {
    return this.#chains.get(shard)?.logged ?? Infinity;
  }

  decisionOf(transaction: string): Decision | null {
    return this.own.memory.decisionOf(transaction);
  }

  isFinished({ session, request }: Pick<RequestOrigin, 'session' | 'request'>): boolean {
    return request < this.own.memory.floorOf(session);
  }

  hasSession(session: number): boolean {
    return this.#sessions.has(session);
  }

  sessionOf(name: string): number | null {
    for (const [session, known] of this.#sessions) if (known === name) return session;
    return null;
  }

  /** Whether every shard has applied what an entry up to this one has said about users and compaction (rules 15, 16). */
  isEverywhere(index: number): boolean {
    for (const chain of this.#chains.values()) {
      // It drained before, and its neighbour was told too.
      if (chain.ended !== null) continue;
      for (const kind of ['auth', 'compacted'] as const) {
        const oldest = chain.oldest(kind);
        if (oldest !== null && oldest <= index) return false;
      }
    }
    return true;
  }

  /** What is kept for shards that have not applied it yet. */
  get pendingFacts(): number {
    let size = 0;
    for (const chain of this.#chains.values()) size += chain.size;
    return size;
  }

  /** What has to be there before an entry can be applied, see `ShardMachine.needs`. */
  needs(entry: OrderEntry): { readonly drained: ShardId; readonly upTo: number } | null {
    if (entry.kind !== 'range' || entry.change.kind !== 'merge' || entry.change.into !== orderShard)
      return null;
    const { change, range } = entry;
    if (this.map.row(change.shard)?.range !== range || !this.#allows(change)) return null;
    return { drained: change.shard, upTo: this.#chain(change.shard).last };
  }

  // The log.

  /** `drained`: the neighbour that {@link needs} named. */
  apply(entry: OrderEntry, position: LogPosition, drained: ShardMachine | null = null): OrderEffect[] {
    this.index = position.index;
    this.#effects = [];
    this.#dispatch(entry, position.term);
    this.#close(drained);
    return this.#effects;
  }

  #dispatch(entry: OrderEntry, term: number): void {
    switch (entry.kind) {
      case 'own':
        return this.#push(this.own.apply(entry.entry, this.index));
      case 'cut':
        return this.#cut(entry);
      case 'range':
        return this.#changeRange(entry.change, entry.range);
      case 'members':
        return this.#members(entry);
      case 'grant':
        return this.#answered(entry.origin, () => this.#grant(entry.lease, entry.ttl));
      case 'renew':
        return this.#renew(entry.lease);
      case 'revoke':
        return this.#revokeFor(entry.origin, entry.lease);
      case 'expire':
        return this.#expire(entry.lease, entry.generation, entry.term === term);
      case 'register':
        return this.#register(entry.lease, entry.shard);
      case 'open-session':
        return this.#openSession(entry.name);
      case 'expire-sessions':
        return this.#expireSessions(entry.sessions);
      case 'auth':
        return this.#answered(entry.origin, () => this.#sayToAll({ kind: 'auth', change: entry.change }));
      case 'compact':
        return this.#answered(entry.origin, () => this.#compact(entry.revision));
      default:
        return unreachable(entry);
    }
  }

  /** What was said to the own shard happens at once; every fact learns the frontier. */
  #close(drained: ShardMachine | null): void {
    this.#ownChain.close(this.index, this.frontier);
    const fact = this.#ownChain.of(this.index);
    if (fact !== null) this.#push(this.own.ownFact(fact, drained));
    this.#ownChain.forgetThrough(this.index);
    for (const chain of this.#chains.values()) chain.close(this.index, this.frontier);
    this.own.advance(this.index, this.frontier);
  }

  #push(effects: readonly ShardEffect[]): void {
    for (const effect of effects) this.#effects.push({ kind: 'shard', effect });
  }

  // Cuts: rules 2, 3, 8.

  #cut({ counts, decisions, logged }: OrderEntry & { readonly kind: 'cut' }): void {
    for (const { shard, upTo } of [...counts].sort((a, b) => a.shard - b.shard)) this.#count(shard, upTo);
    for (const decision of decisions) this.#decide(decision);
    for (const { shard, index } of logged) this.#chains.get(shard)?.forgetThrough(index);
    for (const [shard, { ended }] of this.#chains) {
      // The neighbour has everything that was to be had of it.
      if (ended !== null && this.logged(ended.into) >= ended.index) this.#chains.delete(shard);
    }
  }

  #count(shard: ShardId, upTo: number): void {
    const chain = this.#chains.get(shard);
    if (chain === undefined || chain.ended !== null || upTo <= chain.numbered) return;
    const count = upTo - chain.numbered;
    chain.count(this.index, count, this.frontier);
    this.frontier += count;
  }

  #decide(proposed: ProposedDecision): void {
    const { transaction, origin, participants } = proposed;
    const { memory } = this.own;
    // The first decision stands.
    if (memory.isDecided(transaction)) return;
    memory.raiseFloor(origin.session, origin.floor);
    const verdict = this.#mayCommit(proposed) ? 'commit' : 'abort';
    const effective = verdict === 'commit' && proposed.effective;
    if (effective) this.frontier += 1;
    const decision: Decision = { ...proposed, verdict, effective, revision: this.frontier };
    for (const shard of participants) {
      if (shard === orderShard) this.#ownChain.decide(this.index, decision);
      else if (this.numbered(shard) !== null) this.#chain(shard).decide(this.index, decision);
    }
    if (!participants.includes(orderShard)) memory.decided(decision);
    this.#effects.push({ kind: 'decided', decision });
    if (verdict === 'commit' && decision.revokes !== null) this.#revoked(decision.revokes, origin.request);
  }

  #mayCommit({ verdict, origin, error, participants }: ProposedDecision): boolean {
    if (verdict === 'abort' || this.isFinished(origin)) return false;
    // By now the revision may be there: it is tried again.
    if (error?.name === 'futureRevision' && error.revision <= this.frontier) return false;
    return participants.every((shard) => shard === orderShard || this.numbered(shard) !== null);
  }

  // Ranges: rule 13.

  #changeRange(change: RangeChange, range: number): void {
    const row = this.map.row(change.shard);
    if (row === null || row.range !== range) return;
    if (!this.#allows(change)) {
      this.map = this.map.withVersion(change.shard);
      this.#say(change.shard, { kind: 'refused', range: range + 1 });
      return;
    }
    if (change.kind === 'split') this.#split(change);
    else this.#merge(change, row);
  }

  /** The order group's own shard can be split, and take in others; it never goes. */
  #allows(change: RangeChange): boolean {
    if (change.kind === 'merge' && change.shard === orderShard) return false;
    return this.map.allows(change);
  }

  #split({ shard, at }: RangeChange & { readonly kind: 'split' }): void {
    const child = this.#nextShard;
    this.#nextShard += 1;
    this.map = this.map.split(shard, at, child);
    this.leases.split(shard, child);
    this.#chains.set(child, new FactChain(this.index));
    const [parentRow, childRow] = [this.#row(shard), this.#row(child)];
    const { span, range } = parentRow;
    this.#say(shard, {
      kind: 'split',
      span,
      range,
      child: { shard: child, span: childRow.span, range: childRow.range },
    });
  }

  #merge({ shard, into }: RangeChange & { readonly kind: 'merge' }, drained: ShardRow): void {
    this.map = this.map.merge(shard, into);
    this.leases.merge(shard, into);
    const chain = this.#chain(shard);
    const upTo = chain.last;
    this.#say(shard, { kind: 'absorbed', into });
    chain.ended = { index: this.index, into };
    const { span, range } = this.#row(into);
    this.#say(into, { kind: 'absorbs', span, range, drained: drained.shard, upTo });
  }

  #members({ shard, membership, nodes }: OrderEntry & { readonly kind: 'members' }): void {
    const row = this.map.row(shard);
    if (row === null || row.membership >= membership) return;
    this.map = this.map.withMembers(shard, membership, nodes);
  }

  // Leases: rule 14.

  #grant(id: bigint, ttl: number): ApplyResult {
    if (ttl > limits.leaseTtlSeconds) return refusal(etcdErrors.leaseTtlTooLarge);
    if (this.leases.get(id) !== null) return refusal(etcdErrors.leaseExists);
    this.leases.grant(id, ttl, this.index);
    this.#effects.push({ kind: 'lease-renewed', lease: id, generation: this.index });
    const response = LeaseGrantResponse.create({ header: header(this.frontier), id, ttl });
    return { kind: 'lease-grant', response };
  }

  #renew(id: bigint): void {
    const lease = this.leases.get(id);
    if (lease === null || lease.life !== 'live') return;
    this.leases.renew(lease, this.index);
    this.#effects.push({ kind: 'lease-renewed', lease: id, generation: this.index });
  }

  /** Not answered before the lease has ended. */
  #revokeFor(origin: RequestOrigin, id: bigint): void {
    if (this.#isKnown(origin)) return;
    const lease = this.leases.get(id);
    if (lease === null) this.#answer(origin, refusal(etcdErrors.leaseNotFound));
    else this.#revoke(lease, origin);
  }

  #expire(id: bigint, generation: number, isOfThisTerm: boolean): void {
    const lease = this.leases.get(id);
    // The log carries a proposal on into the next term, where another member may have given the lease more time.
    if (lease === null || lease.generation !== generation || !isOfThisTerm) return;
    if (lease.life === 'live') this.#revoke(lease, null);
  }

  #revoke(lease: OrderedLease, revoker: RequestOrigin | null): void {
    const { shards } = lease;
    const isOwn = shards.size === 1 && shards.has(orderShard);
    // Where nobody has keys of it there is nobody to ask, whatever transaction names it.
    const ends = lease.life === 'live' && (shards.size === 0 || (isOwn && this.own.revokeAlone(lease.lease)));
    if (ends) this.leases.addRevoker(lease, revoker);
    else this.leases.revoke(lease, this.index, revoker);
    if (ends) this.#removeLease(lease);
  }

  #revoked(id: bigint, revokedAt: number): void {
    const lease = this.leases.get(id);
    assert(lease !== null && lease.revokedAt === revokedAt, 'what is revoked is the lease that was to be');
    this.#removeLease(lease);
  }

  #removeLease(lease: OrderedLease): void {
    this.leases.remove(lease);
    this.#effects.push({ kind: 'lease-removed', lease: lease.lease, revision: this.frontier });
    const response = LeaseRevokeResponse.create({ header: header(this.frontier) });
    for (const origin of lease.revokers) this.#answer(origin, { kind: 'lease-revoke', response });
  }

  #register(id: bigint, shard: ShardId): void {
    const lease = this.leases.get(id);
    if (lease === null || this.map.row(shard) === null) return;
    if (this.leases.register(lease, shard)) this.#say(shard, { kind: 'registered', lease: id });
  }

  // Sessions: rule 6.

  #openSession(name: string): void {
    let session = this.sessionOf(name);
    if (session === null) {
      session = this.#nextSession;
      this.#nextSession += 1;
      this.#sessions.set(session, name);
      while (this.#sessions.size > limits.orderSessions) this.#expireSessions([this.#oldestSession()]);
    }
    this.#effects.push({ kind: 'session-opened', name, session });
  }

  /** What a session was answered is forgotten, and no copy of its requests is executed any more. */
  #expireSessions(sessions: readonly number[]): void {
    const expired = sessions.filter((session) => this.#sessions.delete(session));
    if (expired.length === 0) return;
    // Shards remember by number those that are expired beside a live one that is older.
    while (this.own.memory.expired + expired.length > limits.expiredSessions && this.#sessions.size > 0) {
      const oldest = this.#oldestSession();
      this.#sessions.delete(oldest);
      expired.push(oldest);
    }
    this.#sayToAll({ kind: 'sessions-expired', sessions: expired, lowest: this.#oldestSession() });
  }

  #oldestSession(): number {
    return Math.min(this.#nextSession, ...this.#sessions.keys());
  }

  // Users and compaction: rules 15, 16.

  #compact(revision: number): ApplyResult {
    if (revision <= this.compactRevision) return refusal(etcdErrors.compacted);
    if (revision > this.frontier) return refusal(etcdErrors.futureRevision);
    this.compactRevision = revision;
    this.#sayToAll({ kind: 'compacted', revision });
    return { kind: 'compact', response: CompactionResponse.create({ header: header(this.frontier) }) };
  }

  #sayToAll(change: FactChange): ApplyResult {
    for (const { shard } of this.map.rows) this.#say(shard, change);
    return noAnswer;
  }

  #say(shard: ShardId, change: FactChange): void {
    if (shard === orderShard) this.#ownChain.change(this.index, change);
    else this.#chain(shard).change(this.index, change);
  }

  // Requests of the order group itself.

  #answered(origin: RequestOrigin, execute: () => ApplyResult): void {
    if (!this.#isKnown(origin)) this.#answer(origin, execute());
  }

  #isKnown(origin: RequestOrigin): boolean {
    const recalled = this.own.memory.recall(origin);
    if (recalled === 'new') return false;
    if (recalled === 'finished') this.#effects.push({ kind: 'refused', origin, reason: 'finished' });
    else if (recalled === 'expired')
      this.#effects.push({ kind: 'refused', origin, reason: 'session-expired' });
    else if (recalled.kind !== 'committed')
      this.#effects.push({ kind: 'outcome', origin, outcome: recalled });
    return true;
  }

  #answer(origin: RequestOrigin, result: ApplyResult): void {
    const outcome = { kind: 'written', seq: 0, from: 0, revision: this.frontier, result } as const;
    this.own.memory.remember(origin, { ...outcome });
    this.#effects.push({ kind: 'outcome', origin, outcome });
  }

  #ownOrder(): OwnOrder {
    // oxlint-disable-next-line typescript/no-this-alias
    const machine = this;
    return {
      get frontier(): number {
        return machine.frontier;
      },
      take(): number {
        machine.frontier += 1;
        return machine.frontier;
      },
    };
  }

  #chain(shard: ShardId): FactChain {
    const chain = this.#chains.get(shard);
    assert(chain !== undefined, 'every shard has its facts');
    return chain;
  }

  #row(shard: ShardId): ShardRow {
    const row = this.map.row(shard);
    assert(row !== null, () => `shard ${shard} is in the map`);
    return row;
  }

  // Its state, whole.

  /** Everything but the numbered versions of its own shard, which the store has. */
  encode(): Uint8Array {
    return encodePlain({
      index: this.index,
      frontier: this.frontier,
      rows: this.map.rows,
      configuration: this.map.configuration,
      compactRevision: this.compactRevision,
      own: this.own.encode(),
      leases: this.leases.toPlain(),
      chains: [...this.#chains].map(([shard, chain]) => ({ shard, chain: chain.toPlain() })),
      sessions: [...this.#sessions].map(([session, name]) => ({ session, name })),
      nextSession: this.#nextSession,
      nextShard: this.#nextShard,
    });
  }

  static decode(
    bytes: Uint8Array,
    store: ShardStore,
    access: (encoded: Uint8Array) => ShardAccess,
    bounds?: ShardBounds,
  ): OrderMachine {
    return new OrderMachine({ store, access: access(new Uint8Array(0)), nodes: [] }).#restored(
      decodePlain<StoredOrder>(bytes),
      store,
      access,
      bounds,
    );
  }

  #restored(
    stored: StoredOrder,
    store: ShardStore,
    access: (encoded: Uint8Array) => ShardAccess,
    bounds?: ShardBounds,
  ): OrderMachine {
    const order = this.#ownOrder();
    const mutable = this as { -readonly [Field in 'own' | 'leases']: OrderMachine[Field] };
    this.index = stored.index;
    this.frontier = stored.frontier;
    this.map = new ShardMap(stored.rows, stored.configuration);
    this.compactRevision = stored.compactRevision;
    mutable.own = ShardMachine.decode(stored.own, store, access, order, bounds);
    mutable.leases = LeaseRegistry.fromPlain(stored.leases);
    this.#chains.clear();
    for (const { shard, chain } of stored.chains) this.#chains.set(shard, FactChain.fromPlain(chain));
    for (const { session, name } of stored.sessions) this.#sessions.set(session, name);
    this.#nextSession = stored.nextSession;
    this.#nextShard = stored.nextShard;
    this.#ownChain = new FactChain(stored.index);
    return this;
  }
}

interface StoredOrder {
  readonly index: number;
  readonly frontier: number;
  readonly rows: readonly ShardRow[];
  readonly configuration: number;
  readonly compactRevision: number;
  readonly own: Uint8Array;
  readonly leases: unknown;
  readonly chains: readonly { readonly shard: ShardId; readonly chain: unknown }[];
  readonly sessions: readonly { readonly session: number; readonly name: string }[];
  readonly nextSession: number;
  readonly nextShard: number;
}

function wholeRow(nodes: readonly number[]): ShardRow {
  return {
    shard: orderShard,
    span: { from: new Uint8Array(0), to: null },
    range: 1,
    membership: 1,
    nodes,
  };
}

function refusal(error: (typeof etcdErrors)[keyof typeof etcdErrors]): ApplyResult {
  return { kind: 'error', error };
}
