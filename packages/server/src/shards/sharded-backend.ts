import { isFlotillaError, type Platform, unreachable } from '@flotilla/platform';
import {
  type ApplyResult,
  countPage,
  decodeLeaseCheckpoint,
  decodeLeaseExpire,
  decodeLeaseRenew,
  type LeaseCheckpoint,
  type LeaseExpiry,
  everyKeySpan,
  hashRevisionOf,
  type KeyValueHash,
  KeyValueHasher,
  noAnswer,
  type OrderEntry,
  type OrderMachine,
  type Origin,
  type ProposalKind,
  type RequestOrigin,
  type ShardedContents,
  type RequestSession,
  type RequestUser,
  sessionErrors,
} from '@flotilla/store';
import {
  CompactionRequest,
  etcdErrors,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  type RangeRequest,
  type RangeResponse,
  RpcError,
  type TxnRequest,
  type TxnResponse,
} from '@flotilla/wire';
import { limits } from '../limits.ts';
import { Deadline } from './deadline.ts';
import type { ReadPlace } from './reader.ts';
import { allRecords } from './record-parts.ts';
import type { NumberedRequest } from './request-sessions.ts';
import type { ShardRouterParts } from './router.ts';
import { ShardServices } from './shard-services.ts';
import type { ShardNode } from './types.ts';
import { decodeWrite, isWriteKind, type WriteKind } from './write-call.ts';

export interface ShardedBackendParts {
  readonly platform: Platform;
  readonly node: ShardNode;
  /** How long a request may take, as etcd's. */
  readonly timeoutMs: number;
  /** Of a streamed range. */
  readonly pieceBytes: number;
  readonly isCurrent: ShardRouterParts['isCurrent'];
  readonly renewed: ShardRouterParts['renewed'];
  /** Whether no key has to be looked at to know what the user may do. */
  readonly mayEverything: (user: RequestUser) => boolean;
  /** Throws what etcd answers to a user who may not write all of these keys. */
  readonly requireKeys: (user: RequestUser, keys: readonly Uint8Array[]) => void;
}

type OrderKind =
  'compact' | 'lease-checkpoint' | 'lease-expire' | 'lease-grant' | 'lease-renew' | 'lease-revoke';

/** What requests of members and clients are the shards' or the order's; others stay proposals of group 0. */
export type ShardedKind = WriteKind | OrderKind;

type Entry = OrderEntry & { readonly origin: RequestOrigin };

/**
 * What the API reaches of a cluster whose keys are in many shards. `GroupBackend` hands over to it, call by call, once
 * the cluster is sharded; users, alarms and members stay group 0's.
 */
export class ShardedBackend {
  readonly services: ShardServices;
  readonly #parts: ShardedBackendParts;

  constructor(parts: ShardedBackendParts) {
    this.#parts = parts;
    this.services = new ShardServices(parts.platform, parts.node, parts);
  }

  /** Whether it is this one's turn. */
  get isOn(): boolean {
    return this.#parts.node.order !== null;
  }

  get revision(): number {
    return this.services.place.revision;
  }

  /** Of all replicas of this node. */
  get keyCount(): number {
    let count = 0;
    for (const replica of this.#parts.node.replicas()) {
      // One that waits for a snapshot must not even be asked for its machine.
      if (!replica.isReady) continue;
      const { span, store } = replica.machine;
      count += countPage(store.keys, span, store.keys.revision);
    }
    return count;
  }

  /** Those of clients and of members. */
  get sessionCount(): number {
    return [...this.#order.sessionNumbers].length;
  }

  /** Rejects, as a proposal does, when it is not known, or certain not, to have been executed. */
  async execute(kind: ShardedKind, request: Uint8Array, origin: Origin): Promise<ApplyResult> {
    const { user, session, timeoutMs } = origin;
    // Nobody asks again for what has no session: when its client is gone, further tries would only be in others' way.
    // It is told that its time is over by its call, in its own words: this is later.
    const isGoneMs =
      session === null && timeoutMs !== undefined ? timeoutMs + limits.clientGoneMs : undefined;
    const deadline = this.#deadline(isGoneMs);
    const refusal = user === null ? null : await this.#refusalOfLeases(kind, request, user, deadline);
    // A refusal would say that nothing was done: what was executed before is answered again.
    const isRefused =
      refusal !== null && !(origin.session !== null && (await this.isSettled(origin.session)));
    if (isRefused) return { kind: 'error', error: refusal };
    if (isWriteKind(kind)) return await this.services.router.write(kind, request, origin, deadline);
    switch (kind) {
      case 'lease-grant': {
        const { id: lease, ttl } = LeaseGrantRequest.decode(request);
        return await this.#administer(origin, deadline, (numbered) => ({
          kind: 'grant',
          origin: numbered,
          user,
          lease,
          ttl,
        }));
      }
      case 'lease-revoke': {
        const { id: lease } = LeaseRevokeRequest.decode(request);
        return await this.#administer(origin, deadline, (numbered) => ({
          kind: 'revoke',
          origin: numbered,
          user,
          lease,
        }));
      }
      case 'compact': {
        const { revision } = CompactionRequest.decode(request);
        return await this.#administer(origin, deadline, (numbered) => ({
          kind: 'compact',
          origin: numbered,
          user,
          revision,
        }));
      }
      case 'lease-renew':
        return await this.#renew(decodeLeaseRenew(request), deadline);
      case 'lease-expire':
        return await this.#expire(decodeLeaseExpire(request), deadline);
      case 'lease-checkpoint':
        return await this.#checkpoint(decodeLeaseCheckpoint(request), deadline);
      default:
        return unreachable(kind);
    }
  }

  /** After a read barrier: whether it was executed before, or will be refused. */
  async isSettled(session: RequestSession): Promise<boolean> {
    const deadline = this.#deadline();
    const number = this.#order.sessionOf(session.id);
    if (number === null) return session.request > 1 || this.#order.isForgotten(session.id);
    const { parts, place } = this.services;
    const spans = this.#order.map.rows.map(({ span }) => span);
    return await parts.isSettled({ session: number, request: session.request }, spans, place, deadline);
  }

  /**
   * Resolves when every shard has heard what this node knows of users and alarms (rule 15). What it was proposed to do is
   * done: a shard that is down holds up only what must not be done by what it knew before.
   */
  async everywhere(what: 'alarms' | 'users'): Promise<void> {
    const deadline = this.#deadline();
    const { index } = this.#order;
    const isEverywhere = (): boolean => this.#order.isEverywhere(index);
    const mostMs = what === 'users' ? Infinity : limits.everywhereMs;
    await this.services.changes.until(isEverywhere, Math.min(deadline.leftMs, mostMs));
    if (what === 'users' && !isEverywhere()) deadline.requireTime();
  }

  async readBarrier(): Promise<void> {
    await this.#parts.node.frontier(this.#deadline().patience());
  }

  range(request: RangeRequest): Promise<RangeResponse> {
    return this.services.reader.range(request, () => this.#deadline());
  }

  rangePieces(request: RangeRequest): AsyncIterable<RangeResponse> {
    return this.services.reader.pieces(request, this.#parts.pieceBytes, () => this.#deadline());
  }

  readTxn(request: TxnRequest): Promise<TxnResponse> {
    return this.services.reader.txn(request, () => this.#deadline());
  }

  /** The keys that go with a lease, wherever they are, sorted. Only shards where it is registered have any (rule 14). */
  async keysOfLease(id: bigint, deadline = this.#deadline()): Promise<readonly Uint8Array[]> {
    const { parts, place } = this.services;
    const { leases, map } = this.#order;
    const shards = [...(leases.get(id)?.shards ?? [])];
    const spans = shards.flatMap((shard) => map.row(shard)?.span ?? []);
    return await parts.keysOf(id, spans, place, deadline);
  }

  /** etcd's `HashKV` over all shards: what one shard with all of it would answer. */
  async hashKeyValues(revision: number): Promise<KeyValueHash> {
    return await this.#again(async (at, deadline) => {
      const hashRevision = hashRevisionOf(at, revision);
      const { compactRevision } = at;
      const hasKeys =
        (await this.services.parts.count(everyKeySpan, at, hashRevision, () => this.#deadline())) > 0;
      const hasher = new KeyValueHasher({ hashRevision, compactRevision, hasKeys });
      for await (const record of allRecords(this.services.pinned, at, hashRevision, deadline)) {
        if (hasher.counts(record)) hasher.add(record, record.kv);
      }
      return { hash: hasher.value, hashRevision, compactRevision, revision: at.revision };
    });
  }

  /** Everything that is kept of the keys at one revision, as etcd has it. Again from the start when a replica is lost. */
  async withContents<Result>(use: (contents: ShardedContents) => Promise<Result>): Promise<Result> {
    return await this.#again((at, deadline) =>
      use({
        records: allRecords(this.services.pinned, at, at.revision, deadline),
        compactRevision: at.compactRevision,
      }),
    );
  }

  /** Replicas may go while they are read, and compaction may overtake: then once more, as of then. */
  async #again<Result>(read: (at: ReadPlace, deadline: Deadline) => Promise<Result>): Promise<Result> {
    const deadline = new Deadline(this.#parts.platform, limits.shardContentsMs);
    for (let attempt = 1; ; attempt += 1) {
      const at = this.services.place;
      try {
        return await read(at, deadline);
      } catch (error) {
        const isOvertaken =
          isFlotillaError(error, 'FLOTILLA_SHARD_UNREACHABLE') ||
          (error === etcdErrors.compacted && this.services.place.compactRevision > at.compactRevision);
        if (!isOvertaken || attempt >= limits.shardReadAttempts) throw error;
      }
    }
  }

  /**
   * Resolves when nothing is left here that the compaction up to this revision has to remove, or after the time of a
   * request: other shards than group 0's compact in their own time.
   */
  async compacted(revision: number): Promise<void> {
    const deadline = this.#deadline();
    const isDone = (): boolean =>
      [...this.#parts.node.replicas()].every((replica) => {
        if (!replica.isReady) return true;
        const { compactedThrough, compactRevision } = replica.machine.store.keys;
        return compactedThrough >= Math.min(revision, compactRevision);
      });
    while (!isDone() && !deadline.isOver) await this.services.changes.pause(limits.shardPartsAgainMs);
  }

  stop(): void {
    this.services.stop();
  }

  /**
   * Whoever attaches a key to a lease, or revokes it, must be allowed to write every key of it, wherever that is. A shard
   * knows its own.
   */
  async #refusalOfLeases(
    kind: ShardedKind,
    request: Uint8Array,
    user: RequestUser,
    deadline: Deadline,
  ): Promise<RpcError | null> {
    const leases = leasesOf(kind, request);
    if (leases.length === 0 || this.#parts.mayEverything(user)) return null;
    await this.#parts.node.frontier(deadline.patience());
    try {
      for (const lease of leases) this.#parts.requireKeys(user, await this.keysOfLease(lease, deadline));
      return null;
    } catch (error) {
      if (error instanceof RpcError) return error;
      throw error;
    }
  }

  /** A request of the order group itself. */
  async #administer(
    { session, user }: Origin,
    deadline: Deadline,
    entry: (numbered: RequestOrigin) => Entry,
  ): Promise<ApplyResult> {
    for (;;) {
      const numbered = await this.services.sessions.number(session, user, null, deadline);
      try {
        const reply = await this.#parts.node.administer(entry(numbered.origin), deadline.patience());
        if (reply.kind === 'answer') return reply.answer.result;
        this.#refused(reply.reason, numbered);
      } finally {
        numbered.finish();
      }
      deadline.requireTime();
    }
  }

  /** Throws, unless the session was this member's: then nothing was done, and another one may. */
  #refused(reason: 'finished' | 'session-expired', { isClients, origin }: NumberedRequest): void {
    switch (reason) {
      case 'finished':
        throw isClients ? sessionErrors.tooOld : etcdErrors.timeout;
      case 'session-expired':
        if (isClients) throw sessionErrors.expired;
        this.services.sessions.expired(origin.session);
        return;
      default:
        unreachable(reason);
    }
  }

  /** As it was where it was applied: a revocation that came right behind it ends what it has found. */
  async #renew(leases: readonly bigint[], deadline: Deadline): Promise<ApplyResult> {
    const { node } = this.#parts;
    const present = (): number[] =>
      leases.map((id) => {
        const lease = this.#order.leases.get(id);
        // What is about to end is not renewed.
        return lease?.life === 'live' ? lease.ttl : 0;
      });
    let ttls: readonly number[] | null = null;
    const unsubscribe = node.onOrder(({ entry }) => {
      const isOfThese = entry?.kind === 'renew' && leases.every((id, i) => entry.leases[i] === id);
      if (isOfThese) ttls ??= present();
    });
    try {
      await node.propose({ kind: 'renew', leases }, deadline.patience());
    } finally {
      unsubscribe();
    }
    // A snapshot may have jumped over it.
    return { kind: 'lease-renew', response: { ttls: ttls ?? present() } };
  }

  /** Each with an entry of its own, which is the number of the request that its end is (`orderSession`). */
  async #expire({ term, leases }: LeaseExpiry, deadline: Deadline): Promise<ApplyResult> {
    const { node } = this.#parts;
    await Promise.all(
      leases.map(({ id: lease, generation }) =>
        node.propose({ kind: 'expire', term, leases: [{ lease, generation }] }, deadline.patience()),
      ),
    );
    return noAnswer;
  }

  async #checkpoint(checkpoints: readonly LeaseCheckpoint[], deadline: Deadline): Promise<ApplyResult> {
    const leases = checkpoints.map(({ id, ...left }) => ({ lease: id, ...left }));
    await this.#parts.node.propose({ kind: 'checkpoint', leases }, deadline.patience());
    return noAnswer;
  }

  get #order(): OrderMachine {
    const { order } = this.#parts.node;
    if (order === null) throw etcdErrors.unhealthy;
    return order;
  }

  #deadline(mostMs = Infinity): Deadline {
    return new Deadline(this.#parts.platform, Math.min(this.#parts.timeoutMs, mostMs));
  }
}

function leasesOf(kind: ShardedKind, request: Uint8Array): readonly bigint[] {
  if (isWriteKind(kind)) return decodeWrite(kind, request).footprint.leases;
  return kind === 'lease-revoke' ? [LeaseRevokeRequest.decode(request).id] : [];
}

/** Which kinds {@link ShardedBackend.execute} takes. */
export function isSharded(kind: ProposalKind): kind is ShardedKind {
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
      return true;
    case 'auth':
    case 'authenticate':
    case 'alarm':
    case 'member':
    case 'session-expire':
    case 'cluster':
    case 'downgrade':
    case 'order':
      return false;
    default:
      return unreachable(kind);
  }
}
