import { assert, unreachable } from '@flotilla/platform';
import { CompactionResponse, etcdErrors } from '@flotilla/wire';
import type { ApplyResult } from '../apply-result.ts';
import { limits } from '../limits.ts';
import { header } from '../mvcc/header.ts';
import type { LogPosition } from '../mvcc/meta.ts';
import type { Recalled, RequestOrigin, WrittenOutcome } from '../shard/request-memory.ts';
import { everyKeySpan } from '../shard/key-span.ts';
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
import { ClusterConfiguration, type ConfigurationPlace } from './cluster-configuration.ts';
import { FactChain } from './fact-chain.ts';
import { FactChains } from './fact-chains.ts';
import { LeaseRegistry, type OrderedLease } from './lease-registry.ts';
import { LeaseRules, type LeaseSurroundings } from './lease-rules.ts';
import type { NodeEntry, OrderEffect, OrderEntry, ProposedDecision } from './order-entry.ts';
import {
  numberedKey,
  OrderPart,
  partKey,
  PartMap,
  separatedParts,
  type StoredParts,
  type WritePart,
} from './order-parts.ts';
import { refusalOf } from './refusal.ts';
import { type ForgottenNames, type OrderedSession, SessionRegistry } from './session-registry.ts';
import { ShardMap, type ShardRow } from './shard-map.ts';
import { encodeHead, type RestoredOrder, StoredOrder } from './stored-order.ts';

/** A session from before there was an order, with the results of its requests from the floor on. */
export interface AdoptedSession extends OrderedSession {
  /** Its lowest request that may not be finished. */
  readonly floor: number;
  readonly results: readonly {
    readonly request: number;
    readonly revision: number;
    readonly result: ApplyResult;
  }[];
}

/** What an order begins with: one shard, its own, that has every key. */
export interface OrderParts {
  readonly store: ShardStore;
  readonly access: ShardAccess;
  readonly nodes: readonly NodeEntry[];
  /** Index of the entry that it begins with. */
  readonly index?: number;
  readonly leases?: readonly Pick<OrderedLease, 'lease' | 'ttl' | 'generation' | 'remaining'>[];
  /** The one that was used least recently first. */
  readonly sessions?: readonly AdoptedSession[];
  readonly forgotten?: ForgottenNames;
  /** Other shards that are there from the beginning. */
  readonly rows?: readonly ShardRow[];
  readonly bounds?: ShardBounds;
}

/** What the records of an order do not say themselves. */
export interface OrderSurroundings {
  readonly store: ShardStore;
  /** Opens what the `encode` of the access has written. */
  readonly access: (encoded: Uint8Array) => ShardAccess;
  readonly forgotten?: ForgottenNames;
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
  index: number;
  /** The last revision that is assigned. */
  frontier: number;
  compactRevision: number;
  readonly own: ShardMachine;
  readonly leases: LeaseRegistry;
  readonly configuration: ClusterConfiguration;
  readonly #sessions: SessionRegistry;
  readonly #leaseRules: LeaseRules;
  readonly #chains = new FactChains();
  #nextShard: number;
  #effects: OrderEffect[] = [];
  #ownChain: FactChain;
  // What has to be written down again.
  #ownChanged = true;
  #accessChanged = true;

  constructor(parts: OrderParts, restored: RestoredOrder | null = null) {
    const { store, access, nodes, rows = [wholeRow(nodes)], bounds, index = 0 } = parts;
    const { leases = [], sessions = [] } = parts;
    this.index = restored?.index ?? index;
    this.frontier = restored?.frontier ?? store.keys.revision;
    this.#sessions = new SessionRegistry(parts.forgotten ?? nothingForgotten);
    this.#ownChain = new FactChain(this.index);
    this.#nextShard = Math.max(...rows.map(({ shard }) => shard)) + 1;
    this.leases = restored?.leases ?? new LeaseRegistry();
    this.#leaseRules = new LeaseRules(this.leases, this.#surroundings());
    this.configuration = restored?.configuration ?? new ClusterConfiguration(new ShardMap(rows, 0));
    this.compactRevision = restored?.compactRevision ?? store.keys.compactRevision;
    if (restored !== null) {
      const surroundings = {
        store,
        access,
        order: this.#ownOrder(),
        ...(bounds === undefined ? {} : { bounds }),
      };
      const own = [...this.leases.of(orderShard)].map(({ lease }) => lease);
      this.own = ShardMachine.decodeCore(restored.own, surroundings, restored.memory, own);
      this.own.advance(this.index, this.frontier);
      this.#restore(restored);
      return;
    }
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
      leases: leases.map(({ lease }) => lease),
      ...(bounds === undefined ? {} : { bounds }),
    });
    this.own.compactRevision = this.compactRevision;
    this.own.advance(this.index, this.frontier);
    for (const { shard } of rows) if (shard !== orderShard) this.#chains.open(shard, this.index);
    this.configuration.begin(nodes, this.#place);
    for (const lease of leases) this.leases.adopt(lease, [orderShard]);
    for (const session of sessions) this.#adopt(session);
    this.#effects = [{ kind: 'begun', fresh: true }];
  }

  // What is known of it.

  get map(): ShardMap {
    return this.configuration.map;
  }

  /** Of the entry that it began with. */
  get firstEffects(): readonly OrderEffect[] {
    return this.#effects;
  }

  /** The last fact of a shard at an index: see `FactChain.lastAt`. Null: there is no such shard any more. */
  lastFact(shard: ShardId, index: number): number | null {
    if (shard === orderShard) return index;
    return this.#chains.lastFact(shard, index);
  }

  /** Whether the shard has ended. One that is not in the map may also be younger than this copy of the order. */
  isGone(shard: ShardId): boolean {
    return shard < this.#nextShard && this.map.row(shard) === null;
  }

  /** What its leader has to log next. */
  factsAfter(shard: ShardId, ordered: number): Fact[] {
    return this.#chains.after(shard, ordered);
  }

  /** The revision of a write, as soon as a cut has numbered it. */
  revisionOf(shard: ShardId, seq: number): number | null {
    return this.#chains.revisionOf(shard, seq);
  }

  /** The last seq of a shard that is numbered; null: there is no such shard. */
  numbered(shard: ShardId): number | null {
    return this.#chains.numbered(shard);
  }

  logged(shard: ShardId): number {
    return this.#chains.logged(shard);
  }

  decisionOf(transaction: string): Decision | null {
    return this.own.memory.decisionOf(transaction);
  }

  isFinished({ session, request }: Pick<RequestOrigin, 'session' | 'request'>): boolean {
    return request < this.own.memory.floorOf(session);
  }

  /** Of all sessions, in ascending order. */
  get sessionNumbers(): Iterable<number> {
    return this.#sessions.numbers;
  }

  hasSession(session: number): boolean {
    return this.#sessions.get(session) !== null;
  }

  /** The number of a session, by its name. */
  sessionOf(name: string): number | null {
    return this.#sessions.numberOf(name);
  }

  session(number: number): OrderedSession | null {
    return this.#sessions.get(number);
  }

  /** Whether a session of this name has expired, as far as that is remembered: it opens none again. */
  isForgotten(name: string): boolean {
    return this.#sessions.isForgotten(name);
  }

  /** Whether every shard has applied what an entry up to this one has said about users and compaction (rules 15, 16). */
  isEverywhere(index: number): boolean {
    return this.#chains.isEverywhere(index);
  }

  /**
   * Whether a shard that has ended need not be remembered any more, once shards are as far as `logged` says: its neighbour
   * has everything that was to be had of it. Whoever has a replica of it still waits to be told so.
   */
  mayForget(logged: (shard: ShardId) => number): boolean {
    return this.#chains.mayForget(logged);
  }

  /** What is kept for shards that have not applied it yet. */
  get pendingFacts(): number {
    return this.#chains.size;
  }

  /** What has to be there before an entry can be applied, see `ShardMachine.needs`. */
  needs(entry: OrderEntry): { readonly drained: ShardId; readonly upTo: number } | null {
    if (entry.kind !== 'range' || entry.change.kind !== 'merge' || entry.change.into !== orderShard)
      return null;
    const { change, range, nodes } = entry;
    if (this.map.row(change.shard)?.range !== range || !this.#allows(change, nodes)) return null;
    return { drained: change.shard, upTo: this.#chains.of(change.shard).last };
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

  /**
   * Another entry of the order group's log than the order's: one of users, alarms, members, or none at all. It is carried
   * out in `execute`, where requests can be recalled and sessions opened.
   */
  tell({ index }: LogPosition, execute: () => Told = () => nothingTold): OrderEffect[] {
    this.index = index;
    this.#effects = [];
    const { change, origin, result } = execute();
    if (change !== null) this.#sayToAll({ kind: 'auth', change });
    if (origin !== null && result !== null) this.#answer(origin, result);
    this.#close(null);
    return this.#effects;
  }

  /** What has become of a request of the order group itself. Raises the floor of its session. */
  recall(origin: RequestOrigin): Recalled {
    return this.own.memory.recall(origin);
  }

  /** The number of the session of this name, opened if it has to be; null: it has expired. In the middle of {@link tell}. */
  openSession(name: string, owner: string): number | null {
    const known = this.#sessions.numberOf(name);
    if (known !== null) return known;
    return this.#sessions.isForgotten(name) ? null : this.#sessions.open({ name, owner });
  }

  #dispatch(entry: OrderEntry, term: number): void {
    switch (entry.kind) {
      case 'begin':
        this.#effects.push({ kind: 'begun', fresh: false });
        return;
      case 'own':
        this.#ownChanged = true;
        return this.#push(this.own.apply(entry.entry, this.index));
      case 'cut':
        return this.#cut(entry);
      case 'range':
        return this.#changeRange(entry.change, entry.range, entry.nodes);
      case 'members':
        return this.#members(entry);
      case 'grant':
        return this.#answered(entry.origin, () => this.#leaseRules.grant(entry));
      case 'renew':
        for (const lease of entry.leases) this.#leaseRules.renew(lease);
        return;
      case 'revoke':
        return this.#leaseRules.revokeFor(entry);
      case 'expire':
        return this.#leaseRules.expire(entry, term);
      case 'checkpoint':
        for (const { lease, generation, remaining } of entry.leases) {
          this.#leaseRules.checkpoint(lease, generation, remaining);
        }
        return;
      case 'register':
        return this.#leaseRules.register(entry.lease, entry.shard);
      case 'open-session':
        return this.#openSession(entry.name, entry.owner);
      case 'expire-sessions':
        return this.#expireSessions(entry.sessions);
      case 'compact':
        return this.#answered(entry.origin, () => this.#compact(entry));
      case 'node':
        return this.#configured(this.configuration.changeNode(entry, this.#place));
      case 'assign':
        return this.#configured(this.configuration.assign(entry, this.#place));
      case 'wish':
        return this.#configured(this.configuration.wish(entry, this.#place));
      case 'presplit':
        return this.#configured(this.configuration.presplit(entry, this.#place));
      default:
        return unreachable(entry);
    }
  }

  /** What was said to the own shard happens at once; every fact learns the frontier. */
  #close(drained: ShardMachine | null): void {
    this.#ownChain.close(this.index, this.frontier);
    const fact = this.#ownChain.of(this.index);
    if (fact !== null) {
      this.#ownChanged = true;
      this.#push(this.own.ownFact(fact, drained));
    }
    this.#ownChain.forgetThrough(this.index);
    this.#chains.close(this.index, this.frontier);
    this.own.advance(this.index, this.frontier);
  }

  #push(effects: readonly ShardEffect[]): void {
    for (const effect of effects) this.#effects.push({ kind: 'shard', effect });
  }

  // Cuts: rules 2, 3, 8.

  #cut({ counts, decisions, logged }: OrderEntry & { readonly kind: 'cut' }): void {
    for (const { shard, upTo } of [...counts].sort((a, b) => a.shard - b.shard)) this.#count(shard, upTo);
    for (const decision of decisions) this.#decide(decision);
    this.#chains.forget(logged);
  }

  #count(shard: ShardId, upTo: number): void {
    const numbered = this.numbered(shard);
    if (numbered === null || upTo <= numbered) return;
    const count = upTo - numbered;
    this.#chains.speaks(shard).count(this.index, count, this.frontier);
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
      else if (this.numbered(shard) !== null) this.#chains.speaks(shard).decide(this.index, decision);
    }
    if (!participants.includes(orderShard)) memory.decided(decision);
    this.#effects.push({ kind: 'decided', decision });
    if (verdict === 'commit' && decision.revokes !== null) {
      this.#leaseRules.revoked(decision.revokes, origin.request);
    }
  }

  #mayCommit({ verdict, origin, error, participants }: ProposedDecision): boolean {
    if (verdict === 'abort' || this.isFinished(origin)) return false;
    // By now the revision may be there: it is tried again.
    if (error?.name === 'futureRevision' && error.revision <= this.frontier) return false;
    return participants.every((shard) => shard === orderShard || this.numbered(shard) !== null);
  }

  // Ranges: rule 13.

  #changeRange(change: RangeChange, range: number, nodes: readonly number[]): void {
    const row = this.map.row(change.shard);
    if (row === null || row.range !== range) return;
    if (!this.#allows(change, nodes)) {
      this.configuration.refuse(change, this.#place);
      this.#say(change.shard, { kind: 'refused', range: range + 1 });
    } else if (change.kind === 'split') this.#split(change, nodes);
    else this.#merge(change, row);
    this.#configured(null);
  }

  /** The order group's own shard can be split, and take in others; it never goes. */
  #allows(change: RangeChange, nodes: readonly number[]): boolean {
    if (change.kind === 'merge' && change.shard === orderShard) return false;
    return this.map.allows(change) && this.configuration.refusalOf(change, nodes) === null;
  }

  #split(change: RangeChange & { readonly kind: 'split' }, nodes: readonly number[]): void {
    const { shard } = change;
    const child = this.#nextShard;
    this.#nextShard += 1;
    this.configuration.split(change, child, nodes, this.#place);
    this.leases.split(shard, child);
    this.#chains.open(child, this.index);
    const [parentRow, childRow] = [this.#row(shard), this.#row(child)];
    const { span, range } = parentRow;
    this.#say(shard, {
      kind: 'split',
      span,
      range,
      child: { shard: child, span: childRow.span, range: childRow.range },
    });
  }

  #merge(change: RangeChange & { readonly kind: 'merge' }, drained: ShardRow): void {
    const { shard, into } = change;
    this.configuration.merge(change, this.#place);
    this.leases.merge(shard, into);
    const upTo = this.#chains.of(shard).last;
    this.#say(shard, { kind: 'absorbed', into });
    this.#chains.end(shard, this.index, into);
    const { span, range } = this.#row(into);
    this.#say(into, { kind: 'absorbs', span, range, drained: drained.shard, upTo });
  }

  #members(entry: OrderEntry & { readonly kind: 'members' }): void {
    if (this.configuration.members(entry, this.#place)) this.#configured(null);
  }

  #configured(refusal: ReturnType<ClusterConfiguration['assign']>): void {
    const { number: configuration } = this.configuration;
    if (refusal === null) this.#effects.push({ kind: 'configured', configuration });
    else this.#effects.push({ kind: 'configuration-refused', reason: refusal, configuration });
  }

  get #place(): ConfigurationPlace {
    return { index: this.index, revision: this.frontier };
  }

  // Sessions: rule 6.

  #openSession(name: string, owner: string): void {
    const session = this.openSession(name, owner);
    if (session === null) this.#effects.push({ kind: 'session-refused', name });
    else this.#effects.push({ kind: 'session-opened', name, session });
    // An entry says one thing to a shard.
    const excess = this.#sessions.size - limits.orderSessions;
    if (excess > 0) this.#expireSessions(this.#sessions.oldest(excess));
  }

  #adopt({ name, owner, floor, results }: AdoptedSession): void {
    const session = this.#sessions.open({ name, owner });
    const { memory } = this.own;
    memory.raiseFloor(session, floor);
    for (const { request, revision, result } of results) {
      memory.remember({ session, request }, { kind: 'written', seq: 0, from: 0, revision, result });
    }
  }

  /** What a session was answered is forgotten, and no copy of its requests is executed any more. */
  #expireSessions(sessions: readonly number[]): void {
    const expired = sessions.filter((session) => this.#sessions.drop(session));
    if (expired.length === 0) return;
    // Shards remember by number those that are expired beside a live one that is older.
    while (this.own.memory.expired + expired.length > limits.expiredSessions && this.#sessions.size > 0) {
      const { lowest } = this.#sessions;
      this.#sessions.drop(lowest);
      expired.push(lowest);
    }
    this.#sayToAll({
      kind: 'sessions-expired',
      sessions: expired,
      lowest: this.#sessions.lowest,
    });
  }

  // Users and compaction: rules 15, 16.

  #compact({ user, revision }: OrderEntry & { readonly kind: 'compact' }): ApplyResult {
    this.own.access.administer(user, 'compact', noKeys);
    if (revision <= this.compactRevision) throw etcdErrors.compacted;
    if (revision > this.frontier) throw etcdErrors.futureRevision;
    this.compactRevision = revision;
    this.#sayToAll({ kind: 'compacted', revision });
    return { kind: 'compact', response: CompactionResponse.create({ header: header(this.frontier) }) };
  }

  #sayToAll(change: FactChange): void {
    for (const { shard } of this.map.rows) this.#say(shard, change);
  }

  #say(shard: ShardId, change: FactChange): void {
    if (change.kind === 'auth') this.#accessChanged = true;
    if (shard === orderShard) {
      this.#ownChain.change(this.index, change);
      return;
    }
    this.#chains.say(shard, this.index, change);
  }

  // Requests of the order group itself.

  #answered(origin: RequestOrigin, execute: () => ApplyResult): void {
    if (this.#isKnown(origin)) return;
    try {
      this.#answer(origin, execute());
    } catch (error) {
      this.#answer(origin, refusalOf(error));
    }
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
    const outcome = this.#outcomeOf(result);
    this.own.memory.remember(origin, { ...outcome });
    this.#effects.push({ kind: 'outcome', origin, outcome });
  }

  #outcomeOf(result: ApplyResult): WrittenOutcome {
    return { kind: 'written', seq: 0, from: 0, revision: this.frontier, result };
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

  #surroundings(): LeaseSurroundings {
    // oxlint-disable-next-line typescript/no-this-alias
    const machine = this;
    return {
      get index(): number {
        return machine.index;
      },
      get frontier(): number {
        return machine.frontier;
      },
      get own(): ShardMachine {
        return machine.own;
      },
      ownChanged: () => {
        this.#ownChanged = true;
      },
      hasShard: (shard) => this.map.row(shard) !== null,
      say: (shard, change) => this.#say(shard, change),
      push: (effect) => this.#effects.push(effect),
      isKnown: (origin) => this.#isKnown(origin),
      answer: (origin, result) => this.#answer(origin, result),
      outcomeOf: (result) => this.#outcomeOf(result),
    };
  }

  #row(shard: ShardId): ShardRow {
    const row = this.map.row(shard);
    assert(row !== null, () => `shard ${shard} is in the map`);
    return row;
  }

  // Its state, in records: see `order-parts.ts`.

  /** Hands out the records that are others than at the last time; `everything`: all that there are, which is no such time. */
  flush(write: WritePart, everything = false): void {
    write(partKey(OrderPart.HEAD), this.#head);
    this.configuration.flush(write, everything);
    this.leases.flush(write, everything);
    this.#chains.flush(write, everything);
    this.#sessions.flush(write, everything);
    this.own.memory.flush((session, record) => {
      write(session === null ? partKey(OrderPart.EXPIRED) : numberedKey(OrderPart.MEMORY, session), record);
    }, everything);
    if (everything || this.#ownChanged) write(partKey(OrderPart.OWN), this.own.encodeCore());
    if (everything || this.#accessChanged) write(partKey(OrderPart.ACCESS), this.own.access.encode());
    if (everything) return;
    this.#ownChanged = false;
    this.#accessChanged = false;
  }

  /** Everything but the numbered versions of its own shard, which the store has. Equal for equal states. */
  encode(): Uint8Array {
    const parts = new PartMap();
    this.flush(parts.write, true);
    return parts.joined;
  }

  static decode(bytes: Uint8Array, surroundings: OrderSurroundings): OrderMachine {
    return OrderMachine.open(separatedParts(bytes), surroundings);
  }

  /** What {@link flush} has handed out, over all times. Throws `FLOTILLA_STORAGE_VERSION` for what a newer program wrote. */
  static open(parts: StoredParts, { store, access, ...rest }: OrderSurroundings): OrderMachine {
    const stored = new StoredOrder(parts);
    return new OrderMachine(
      { store, access: access(stored.one(OrderPart.ACCESS)), nodes: [], ...rest },
      stored.restored(),
    );
  }

  get #head(): Uint8Array {
    const { index, frontier, compactRevision, configuration } = this;
    const next = { nextSession: this.#sessions.next, nextShard: this.#nextShard };
    return encodeHead({ index, frontier, compactRevision, configuration: configuration.number, ...next });
  }

  #restore({ chains, sessions, nextSession, nextShard }: RestoredOrder): void {
    for (const [shard, chain] of chains) this.#chains.restore(shard, chain);
    for (const [number, record] of sessions) this.#sessions.restore(number, record);
    this.#sessions.next = nextSession;
    this.#nextShard = nextShard;
    this.#ownChanged = false;
    this.#accessChanged = false;
  }
}

/** What another entry of the log has come to. */
export interface Told {
  /** What shards have to know of it, see `ShardAccess.apply`; null: nothing. */
  readonly change: Uint8Array | null;
  /** Whose request it was, if it was carried out now; null: nobody's that could come again. */
  readonly origin: RequestOrigin | null;
  readonly result: ApplyResult | null;
}

const nothingTold: Told = { change: null, origin: null, result: null };

const noKeys = (): readonly Uint8Array[] => [];

/** For machines whose sessions have names that never come again. */
const nothingForgotten: ForgottenNames = { has: () => false, add: () => undefined };

function wholeRow(nodes: readonly NodeEntry[]): ShardRow {
  return {
    shard: orderShard,
    span: everyKeySpan,
    range: 1,
    membership: 1,
    nodes: nodes.map(({ node }) => node),
  };
}
