import { messageOf, type Platform, type Timer } from '@flotilla/platform';
import { decodePlain, encodePlain, type OrderMachine, orderShard } from '@flotilla/store';
import { limits } from '../limits.ts';
import type { ShardNode } from './types.ts';

export interface SessionUsesParts {
  readonly platform: Platform;
  readonly node: ShardNode;
  /** How long a session may be idle. */
  readonly idleMs: number;
}

/** What one node knows of the use of sessions. */
interface Uses {
  /** For how long it has looked. */
  readonly upMs: number;
  /** Those that it has seen used within the idle time. */
  readonly sessions: readonly number[];
}

/**
 * Ends sessions that nobody has used for long, those of former lives of members among them. Shards are many, and requests
 * of a session come by whichever member its client asks: so whoever leads the order asks all of them, each of which goes by
 * its own clock. One that does not answer, or has not looked for long enough, lets all sessions live.
 */
export class SessionUses {
  readonly #parts: SessionUsesParts;
  readonly #sinceMs: number;
  readonly #checkMs: number;
  readonly #usedMs = new Map<number, number>();
  #timer: Timer | null = null;
  #stopped = false;

  constructor(parts: SessionUsesParts) {
    this.#parts = parts;
    this.#sinceMs = parts.platform.now();
    this.#checkMs = Math.min(limits.sessionCheckMs, parts.idleMs);
    parts.node.handle(path, () => encodePlain(this.#uses()));
    this.#schedule();
  }

  used(session: number): void {
    this.#usedMs.delete(session);
    this.#usedMs.set(session, this.#parts.platform.now());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = this.#parts.platform.timer(this.#checkMs, 'session-uses', () => {
      this.#parts.platform.spawn('session-uses', () => this.#check());
    });
  }

  async #check(): Promise<void> {
    this.#forget();
    const { node, platform } = this.#parts;
    const { order } = node;
    try {
      if (order !== null && node.replica(orderShard)?.leads === true) await this.#expire(order);
    } catch (error) {
      platform.log.debug('idle sessions could not be ended, will be tried again', {
        error: messageOf(error),
      });
    }
    this.#schedule();
  }

  async #expire(order: OrderMachine): Promise<void> {
    const { node, idleMs } = this.#parts;
    // Numbered before the question: one that is opened meanwhile is no candidate.
    const idle = new Set(order.sessionNumbers);
    const patience = { timeoutMs: limits.shardReadCallMs };
    const nothing = new Uint8Array(0);
    // A member that has no shards, not yet or no more, has clients all the same.
    for (const id of node.nodesOf(orderShard)) {
      const answer = await node.ask(id, path, nothing, patience);
      const { upMs, sessions } = decodePlain<Uses>(answer);
      if (upMs < idleMs) return;
      for (const session of sessions) idle.delete(session);
    }
    const sessions = [...idle].slice(0, limits.sessionsPerExpiry);
    if (sessions.length > 0) await node.propose({ kind: 'expire-sessions', sessions }, patience);
  }

  #uses(): Uses {
    this.#forget();
    const upMs = this.#parts.platform.now() - this.#sinceMs;
    return { upMs: Math.floor(upMs), sessions: [...this.#usedMs.keys()] };
  }

  /** They are in the order of their last uses. */
  #forget(): void {
    const beforeMs = this.#parts.platform.now() - this.#parts.idleMs;
    for (const [session, atMs] of this.#usedMs) {
      if (atMs >= beforeMs) return;
      this.#usedMs.delete(session);
    }
  }
}

const path = '/shards/sessions';
