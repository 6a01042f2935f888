import { FlotillaError, isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import {
  encodeShardEntry,
  footprintOf,
  type OrderMachine,
  type PrepareEntry,
  type RequestEntry,
  type ShardEntry,
  type ShardId,
  type ShardMachine,
} from '@flotilla/store';
import { limits } from '../limits.ts';
import {
  decodeSubmitAnswer,
  encodeMessage,
  encodeSubmitAnswer,
  paths,
  type SubmitAnswer,
  type SubmitMessage,
} from './node-messages.ts';
import type { ShardAnswers } from './shard-answers.ts';
import type { Patience, SubmitReply } from './types.ts';

/** A replica of this node, as requests use it. */
export interface SubmitTarget {
  /** Null: it waits for a snapshot. */
  readonly state: ShardMachine | null;
  readonly answers: ShardAnswers;
  /** Resolves when it is applied here. */
  log(entry: ShardEntry, patience: Patience): Promise<void>;
  readonly leader: NodeId | 0;
}

export interface ShardSubmitterParts {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly order: () => OrderMachine | null;
  /** Null: there is no replica here that could take it. */
  readonly target: (shard: ShardId) => SubmitTarget | null;
  readonly nodesOf: (shard: ShardId) => readonly NodeId[];
  readonly ask: (node: NodeId, path: string, body: Uint8Array, patience: Patience) => Promise<Uint8Array>;
  /** This node's order has come as far as anybody's had at the call. */
  readonly frontier: (patience: Patience) => Promise<unknown>;
  readonly register: (lease: bigint, shard: ShardId, patience: Patience) => Promise<void>;
  /** Another node has told who leads a shard. */
  readonly heard: (shard: ShardId, leader: number) => void;
}

/**
 * Brings entries into the log of a shard, and tells what became of them: at this node if it has a replica, otherwise at
 * one that has. A request that is brought in twice takes effect once, so that all that is not known is tried again.
 */
export class ShardSubmitter {
  readonly #parts: ShardSubmitterParts;

  constructor(parts: ShardSubmitterParts) {
    this.#parts = parts;
  }

  async submit(shard: ShardId, entry: RequestEntry | PrepareEntry, patience: Patience): Promise<SubmitReply> {
    const here = this.#parts.target(shard);
    if (here !== null) return await this.#here(shard, here, entry, patience);
    const message = { shard, entry: encodeShardEntry(entry), timeoutMs: patience.timeoutMs };
    const answer = await this.#elsewhere(shard, paths.submit, message, patience);
    return decoded(shard, answer);
  }

  /** Any other entry; answered when it is applied where it was brought in. */
  async log(shard: ShardId, entry: ShardEntry, patience: Patience): Promise<void> {
    const here = this.#parts.target(shard);
    if (here !== null) await here.log(entry, patience);
    else {
      const message = { shard, entry: encodeShardEntry(entry), timeoutMs: patience.timeoutMs };
      await this.#elsewhere(shard, paths.log, message, patience);
    }
  }

  /** What another node asks of this one's replica. */
  async serve({ shard, timeoutMs }: SubmitMessage, entry: ShardEntry): Promise<Uint8Array> {
    const target = this.#parts.target(shard);
    if (target === null) return encodeSubmitAnswer({ kind: 'elsewhere' });
    // Who asked gives up at the same time: what comes later comes to nobody.
    const patience = { timeoutMs: Math.max(1, timeoutMs - limits.submitHopMs) };
    try {
      const isRequest = entry.kind === 'request' || entry.kind === 'prepare';
      const reply = isRequest ? await this.#here(shard, target, entry, patience) : null;
      if (reply !== null) return encodeSubmitAnswer({ kind: 'reply', reply, leader: target.leader });
      await target.log(entry, patience);
      return encodeSubmitAnswer({ kind: 'reply', reply: { kind: 'aborted' }, leader: target.leader });
    } catch (error) {
      const code = isFlotillaError(error) ? error.code : 'FLOTILLA_UNEXPECTED';
      return encodeSubmitAnswer({ kind: 'failed', code, message: messageOf(error) });
    }
  }

  /**
   * One node after the other, the most promising first. What one of them may have done is not denied by what the next one
   * says: a refusal is of its own copy alone.
   */
  async #elsewhere(
    shard: ShardId,
    path: string,
    message: SubmitMessage,
    patience: Patience,
  ): Promise<SubmitAnswer> {
    const { platform, nodeId, nodesOf, ask, heard } = this.#parts;
    const untilMs = platform.now() + patience.timeoutMs;
    let reason = 'it is not known who has it';
    let isUnsure = false;
    let failed: SubmitAnswer | null = null;
    const nodes = nodesOf(shard).filter((node) => node !== nodeId);
    for (const [i, node] of nodes.entries()) {
      const leftMs = Math.max(1, Math.ceil(untilMs - platform.now()));
      // The last one has all the time there is.
      const timeoutMs = i === nodes.length - 1 ? leftMs : Math.min(leftMs, limits.submitCallMs);
      try {
        const body = encodeMessage({ ...message, timeoutMs });
        const answer = decodeSubmitAnswer(await ask(node, path, body, { timeoutMs }));
        if (answer.kind === 'elsewhere') continue;
        if (answer.kind === 'reply') {
          heard(shard, answer.leader);
          if (!isUnsure || answer.reply.kind !== 'refused') return answer;
          reason = 'what another node has done is not known';
          break;
        }
        reason = answer.message;
        if (nothingDone.has(answer.code)) failed = answer;
        else isUnsure = true;
      } catch (error) {
        if (isFlotillaError(error, 'FLOTILLA_STOPPED')) throw error;
        if (!isFlotillaError(error, 'FLOTILLA_PEER_CALL_UNKNOWN')) isUnsure = true;
        reason = messageOf(error);
      }
      if (platform.now() >= untilMs) break;
    }
    if (failed !== null && !isUnsure) return failed;
    throw unreachableShard(shard, reason);
  }

  async #here(
    shard: ShardId,
    target: SubmitTarget,
    entry: RequestEntry | PrepareEntry,
    patience: Patience,
  ): Promise<SubmitReply> {
    const { platform } = this.#parts;
    const untilMs = platform.now() + patience.timeoutMs;
    const leases = leasesOf(entry);
    for (;;) {
      const absent = await this.#prepareLeases(shard, target, leases, untilMs);
      const complete = absent.length === 0 ? entry : { ...entry, absent };
      const reply = await this.#await(target, complete, untilMs);
      // The lease was revoked, and perhaps granted again, while it was on its way: this copy has done nothing.
      const isStale = reply.kind === 'refused' && reply.reason === 'lease-unregistered';
      if (!isStale || platform.now() >= untilMs) return reply;
    }
  }

  async #await(
    target: SubmitTarget,
    entry: RequestEntry | PrepareEntry,
    untilMs: number,
  ): Promise<SubmitReply> {
    const { platform } = this.#parts;
    const transaction = entry.kind === 'prepare' ? entry.transaction : null;
    const awaited = target.answers.wait(entry.origin, transaction);
    const timeoutMs = Math.max(1, untilMs - platform.now());
    return await new Promise<SubmitReply>((resolve, reject) => {
      const over = (): void => {
        timer.cancel();
        awaited.cancel();
      };
      const timer = platform.timer(timeoutMs, 'shard-submit', () => {
        over();
        reject(timedOut());
      });
      void awaited.reply.then((reply) => {
        over();
        resolve(reply);
      });
      this.#log(target, entry, untilMs).then(
        () => {
          const known = this.#known(target, entry);
          if (known === null) return;
          over();
          resolve(known);
        },
        (error: unknown) => {
          over();
          reject(error);
        },
      );
    });
  }

  /** Until it is in the log. Never resolves but when it was applied here. */
  async #log(target: SubmitTarget, entry: RequestEntry | PrepareEntry, untilMs: number): Promise<void> {
    const { platform } = this.#parts;
    let isUnsure = false;
    for (;;) {
      const leftMs = untilMs - platform.now();
      if (leftMs <= 0) throw timedOut();
      try {
        await target.log(entry, { timeoutMs: leftMs });
        return;
      } catch (error) {
        // A snapshot has jumped over it: whether it contains it is seen when it is tried again.
        if (isFlotillaError(error, 'FLOTILLA_PROPOSAL_UNKNOWN')) isUnsure = true;
        // That nothing was done is true of this try.
        else if (isUnsure && isFlotillaError(error) && nothingDone.has(error.code)) throw timedOut();
        else throw error;
      }
    }
  }

  /** It is applied. Of a transaction that was decided before nothing more is said: what is known is asked for. */
  #known(target: SubmitTarget, entry: RequestEntry | PrepareEntry): SubmitReply | null {
    const { state: machine } = target;
    if (entry.kind !== 'prepare' || machine === null) return null;
    const decision = machine.memory.decisionOf(entry.transaction);
    if (decision?.verdict === 'abort') return { kind: 'aborted' };
    const outcome = decision === null ? null : machine.memory.outcomeOf(entry.origin);
    return outcome?.kind === 'committed' ? { kind: 'part', outcome } : null;
  }

  /** Leases that the order does not know; all others are registered here (rule 14). */
  async #prepareLeases(
    shard: ShardId,
    target: SubmitTarget,
    leases: readonly bigint[],
    untilMs: number,
  ): Promise<readonly bigint[]> {
    const absent: bigint[] = [];
    for (const lease of leases) {
      if (!(await this.#registered(shard, target, lease, untilMs))) absent.push(lease);
    }
    return absent;
  }

  /** False: there is no such lease. */
  async #registered(shard: ShardId, target: SubmitTarget, lease: bigint, untilMs: number): Promise<boolean> {
    const { platform, order, frontier, register } = this.#parts;
    let isFresh = false;
    while (target.state?.hasLease(lease) !== true) {
      const patience = { timeoutMs: Math.max(1, untilMs - platform.now()) };
      if (platform.now() >= untilMs) throw timedOut();
      if (target.state === null) throw unreachableShard(shard, 'its replica here has gone');
      const known = order()?.leases.get(lease) ?? null;
      if (known === null) {
        if (isFresh) return false;
        await frontier(patience);
        isFresh = true;
        continue;
      }
      // One that is about to end is registered no more.
      if (known.life === 'live') await register(lease, shard, patience);
      // The fact is on its way to the shard.
      if (target.state?.hasLease(lease) !== true) await this.#pause();
      isFresh = false;
    }
    return true;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.platform.timer(limits.leaseRegistrationPauseMs, 'lease-registration', resolve);
    });
  }
}

/** Whoever says so has proposed nothing. */
const nothingDone: ReadonlySet<string> = new Set([
  'FLOTILLA_NO_LEADER',
  'FLOTILLA_PROPOSAL_TOO_LARGE',
  'FLOTILLA_TOO_MANY_PROPOSALS',
]);

function decoded(shard: ShardId, answer: SubmitAnswer): SubmitReply {
  if (answer.kind === 'reply') return answer.reply;
  if (answer.kind === 'failed') throw new FlotillaError(answer.code, answer.message);
  throw unreachableShard(shard, 'nobody has a replica');
}

function unreachableShard(shard: ShardId, reason: string): FlotillaError {
  return new FlotillaError('FLOTILLA_SHARD_UNREACHABLE', `shard ${shard} cannot be reached: ${reason}`);
}

function timedOut(): FlotillaError {
  return new FlotillaError('FLOTILLA_PROPOSAL_TIMEOUT', 'a shard has not answered in time');
}

function leasesOf(entry: RequestEntry | PrepareEntry): readonly bigint[] {
  if (entry.kind === 'request') return footprintOf(entry.write).leases;
  return entry.fragment === null ? [] : footprintOf({ kind: 'txn', request: entry.fragment }).leases;
}
