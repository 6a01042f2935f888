import type { Metadata } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { ClientWorld } from '../platform.ts';
import { deferred, within } from '../waiting.ts';

/**
 * Names for writes by which a server knows a repeated one: a session, and the request's number in it. `flotilla-done`
 * says up to which number all replies have arrived, so that the server may forget them (docs/sessions.md).
 *
 * Only request 1 opens a session on the server, so the others of a new session wait until it was answered.
 */
export class RequestSessions {
  readonly #world: ClientWorld;
  #current: RequestSession | null = null;

  constructor(world: ClientWorld) {
    this.#world = world;
  }

  async begin(): Promise<RequestTicket> {
    const { platform } = this.#world;
    const opening = this.#current;
    if (opening?.state === 'opening') await within(platform, opening.opened, null, limits.sessionOpeningMs);
    const nowMs = platform.now();
    if (this.#current?.takesMore(nowMs) !== true) {
      this.#current = new RequestSession(this.#world.uniqueId());
    }
    return this.#current.begin(nowMs);
  }

  /** {@link begin} where nothing has to be waited for; null: something has. */
  beginNow(): RequestTicket | null {
    const nowMs = this.#world.platform.now();
    return this.#current?.takesMore(nowMs) === true ? this.#current.begin(nowMs) : null;
  }
}

class RequestSession {
  readonly id: string;
  state: 'opening' | 'open' | 'over' = 'opening';
  readonly #opened = deferred<void>();
  /** Requests under way, in the order of their numbers. */
  readonly #open = new Set<number>();
  #next = 1;
  #usedMs = 0;

  constructor(id: string) {
    this.id = id;
  }

  /** Resolves when request 1 was answered, or will not be. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  takesMore(nowMs: number): boolean {
    if (this.state !== 'open' || nowMs - this.#usedMs > limits.sessionIdleMs) return false;
    return this.#next - this.done <= limits.sessionRequests;
  }

  get done(): number {
    for (const oldest of this.#open) return oldest - 1;
    return this.#next - 1;
  }

  begin(nowMs: number): RequestTicket {
    const number = this.#next;
    this.#next += 1;
    this.#usedMs = nowMs;
    this.#open.add(number);
    return new RequestTicket(this, number);
  }

  settle(number: number, succeeded: boolean): void {
    this.#open.delete(number);
    if (this.state !== 'opening') return;
    this.state = succeeded ? 'open' : 'over';
    this.#opened.resolve();
  }
}

/** The name of one write. */
export class RequestTicket {
  readonly #session: RequestSession;
  readonly #number: number;

  constructor(session: RequestSession, number: number) {
    this.#session = session;
    this.#number = number;
  }

  get metadata(): Metadata {
    return {
      'flotilla-session': this.#session.id,
      'flotilla-request': String(this.#number),
      'flotilla-done': String(this.#session.done),
    };
  }

  /** The reply is here (`succeeded`), or will not be asked for any more. */
  settle(succeeded: boolean): void {
    this.#session.settle(this.#number, succeeded);
  }

  /** The server does not know the session any more, or will not serve it. */
  disown(): void {
    this.#session.state = 'over';
    this.settle(false);
  }
}
