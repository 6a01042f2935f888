import { isFlotillaError, type Platform, type Random, unreachable } from '@flotilla/platform';
import {
  type ApplyResult,
  orderShard,
  type Origin,
  type RequestEntry,
  type RequestUser,
  requestDigest,
  sessionErrors,
  type ShardRow,
} from '@flotilla/store';
import { etcdErrors } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { Changes } from './changes.ts';
import { conflictPauseMs } from './conflict-pause.ts';
import type { Coordinator } from './coordinator.ts';
import type { Deadline } from './deadline.ts';
import type { ShardRequests } from './shard-requests.ts';
import { isOfSeveral, type RequestSessions } from './request-sessions.ts';
import { type Turn, TransactionTurns } from './transaction-turns.ts';
import type { ShardNode, SubmitReply } from './types.ts';
import { decodeWrite, type WriteCall, type WriteKind, type WriteStep } from './write-call.ts';

export interface ShardRouterParts {
  readonly platform: Platform;
  readonly node: ShardNode;
  readonly changes: Changes;
  readonly sessions: RequestSessions;
  readonly coordinator: Coordinator;
  readonly counts: ShardRequests;
  /** Whether the user was identified by the newest state of users that this node knows. */
  readonly isCurrent: (user: RequestUser | null) => boolean;
  /** The same user as of that state; null: whoever has the token cannot be identified by it. */
  readonly renewed: (user: RequestUser) => RequestUser | null;
}

/**
 * Takes writes to the shards that have their keys, wherever those are and however often they change on the way. A write
 * keeps its number until it is answered, so that it takes effect once.
 */
export class ShardRouter {
  readonly #node: ShardNode;
  readonly #changes: Changes;
  readonly #sessions: RequestSessions;
  readonly #coordinator: Coordinator;
  readonly #counts: ShardRequests;
  readonly #isCurrent: ShardRouterParts['isCurrent'];
  readonly #renewed: ShardRouterParts['renewed'];
  readonly #random: Random;
  readonly #turns: TransactionTurns;
  /** Of requests under way. */
  #bytes = 0;
  /** Of clients' own sessions: two tries of one request would only be in each other's way. */
  readonly #running = new Map<
    string,
    { readonly digest: Uint8Array; readonly result: Promise<ApplyResult> }
  >();

  constructor(parts: ShardRouterParts) {
    const { platform, node, changes, sessions, coordinator, counts, isCurrent, renewed } = parts;
    this.#isCurrent = isCurrent;
    this.#renewed = renewed;
    this.#node = node;
    this.#changes = changes;
    this.#sessions = sessions;
    this.#coordinator = coordinator;
    this.#counts = counts;
    this.#random = platform.random.fork('shard-backoff');
    this.#turns = new TransactionTurns(platform);
  }

  /** Errors that executing it gave are results; what keeps it from being executed, or from being known, rejects. */
  async write(
    kind: WriteKind,
    request: Uint8Array,
    origin: Origin,
    deadline: Deadline,
  ): Promise<ApplyResult> {
    // What waits for a shard that is down would take all the memory there is.
    const isFull = this.#bytes > 0 && this.#bytes + request.length > limits.shardRequestBytes;
    if (isFull) throw etcdErrors.tooManyRequests;
    this.#bytes += request.length;
    try {
      return await this.#shared(kind, request, origin, deadline);
    } finally {
      this.#bytes -= request.length;
    }
  }

  #shared(kind: WriteKind, request: Uint8Array, origin: Origin, deadline: Deadline): Promise<ApplyResult> {
    const { session, user } = origin;
    if (session === null) return this.#write(kind, request, origin, deadline);
    // Of this user: a session is told to nobody else.
    const name = JSON.stringify([user?.name ?? null, session.id, session.request]);
    const digest = session.digest.length > 0 ? session.digest : requestDigest(kind, request);
    const running = this.#running.get(name);
    if (running !== undefined) {
      if (Buffer.compare(running.digest, digest) === 0) return running.result;
      return Promise.resolve(otherRequest);
    }
    const result = this.#write(kind, request, origin, deadline).finally(() => this.#running.delete(name));
    this.#running.set(name, { digest, result });
    return result;
  }

  async #write(
    kind: WriteKind,
    request: Uint8Array,
    { user, session }: Origin,
    deadline: Deadline,
  ): Promise<ApplyResult> {
    const decoded = decodeWrite(kind, request);
    this.#counts.count(kind, decoded.footprint.spans, this.#node.order);
    await this.#compacted(decoded.footprint.oldestRead, deadline);
    for (;;) {
      const numbered = await this.#sessions.number(session, user, decoded.footprint, deadline);
      const turn = this.#turns.of(decoded.footprint.spans);
      try {
        const result = await this.#carry({ ...decoded, user, numbered }, turn, deadline);
        if (result !== null) return isOfKind(result, kind) ? result : otherRequest;
      } finally {
        turn.end();
        numbered.finish();
      }
      deadline.requireTime();
    }
  }

  /** A shard that has not heard of a compaction would still read what its client was told is gone (rule 16). */
  async #compacted(oldestRead: number, deadline: Deadline): Promise<void> {
    if (oldestRead === 0) return;
    await this.#node.frontier(deadline.patience());
    const { order } = this.#node;
    if (order === null || oldestRead >= order.compactRevision) return;
    const { index } = order;
    const isEverywhere = (): boolean => this.#node.order?.isEverywhere(index) === true;
    await this.#changes.until(isEverywhere, deadline.leftMs);
    deadline.requireTimeToRead();
  }

  /** Null: the session is no more, and nothing was done: another one may. */
  async #carry(first: WriteCall, turn: Turn, deadline: Deadline): Promise<ApplyResult | null> {
    const { isClients, origin } = first.numbered;
    let call = first;
    let conflicts = 0;
    /** Whether a copy of it may have been executed that nobody has told of. */
    let isUnsure = false;
    for (;;) {
      if (this.#isForOrder(call)) {
        // It has come to be the order's, which has not kept its number.
        if (!call.numbered.isForOrder && !isUnsure) return null;
        await turn.come(deadline.patience(limits.shardTurnMs).timeoutMs);
      }
      const { leftMs } = deadline;
      const step = await this.#sureStep(call, isUnsure, deadline);
      const attemptMs = leftMs - deadline.leftMs;
      switch (step.kind) {
        case 'answered':
          await this.#caughtUp(step.revision, deadline);
          return step.result;
        case 'overloaded':
          // Nothing has happened, unless before.
          if (!isUnsure) throw etcdErrors.tooManyRequests;
          break;
        case 'auth-revision':
          // A shard that has not heard of it yet soon will.
          if (this.#isCurrent(call.user)) break;
          if (!isUnsure) return { kind: 'error', error: etcdErrors.authOldRevision };
          // It keeps its number: a copy of it that was executed answers for it.
          call = { ...call, user: (call.user === null ? null : this.#renewed(call.user)) ?? call.user };
          break;
        case 'unknown':
          isUnsure = true;
          break;
        case 'finished':
          if (isClients) throw sessionErrors.tooOld;
          // Another shard than it was numbered for has its keys now, and had come further. Nothing was done.
          if (!isUnsure) return null;
          break;
        case 'session-expired':
          if (isClients) throw sessionErrors.expired;
          this.#sessions.expired(origin.session);
          if (!isUnsure) return null;
          break;
        case 'again':
          if (step.why === 'conflict') conflicts += 1;
          break;
        default:
          unreachable(step);
      }
      deadline.requireTime();
      await this.#pause(step, conflictPauseMs(conflicts, attemptMs), deadline);
      deadline.requireTime();
    }
  }

  #isForOrder({ footprint }: WriteCall): boolean {
    return isOfSeveral(footprint, this.#node.order?.map.of(footprint.spans) ?? []);
  }

  /** That a further try was not even proposed says nothing of those before it. */
  async #sureStep(call: WriteCall, isUnsure: boolean, deadline: Deadline): Promise<WriteStep> {
    try {
      return await this.#try(call, deadline);
    } catch (error) {
      if (isUnsure && isFlotillaError(error) && error.code !== 'FLOTILLA_STOPPED') return { kind: 'unknown' };
      throw error;
    }
  }

  #try(call: WriteCall, deadline: Deadline): Promise<WriteStep> {
    const { order } = this.#node;
    if (order === null) throw etcdErrors.unhealthy;
    const rows = order.map.of(call.footprint.spans);
    if (isOfSeveral(call.footprint, rows)) return this.#coordinator.attempt(call, rows, deadline);
    // One that touches no key is as good anywhere, and nowhere as quick.
    return this.#one(call, rows[0] ?? (order.map.row(orderShard) as ShardRow), deadline);
  }

  async #one(call: WriteCall, { shard, range }: ShardRow, deadline: Deadline): Promise<WriteStep> {
    const { user, write, numbered } = call;
    const entry: RequestEntry = {
      kind: 'request',
      origin: numbered.originFor(shard),
      user,
      range,
      write,
      absent: [],
    };
    let reply: SubmitReply;
    try {
      reply = await this.#node.submit(shard, entry, deadline.patience());
    } catch (error) {
      // The same again tells what became of it.
      if (isFlotillaError(error) && mayBeKnown.has(error.code)) return { kind: 'unknown' };
      // A replica that is just being opened says so, too; and then the time is not over.
      if (isFlotillaError(error, 'FLOTILLA_NO_LEADER') && !deadline.isOver) {
        return { kind: 'again', why: 'leader' };
      }
      throw error;
    }
    switch (reply.kind) {
      case 'answer':
        return { kind: 'answered', result: reply.answer.result, revision: reply.answer.revision };
      case 'part':
        // It was a transaction of several shards before they became one.
        return await this.#coordinator.joined(call, reply.outcome, new Map(), deadline);
      case 'aborted':
        return { kind: 'again', why: 'conflict' };
      case 'refused':
        return stepOfRefusal(reply.reason);
      default:
        return unreachable(reply);
    }
  }

  /** Who has its answer from this member reads it here as well, and finds no older revision in a header. */
  async #caughtUp(revision: number, deadline: Deadline): Promise<void> {
    const isThere = (): boolean => (this.#node.order?.frontier ?? revision) >= revision;
    if (isThere()) return;
    await this.#changes.until(isThere, Math.min(deadline.leftMs, limits.shardReadOwnMs));
  }

  /** Until ranges have changed, or after a conflict some while, never the same. */
  async #pause(step: WriteStep, conflictMs: number, deadline: Deadline): Promise<void> {
    if (step.kind !== 'again' || step.why === 'leader')
      return await this.#changes.pause(Math.min(deadline.leftMs, limits.shardAskAgainMs));
    if (step.why === 'map') {
      return await this.#mapChanged(Math.min(deadline.leftMs, limits.shardRoutePauseMs));
    }
    await this.#changes.pause(Math.min(deadline.leftMs, this.#random.float() * conflictMs));
  }

  async #mapChanged(patienceMs: number): Promise<void> {
    const before = this.#node.order?.map.configuration;
    const isSame = (): boolean => this.#node.order?.map.configuration === before;
    await this.#changes.until(() => !isSame(), patienceMs);
  }
}

/** What was remembered of the number may be the answer of another request: then its client has used it twice. */
function isOfKind(result: ApplyResult, kind: WriteKind): boolean {
  return result.kind === kind || result.kind === 'error';
}

/** A replica jumped over it by a snapshot, or nobody that has one could be asked. */
const mayBeKnown: ReadonlySet<string> = new Set(['FLOTILLA_PROPOSAL_UNKNOWN', 'FLOTILLA_SHARD_UNREACHABLE']);

const otherRequest: ApplyResult = { kind: 'error', error: sessionErrors.otherRequest };

function stepOfRefusal(reason: Extract<SubmitReply, { readonly kind: 'refused' }>['reason']): WriteStep {
  switch (reason) {
    case 'epoch':
    case 'barrier':
    // Its registration is on its way.
    case 'lease-unregistered':
      return { kind: 'again', why: 'map' };
    case 'auth-revision':
    case 'overloaded':
    case 'finished':
    case 'session-expired':
      return { kind: reason };
    default:
      return unreachable(reason);
  }
}
