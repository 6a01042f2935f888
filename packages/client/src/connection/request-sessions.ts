import type { Metadata } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { ClientWorld } from '../platform.ts';

/**
 * Names for writes by which a server knows a repeated one: a session, and the request's number in it. `flotilla-done`
 * says up to which number all replies have arrived, so that the server may forget them (docs/sessions.md).
 *
 * Only request 1 opens a session on the server. It is one that does nothing, so it need never be repeated.
 */
export class RequestSessions {
  readonly #world: ClientWorld;
  #current: RequestSession | null = null;
  #opening: Promise<RequestSession> | null = null;

  constructor(world: ClientWorld) {
    this.#world = world;
  }

  /** Null: {@link open} one first. */
  begin(): RequestTicket | null {
    const nowMs = this.#world.platform.now();
    return this.#current?.takesMore(nowMs) === true ? this.#current.begin(nowMs) : null;
  }

  /** `request` makes request 1. Whoever needs a session meanwhile waits for the same one. */
  async open(request: (ticket: RequestTicket) => Promise<unknown>): Promise<RequestTicket> {
    this.#opening ??= this.#open(request).finally(() => {
      this.#opening = null;
    });
    return (await this.#opening).begin(this.#world.platform.now());
  }

  async #open(request: (ticket: RequestTicket) => Promise<unknown>): Promise<RequestSession> {
    const session = new RequestSession(this.#world.uniqueId());
    const first = session.begin(this.#world.platform.now());
    await request(first);
    first.settle();
    this.#current = session;
    return session;
  }
}

class RequestSession {
  readonly id: string;
  /** Requests under way, in the order of their numbers. */
  readonly #open = new Set<number>();
  #next = 1;
  #usedMs = 0;
  #isOver = false;

  constructor(id: string) {
    this.id = id;
  }

  takesMore(nowMs: number): boolean {
    if (this.#isOver || nowMs - this.#usedMs > limits.sessionIdleMs) return false;
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

  settle(number: number): void {
    this.#open.delete(number);
  }

  end(): void {
    this.#isOver = true;
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

  /** The reply is here, or will not be asked for any more. */
  settle(): void {
    this.#session.settle(this.#number);
  }

  /** The server does not know the session any more, or will not serve it. */
  disown(): void {
    this.#session.end();
  }
}
