import type { ApplyResult } from '../apply-result.ts';
import type { Auth } from '../auth/auth.ts';
import { UserRules } from '../auth/user-rules.ts';
import type { Alarms } from '../cluster/alarms.ts';
import { limits } from '../limits.ts';
import type { LeaseObserver, Leases } from '../leases/leases.ts';
import type { LogPosition } from '../mvcc/meta.ts';
import type { RequestOrigin } from '../shard/request-memory.ts';
import type { ShardStore } from '../shard/shard-store.ts';
import type { Origin, Proposal, RequestSession } from '../proposal.ts';
import { sessionErrors } from '../sessions/session-errors.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { Namespace } from '../system/namespaces.ts';
import { keyOf, type SystemTable } from '../system/system-table.ts';
import type { OrderEffect, OrderEntry } from './order-entry.ts';
import { OrderMachine, type Told } from './order-machine.ts';
import type { OrderObserver } from './order-observer.ts';
import { leaseOf } from './ordered-leases.ts';

/** What of the applied state an order takes over, and goes on with. */
export interface ShardedParts {
  readonly system: SystemTable;
  readonly auth: Auth;
  readonly alarms: Alarms;
  readonly leases: Leases;
  readonly sessions: Sessions;
  /** Of shard 0. */
  readonly store: ShardStore;
}

/**
 * The state of group 0 from the entry on that shards the cluster: its order, and how requests that are none of the
 * order's go on beside it. Sessions are the order's from then on, for these as well.
 */
export class ShardedState {
  readonly order: OrderMachine;
  observer: OrderObserver | null = null;
  readonly #parts: ShardedParts;
  /** The map that was told last. */
  #configuration: number;

  private constructor(parts: ShardedParts, order: OrderMachine) {
    this.#parts = parts;
    this.order = order;
    this.#configuration = order.configuration.number;
  }

  /**
   * Makes an order of what there is, the same on every node. Leases keep their generations and what is left of their time;
   * all are registered for shard 0, where their keys are. Sessions become numbered ones, see `Sessions.convert`.
   */
  static begin(
    parts: ShardedParts,
    { nodes }: OrderEntry & { readonly kind: 'begin' },
    { index }: LogPosition,
  ): ShardedState {
    const { auth, alarms, leases, sessions, store } = parts;
    const order = new OrderMachine({
      store,
      access: UserRules.of(auth, alarms),
      nodes,
      index,
      leases: leases.convert().map(({ id, ...times }) => ({ lease: id, ...times })),
      sessions: sessions.convert(store.keys.revision),
      forgotten: sessions.forgotten,
    });
    return new ShardedState(parts, order);
  }

  /** Of the records that {@link flush} has written. */
  static open(parts: ShardedParts): ShardedState {
    const { store, sessions, system } = parts;
    const access = (encoded: Uint8Array): UserRules => UserRules.decode(encoded);
    const surroundings = { store, access, forgotten: sessions.forgotten };
    return new ShardedState(parts, OrderMachine.open(recordsIn(system), surroundings));
  }

  /** What has changed since the last time goes into the system table. */
  flush(): void {
    const { system } = this.#parts;
    this.order.flush((key, record) => system.set(Namespace.ORDER, key, record));
  }

  // The log.

  apply(entry: OrderEntry, position: LogPosition, lessor: LeaseObserver | null): readonly OrderEffect[] {
    const { order } = this;
    const needs = order.needs(entry);
    const drained = needs === null ? null : (this.observer?.drained(needs.drained, needs.upTo) ?? null);
    const effects = order.apply(entry, position, drained);
    for (const effect of effects) this.#tellLessor(effect, lessor);
    this.#tell(position, entry, effects);
    return effects;
  }

  /** The entry that made it. */
  began(entry: OrderEntry, position: LogPosition): readonly OrderEffect[] {
    const { firstEffects } = this.order;
    this.observer?.mapChanged(this.order.map);
    this.#tell(position, entry, firstEffects);
    return firstEffects;
  }

  /** An entry that is nobody's request. */
  pass(position: LogPosition): void {
    this.#tell(position, null, this.order.tell(position));
  }

  /** A request that is none of the order's, with its users' sessions and what shards have to know of it. */
  request(
    { kind, origin: { user, session } }: Proposal,
    position: LogPosition,
    execute: () => ApplyResult,
  ): ApplyResult {
    const isNews = kind === 'auth' || kind === 'alarm';
    let answer: ApplyResult | null = null;
    const effects = this.order.tell(position, (): Told => {
      // What it answers is at the revision of the whole.
      this.#parts.store.keys.skipTo(this.order.frontier);
      const origin = session === null ? null : this.#originOf(session, user?.name ?? '');
      if (origin !== null && 'kind' in origin) {
        answer = origin;
        return { change: null, origin: null, result: null };
      }
      answer = execute();
      return { change: isNews ? this.#news() : null, origin, result: answer };
    });
    this.#tell(position, null, effects);
    return answer as unknown as ApplyResult;
  }

  /** What a request was answered before, in a session of this user's; null: it was not, as far as is known. */
  repeated({ user, session }: Origin): ApplyResult | null {
    if (session === null) return null;
    const number = this.order.sessionOf(session.id);
    if (number === null || this.order.session(number)?.owner !== (user?.name ?? '')) return null;
    const outcome = this.order.own.memory.outcomeOf({ session: number, request: session.request });
    return outcome === null || outcome.kind === 'committed' ? null : outcome.result;
  }

  /** A change of Raft's configuration was made. Its session has not settled it before. */
  changed({ user, session }: Origin, position: LogPosition, result: ApplyResult): void {
    const effects = this.order.tell(position, () => {
      const origin = session === null ? null : this.#originOf(session, user?.name ?? '');
      return { change: null, origin: origin === null || 'kind' in origin ? null : origin, result };
    });
    this.#tell(position, null, effects);
  }

  /** Whether a request of this number would not be executed by {@link request}. */
  settles({ id, request }: RequestSession): boolean {
    const { order } = this;
    const number = order.sessionOf(id);
    if (number === null) return request > 1 || order.isForgotten(id);
    return order.own.memory.look({ session: number, request }) !== 'new';
  }

  /** The session's number, or the answer that the request has had, or why there is none. */
  #originOf({ id, request, done }: RequestSession, owner: string): RequestOrigin | ApplyResult {
    const { order } = this;
    const known = order.sessionOf(id);
    // Only request 1 opens a session: of any other it may have been forgotten that it was executed.
    const session = known ?? (request === 1 ? order.openSession(id, owner) : null);
    if (session === null) return { kind: 'error', error: sessionErrors.expired };
    if (order.session(session)?.owner !== owner) return { kind: 'error', error: sessionErrors.otherUser };
    const floor = Math.max(done, request - limits.sessionWindowRequests) + 1;
    const origin = { session, request, floor };
    const recalled = order.recall(origin);
    switch (recalled) {
      case 'new':
        return origin;
      case 'finished':
        return { kind: 'error', error: sessionErrors.tooOld };
      case 'expired':
        return { kind: 'error', error: sessionErrors.expired };
      default:
        // A transaction over several shards is no request of the order group.
        return recalled.kind === 'committed'
          ? { kind: 'error', error: sessionErrors.otherRequest }
          : recalled.result;
    }
  }

  /** What shards do not know yet of users and alarms. */
  #news(): Uint8Array | null {
    const { auth, alarms } = this.#parts;
    return (this.order.own.access as UserRules).changeTo(UserRules.of(auth, alarms));
  }

  #tell(position: LogPosition, entry: OrderEntry | null, effects: readonly OrderEffect[]): void {
    const { order, observer } = this;
    const { number } = order.configuration;
    if (number !== this.#configuration) {
      this.#configuration = number;
      observer?.mapChanged(order.map);
    }
    observer?.applied({ order, position, entry, effects });
  }

  #tellLessor(effect: OrderEffect, lessor: LeaseObserver | null): void {
    if (effect.kind === 'lease-removed') lessor?.removed(effect.lease);
    if (effect.kind !== 'lease-renewed' && effect.kind !== 'lease-checkpointed') return;
    const lease = this.order.leases.get(effect.lease);
    if (lease === null) return;
    if (effect.kind === 'lease-renewed') lessor?.renewed(leaseOf(lease));
    else lessor?.checkpointed(leaseOf(lease));
  }
}

function* recordsIn(system: SystemTable): Generator<readonly [Uint8Array, Uint8Array]> {
  const cursor = system.scan(Namespace.ORDER);
  for (; cursor.key !== null; cursor.advance()) yield [keyOf(cursor.key).slice(), cursor.value.slice()];
}
