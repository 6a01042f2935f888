import { assert, unreachable } from '@flotilla/platform';
import type { MembershipChange } from '@flotilla/raft';
import {
  CompactionRequest,
  DeleteRangeRequest,
  etcdErrors,
  PutRequest,
  RpcError,
  TxnRequest,
} from '@flotilla/wire';
import { type ApplyResult, noAnswer } from './apply-result.ts';
import { Auth } from './auth/auth.ts';
import { copyBytes } from './bytes.ts';
import { Alarms } from './cluster/alarms.ts';
import { Downgrade } from './cluster/downgrade.ts';
import { MemberRegistry } from './cluster/member-registry.ts';
import { decodeMembershipContext } from './cluster/registered-member.ts';
import type { LeaseReader, LeaseRecords } from './leases/lease-records.ts';
import { type LeaseObserver, Leases } from './leases/leases.ts';
import type { LogPosition, MemberRecords, StoredState } from './mvcc/meta.ts';
import type { Layers } from './mvcc/layers.ts';
import { MultiVersionState } from './mvcc/state.ts';
import { executeTxn } from './mvcc/txn.ts';
import { decodeOrderEntry } from './order/order-entry-codec.ts';
import { orderErrors } from './order/order-errors.ts';
import type { OrderMachine } from './order/order-machine.ts';
import type { OrderObserver } from './order/order-observer.ts';
import { OrderedLeases } from './order/ordered-leases.ts';
import { type ShardedParts, ShardedState } from './order/sharded-state.ts';
import { decodeMember, type Proposal, type RequestSession } from './proposal.ts';
import type { ShardStore } from './shard/shard-store.ts';
import { Sessions } from './sessions/sessions.ts';
import { SystemTable } from './system/system-table.ts';

/**
 * Everything that is replicated, as one synchronous machine: the keys of clients and, beside them in the system table,
 * leases, users and roles, sessions, alarms and members. Equal on all members that have applied the same entries.
 *
 * Each module keeps what it must find fast on the heap and the whole of it in the system table, from which it is
 * opened; what grows with the number of keys stays in the table.
 */
export class AppliedState {
  readonly keys: MultiVersionState;
  readonly system: SystemTable;
  readonly leases: Leases;
  readonly auth: Auth;
  readonly sessions: Sessions;
  readonly alarms: Alarms;
  readonly downgrade: Downgrade;
  readonly registry: MemberRegistry;
  /** What each member has told the others about itself, by node id. */
  members: MemberRecords;
  /** Null: the cluster was never sharded. */
  #sharded: ShardedState | null = null;
  readonly #shardStore: OwnShardStore;
  #ownStore: ShardStore | null = null;
  #orderObserver: OrderObserver | null = null;
  #leaseObserver: LeaseObserver | null = null;

  /** `shardStore`: what a split takes keys out of, and a merge puts them into. */
  constructor(layers: Layers, stored: StoredState, shardStore: OwnShardStore) {
    this.#shardStore = shardStore;
    this.keys = new MultiVersionState(layers, stored.summary);
    this.system = new SystemTable(this.keys, stored.usesSystem);
    this.members = stored.members;
    this.leases = new Leases(this.system, this.keys);
    this.auth = new Auth(this.system, this.keys, (lease) => this.leases.records.keysOf(lease));
    this.sessions = new Sessions(this.system);
    this.alarms = new Alarms(this.system, this.keys);
    this.downgrade = new Downgrade(this.system, this.keys);
    this.registry = new MemberRegistry(this.system);
    if (stored.isSharded) this.#sharded = ShardedState.open(this.#shardedParts);
  }

  /** Of a sharded cluster: its order, and shard 0 in it. Null: it was never sharded. */
  get order(): OrderMachine | null {
    return this.#sharded?.order ?? null;
  }

  observeOrder(observer: OrderObserver | null): void {
    this.#orderObserver = observer;
    if (this.#sharded !== null) this.#sharded.observer = observer;
  }

  /** Whoever keeps the time of leases goes on when there is an order. */
  observeLeases(observer: LeaseObserver | null): void {
    this.#leaseObserver = observer;
    this.leases.observer = observer;
  }

  /** What can be read of the leases of this state. */
  leasesIn(records: LeaseReader): LeaseReader {
    const { order } = this;
    return order === null ? records : new OrderedLeases(order.leases, this.leases.records);
  }

  /** What a commit at this position stores beside the tables. */
  stored(applied: LogPosition): StoredState {
    this.settle();
    const { keys, members, system } = this;
    const isSharded = this.#sharded !== null;
    return { applied, summary: keys.summary, members, usesSystem: system.used, isSharded };
  }

  /** Before the tables are read as what the state is: not everything is written there at once. */
  settle(): void {
    this.#sharded?.flush();
    this.keys.settle();
  }

  /** Whether applying a request of this number will not execute it: it is answered from memory, or refused. */
  settles(session: RequestSession): boolean {
    return this.#sharded === null ? this.sessions.settles(session) : this.#sharded.settles(session);
  }

  /** Applies one proposal. What is refused has changed nothing. `position`: its entry's. */
  execute(proposal: Proposal, position: LogPosition): ApplyResult {
    if (proposal.kind === 'order') return this.#executeOrder(proposal.request, position);
    if (this.#sharded !== null) return this.#executeSharded(this.#sharded, proposal, position);
    const { session } = proposal.origin;
    try {
      this.auth.check(proposal);
    } catch (error) {
      return this.#repeated(proposal, position, error) ?? this.#refusal(error);
    }
    if (session === null) return this.#attempt(proposal, position);
    const known = this.sessions.recall(session, proposal, position);
    if (known !== null) return known;
    const result = this.#attempt(proposal, position);
    this.sessions.remember(session, proposal, result, position);
    return result;
  }

  /**
   * What was executed while its user might is answered again also when it may no more: to the same user, whom a member
   * has identified by the users as they are, and who was to hear it then. A refusal would say that nothing was done.
   */
  #repeated(proposal: Proposal, position: LogPosition, error: unknown): ApplyResult | null {
    const { user, session } = proposal.origin;
    if (error !== etcdErrors.permissionDenied || session === null) return null;
    if (user?.authRevision !== this.auth.revision || !this.sessions.remembers(session)) return null;
    return this.sessions.recall(session, proposal, position);
  }

  /** An entry that changes nothing here. */
  pass(position: LogPosition): void {
    this.#sharded?.pass(position);
  }

  #executeOrder(request: Uint8Array, position: LogPosition): ApplyResult {
    const entry = decodeOrderEntry(request);
    if (this.#sharded !== null) {
      return { kind: 'order', effects: this.#sharded.apply(entry, position, this.#leaseObserver) };
    }
    if (entry.kind !== 'begin') return { kind: 'error', error: orderErrors.notSharded };
    this.#sharded = ShardedState.begin(this.#shardedParts, entry, position);
    this.#sharded.observer = this.#orderObserver;
    return { kind: 'order', effects: this.#sharded.began(entry, position) };
  }

  /** What an order is now asked for was proposed before its member knew of it, and is sent there again. */
  #executeSharded(sharded: ShardedState, proposal: Proposal, position: LogPosition): ApplyResult {
    if (isOrders(proposal.kind)) {
      sharded.pass(position);
      return { kind: 'error', error: orderErrors.sharded };
    }
    try {
      this.auth.check(proposal);
    } catch (error) {
      sharded.pass(position);
      const { user } = proposal.origin;
      const isSame = error === etcdErrors.permissionDenied && user?.authRevision === this.auth.revision;
      return (isSame ? sharded.repeated(proposal.origin) : null) ?? this.#refusal(error);
    }
    return sharded.request(proposal, position, () => this.#attempt(proposal, position));
  }

  get #ownShard(): ShardStore {
    this.#ownStore ??= this.#shardStore(this.keys, this.leases.records);
    return this.#ownStore;
  }

  get #shardedParts(): ShardedParts {
    const { system, auth, alarms, leases, sessions } = this;
    return { system, auth, alarms, leases, sessions, store: this.#ownShard };
  }

  /** As a leader is asked before it appends the change: nobody may have made it yet, and everybody could. */
  admits(change: MembershipChange): boolean {
    const session = decodeMembershipContext(change.context)?.origin.session ?? null;
    return (session === null || !this.settles(session)) && this.registry.judge(change) === null;
  }

  /** Applies a change of Raft's configuration, which comes into force with the same entry. */
  changeMembership(change: MembershipChange, position: LogPosition): void {
    const { registry } = this;
    registry.apply(change, position.index);
    this.#rememberChange(change, position);
    // What a removed member has told of itself is of no use to anybody.
    if (!registry.isInUse || [...this.members.keys()].every((nodeId) => registry.members.has(nodeId))) return;
    this.members = new Map([...this.members].filter(([nodeId]) => registry.members.has(nodeId)));
  }

  /** Raft has taken it in any case; a number that its client has used for something else meanwhile keeps that answer. */
  #rememberChange({ steps, context }: MembershipChange, position: LogPosition): void {
    const decoded = decodeMembershipContext(context);
    const session = decoded?.origin.session ?? null;
    if (decoded === null || session === null || this.settles(session)) return this.pass(position);
    const added = steps.some(({ operation }) => operation !== 'update') ? decoded.members[0] : undefined;
    const kind = 'cluster';
    const response = { memberId: added?.memberId ?? 0n };
    if (this.#sharded !== null) return this.#sharded.changed(decoded.origin, position, { kind, response });
    const executed = { kind, request: new Uint8Array(0), origin: decoded.origin } as const;
    this.sessions.remember(session, executed, { kind, response }, position);
  }

  #attempt(proposal: Proposal, position: LogPosition): ApplyResult {
    try {
      return this.#dispatch(proposal, position);
    } catch (error) {
      return this.#refusal(error);
    }
  }

  #refusal(error: unknown): ApplyResult {
    if (!(error instanceof RpcError)) throw error;
    assert(this.keys.readRevision === this.keys.revision, 'a request that is refused has changed nothing');
    return { kind: 'error', error };
  }

  #dispatch(proposal: Proposal, position: LogPosition): ApplyResult {
    const { kind, request } = proposal;
    const { keys, leases } = this;
    this.alarms.check(proposal);
    switch (kind) {
      case 'put':
        return { kind, response: keys.put(PutRequest.decode(request)) };
      case 'delete-range':
        return { kind, response: keys.deleteRange(DeleteRangeRequest.decode(request)) };
      case 'txn':
        return { kind, response: executeTxn(keys, TxnRequest.decode(request)) };
      case 'compact':
        return { kind, response: keys.compact(CompactionRequest.decode(request)) };
      case 'member': {
        const { nodeId, record } = decodeMember(request);
        // Proposed before its removal, and applied after it.
        if (this.registry.isInUse && !this.registry.members.has(nodeId)) return noAnswer;
        this.members = new Map(this.members).set(nodeId, copyBytes(record));
        return noAnswer;
      }
      case 'lease-grant':
        return { kind, response: leases.grant(request, position) };
      case 'lease-revoke':
        return { kind, response: leases.revoke(request) };
      case 'lease-renew':
        return { kind, response: leases.renew(request, position) };
      case 'lease-checkpoint':
        leases.checkpoint(request);
        return noAnswer;
      case 'lease-expire':
        leases.expire(request, position);
        return noAnswer;
      case 'auth':
        return { kind, response: this.auth.apply(request) };
      case 'authenticate':
        return { kind, response: this.auth.authenticate(request, position) };
      case 'session-expire':
        this.sessions.expire(request);
        return noAnswer;
      case 'alarm':
        return { kind, response: this.alarms.apply(request) };
      case 'cluster':
        // One whose session has not made the change, which its member saw that it has.
        throw etcdErrors.notCapable;
      case 'downgrade':
        return { kind, response: this.downgrade.apply(request) };
      case 'order':
        return assert(false, 'an order has its entries to itself') as never;
      default:
        return unreachable(kind);
    }
  }
}

/** The keys of this state as shard 0 of a sharded cluster. */
export type OwnShardStore = (keys: MultiVersionState, attachments: LeaseRecords) => ShardStore;

/** Whether an order takes care of it, where there is one. */
function isOrders(kind: Proposal['kind']): boolean {
  switch (kind) {
    case 'put':
    case 'delete-range':
    case 'txn':
    case 'compact':
    case 'lease-grant':
    case 'lease-revoke':
    case 'lease-renew':
    case 'lease-checkpoint':
    case 'lease-expire':
    case 'session-expire':
    case 'order':
      return true;
    case 'auth':
    case 'authenticate':
    case 'alarm':
    case 'member':
    case 'cluster':
    case 'downgrade':
      return false;
    default:
      return unreachable(kind);
  }
}
