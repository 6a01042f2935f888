import type { Timer } from '@flotilla/platform';
import { Health, RpcError, ServingStatus, Status, callUnary } from '@flotilla/wire';
import type { RpcChannel } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { ClientWorld } from '../platform.ts';

/** One server as the client knows it: a connection, and what experience says of it. */
export class Endpoint {
  readonly url: string;
  readonly #world: ClientWorld;
  #channel: RpcChannel;
  #failures = 0;
  #passedOverUntilMs = -Infinity;
  #takesSessions: boolean | null = null;
  #sessionsAskedMs = 0;
  #streams = 0;
  #liveness: Timer | null = null;
  #isAsking = false;
  #isClosed = false;

  constructor(world: ClientWorld, url: string) {
    this.#world = world;
    this.url = url;
    this.#channel = world.open(url);
  }

  get channel(): RpcChannel {
    return this.#channel;
  }

  get isReady(): boolean {
    return this.#channel.state === 'ready';
  }

  get isIdle(): boolean {
    return this.#channel.state === 'idle';
  }

  /** False: it has failed a moment ago, others should be asked first. */
  get isTrusted(): boolean {
    return this.#failures === 0 || this.#world.platform.now() >= this.#passedOverUntilMs;
  }

  ready(): Promise<void> {
    return this.#channel.ready();
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(): void {
    this.#takesSessions = null;
    const penaltyMs = Math.min(limits.penaltyMsMin * 2 ** this.#failures, limits.penaltyMsMax);
    this.#failures = Math.min(this.#failures + 1, 16);
    this.#passedOverUntilMs = this.#world.platform.now() + penaltyMs;
  }

  /** Cuts the connection: it is silent, or what it answers makes no sense. Its calls fail, the next makes another. */
  reset(): void {
    this.failed();
    const silent = this.#channel;
    this.#channel = this.#world.open(this.url);
    silent.close();
  }

  /** An answer did not come: if the connection is dead it is cut. */
  suspect(): void {
    if (!this.#isAsking) void this.#checkLiveness();
  }

  /**
   * Whether a write that carries a session is executed once here; null: {@link askForSessions}. What was known of a
   * lost connection does not count: another build may serve the address by now.
   */
  get takesSessions(): boolean | null {
    if (!this.isReady) this.#takesSessions = null;
    const askAgain = this.#sessionsAskedMs + limits.sessionProbeMs;
    if (this.#takesSessions === false && this.#world.platform.now() >= askAgain) return null;
    return this.#takesSessions;
  }

  /** Rejects with an `RpcError` when there is no answer. */
  async askForSessions(timeoutMs: number): Promise<boolean> {
    const channel = this.#channel;
    const takes = await this.#asksForSessions(channel, timeoutMs);
    if (channel === this.#channel) {
      this.#takesSessions = takes;
      this.#sessionsAskedMs = this.#world.platform.now();
    }
    return takes;
  }

  /** A cluster takes no sessions while one of its members does not know them. */
  refusedSession(): void {
    this.#takesSessions = false;
    this.#sessionsAskedMs = this.#world.platform.now();
  }

  /** While a stream is open its connection is asked now and then whether it lives: a dead one would just be silent. */
  holdStream(): () => void {
    this.#streams += 1;
    if (this.#liveness === null) this.#scheduleLiveness();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#streams -= 1;
      if (this.#streams > 0) return;
      this.#liveness?.cancel();
      this.#liveness = null;
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#liveness?.cancel();
    this.#channel.close();
  }

  async #asksForSessions(channel: RpcChannel, timeoutMs: number): Promise<boolean> {
    try {
      const request = { service: 'flotilla.Sessions' };
      const { status } = await callUnary(channel, Health.methods.Check, request, { timeoutMs });
      return status === ServingStatus.SERVING;
    } catch (error) {
      if (error instanceof RpcError && answered(error)) return false;
      throw error;
    }
  }

  #scheduleLiveness(): void {
    this.#liveness = this.#world.platform.timer(limits.livenessIntervalMs, 'liveness', () => {
      this.suspect();
      this.#scheduleLiveness();
    });
  }

  async #checkLiveness(): Promise<void> {
    const channel = this.#channel;
    this.#isAsking = true;
    try {
      const timeoutMs = limits.livenessTimeoutMs;
      await callUnary(channel, Health.methods.Check, { service: '' }, { timeoutMs });
    } catch (error) {
      const isDead = !(error instanceof RpcError && answered(error));
      if (isDead && channel === this.#channel && !this.#isClosed) this.reset();
    } finally {
      this.#isAsking = false;
    }
  }
}

/** An error that only a living server can have sent. */
function answered(error: RpcError): boolean {
  return !silence.has(error.status);
}

const silence: ReadonlySet<Status> = new Set([
  Status.UNAVAILABLE,
  Status.DEADLINE_EXCEEDED,
  Status.CANCELLED,
  Status.INTERNAL,
]);
