import { messageOf } from '@flotilla/platform';
import { KV, RpcError, Status, TxnRequest, callUnary } from '@flotilla/wire';
import type { Codec, Metadata, MethodDescriptor } from '@flotilla/wire';
import { clientClosed, toEtcdError } from '../errors.ts';
import type { Outcome } from '../errors.ts';
import { limits } from '../limits.ts';
import type { ClientWorld } from '../platform.ts';
import { backoffMs, joinSignals, sleep } from '../waiting.ts';
import type { Balancer } from './balancer.ts';
import type { Credentials } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { RequestSessions } from './request-sessions.ts';
import type { RequestTicket } from './request-sessions.ts';
import { isSaidBeforeExecution, isTransient, verdictOf } from './verdict.ts';

/** Of any request. */
export interface RequestOptions {
  /** From now to the answer, retries included. Default: the client's `requestTimeoutMs`. */
  readonly timeoutMs?: number;
  /** Gives the request up; it rejects with CANCELLED and the signal's reason as cause. */
  readonly signal?: AbortSignal;
}

/**
 * What a request does to the cluster. A `read` may be made again and again. A `write` is made again when the server
 * remembers its session or has surely not executed it. What is `repeatable` has the same effect and answer twice.
 */
export type Effect = 'read' | 'write' | 'repeatable';

export interface RequesterOptions {
  readonly world: ClientWorld;
  readonly balancer: Balancer;
  readonly credentials: Credentials | null;
  readonly requestTimeoutMs: number;
  readonly sessions: boolean;
  readonly requireLeader: boolean;
}

/** Makes requests: picks a server, adds token and session, and tries again where that is safe. */
export class Requester {
  readonly #options: RequesterOptions;
  readonly #sessions: RequestSessions;
  readonly #closing = new AbortController();
  readonly #ownMetadata: Metadata | null;

  constructor(options: RequesterOptions) {
    this.#options = options;
    this.#sessions = new RequestSessions(options.world);
    this.#ownMetadata = options.requireLeader ? { hasleader: 'true' } : null;
  }

  get world(): ClientWorld {
    return this.#options.world;
  }

  get balancer(): Balancer {
    return this.#options.balancer;
  }

  /** Aborts when the client is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Rejects with an `EtcdError`, or `FLOTILLA_CLIENT_CLOSED`. */
  async call<Request, Response>(
    descriptor: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
    effect: Effect,
    options: RequestOptions = {},
  ): Promise<Response> {
    if (this.#closing.signal.aborted) throw clientClosed();
    const frame = descriptor.request.encodeFrame(request);
    const attempts = new Attempts(this, descriptor.path, frame, effect, options);
    return decode(descriptor.response, await attempts.run());
  }

  /** To one endpoint, once: for questions about a member. */
  async callAt<Request, Response>(
    endpoint: Endpoint,
    descriptor: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
    options: RequestOptions = {},
  ): Promise<Response> {
    if (this.#closing.signal.aborted) throw clientClosed();
    const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs;
    const frame = descriptor.request.encodeFrame(request);
    for (let tries = 0; ; tries += 1) {
      const { metadata, token } = await this.metadataFor(endpoint, timeoutMs, null);
      try {
        const { signal } = options;
        const settings = { timeoutMs, metadata, ...(signal === undefined ? {} : { signal }) };
        return decode(descriptor.response, await endpoint.channel.unary(descriptor.path, frame, settings));
      } catch (error) {
        const verdict = verdictOf(error);
        if (verdict !== 'token' || this.#options.credentials === null || tries >= limits.renewals) {
          throw toEtcdError(error, verdict === 'unknown' ? 'unknown' : 'not executed');
        }
        this.#options.credentials.refused(token);
      }
    }
  }

  /** Whose turn it is. Waits for one that can be reached. */
  async endpoint(options: RequestOptions): Promise<Endpoint> {
    const { balancer, requestTimeoutMs } = this.#options;
    const timeoutMs = options.timeoutMs ?? requestTimeoutMs;
    return balancer.pick(null) ?? (await balancer.wait(timeoutMs, options.signal));
  }

  /** What a call carries, and the token in it. */
  async metadataFor(
    endpoint: Endpoint,
    timeoutMs: number,
    ticket: RequestTicket | null,
  ): Promise<CallMetadata> {
    const { credentials } = this.#options;
    if (credentials === null) return this.#metadata(null, ticket);
    const token = credentials.token ?? (await this.#askForToken(credentials, endpoint, timeoutMs));
    return this.#metadata(token, ticket);
  }

  /** {@link metadataFor} where nothing has to be waited for; null: something has. */
  metadataNow(ticket: RequestTicket | null): CallMetadata | null {
    const { credentials } = this.#options;
    if (credentials === null) return this.#metadata(null, ticket);
    return credentials.token === undefined ? null : this.#metadata(credentials.token, ticket);
  }

  /** False: there is no other token to be had. */
  tokenRefused(token: string | null): boolean {
    this.#options.credentials?.refused(token);
    return this.#options.credentials !== null;
  }

  get sessions(): RequestSessions | null {
    return this.#options.sessions ? this.#sessions : null;
  }

  get requestTimeoutMs(): number {
    return this.#options.requestTimeoutMs;
  }

  close(): void {
    this.#closing.abort(clientClosed());
    this.#options.balancer.close();
  }

  async #askForToken(
    credentials: Credentials,
    endpoint: Endpoint,
    timeoutMs: number,
  ): Promise<string | null> {
    if (credentials.token === null) return null;
    try {
      return await credentials.ask(endpoint.channel, Math.min(timeoutMs, limits.attemptTimeoutMs));
    } catch (error) {
      // The request itself was not sent, whatever became of the question for a token.
      if (!(error instanceof RpcError) || verdictOf(error) === 'final') throw error;
      throw new RpcError(error.status, error.message, { cause: error, isUnsent: true });
    }
  }

  #metadata(token: string | null, ticket: RequestTicket | null): CallMetadata {
    const common = this.#ownMetadata;
    if (token === null && ticket === null) return { metadata: common ?? NO_METADATA, token };
    return {
      metadata: { ...common, ...ticket?.metadata, ...(token === null ? {} : { token }) },
      token,
    };
  }
}

export interface CallMetadata {
  readonly metadata: Metadata;
  readonly token: string | null;
}

const NO_METADATA: Metadata = {};

/** The tries of one request. */
class Attempts {
  readonly #requester: Requester;
  readonly #path: string;
  readonly #frame: Uint8Array;
  readonly #effect: Effect;
  readonly #signal: AbortSignal | undefined;
  readonly #deadlineMs: number;
  #ticket: RequestTicket | null = null;
  #token: string | null = null;
  /** By the last try, which the next one goes past. */
  #asked: Endpoint | null = null;
  #tries = 0;
  #renewals = 0;
  /** A try may have been executed. */
  #isUnknown = false;

  constructor(
    requester: Requester,
    path: string,
    frame: Uint8Array,
    effect: Effect,
    { timeoutMs, signal }: RequestOptions,
  ) {
    this.#requester = requester;
    this.#path = path;
    this.#frame = frame;
    this.#effect = effect;
    this.#signal = signal;
    this.#deadlineMs = requester.world.platform.now() + (timeoutMs ?? requester.requestTimeoutMs);
  }

  async run(): Promise<Uint8Array> {
    try {
      return await this.#untilAnswered();
    } finally {
      this.#ticket?.settle();
    }
  }

  async #untilAnswered(): Promise<Uint8Array> {
    for (;;) {
      const endpoint = this.#requester.balancer.pick(this.#asked);
      this.#asked = null;
      try {
        return await this.#try(endpoint ?? (await this.#connected()));
      } catch (error) {
        await this.#afterFailure(error);
      }
    }
  }

  async #connected(): Promise<Endpoint> {
    return this.#requester.balancer.wait(this.#leftMs(), this.#signal);
  }

  async #try(endpoint: Endpoint): Promise<Uint8Array> {
    this.#asked = endpoint;
    if (this.#effect === 'write') await this.#prepareSession(endpoint);
    const carried =
      this.#requester.metadataNow(this.#ticket) ??
      (await this.#requester.metadataFor(endpoint, this.#leftMs(), this.#ticket));
    this.#token = carried.token;
    const answer = await endpoint.channel.unary(this.#path, this.#frame, {
      timeoutMs: this.#attemptMs(),
      metadata: carried.metadata,
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
    endpoint.succeeded();
    return answer;
  }

  /** A write that may have been executed under a session must not reach a server that would not know it again. */
  async #prepareSession(endpoint: Endpoint): Promise<void> {
    const { sessions } = this.#requester;
    if (sessions === null) return;
    let takes = endpoint.takesSessions;
    if (takes === null) {
      try {
        takes = await endpoint.askForSessions(Math.min(this.#leftMs(), limits.sessionAnswerMs));
      } catch (cause) {
        throw new RpcError(Status.UNAVAILABLE, 'the server does not answer', { cause, isUnsent: true });
      }
    }
    if (takes) this.#ticket ??= sessions.begin() ?? (await sessions.open(this.#opens(endpoint)));
    else if (this.#isUnknown) {
      throw new RpcError(Status.UNAVAILABLE, 'this server would not know a repeated write', {
        isUnsent: true,
      });
    } else this.#dropTicket();
  }

  #opens(endpoint: Endpoint): (ticket: RequestTicket) => Promise<unknown> {
    return async (ticket) => {
      const timeoutMs = Math.min(this.#leftMs(), limits.sessionAnswerMs);
      const { metadata, token } = await this.#requester.metadataFor(endpoint, timeoutMs, ticket);
      this.#token = token;
      try {
        await callUnary(endpoint.channel, KV.methods.Txn, TxnRequest.empty, { timeoutMs, metadata });
      } catch (error) {
        if (!(error instanceof RpcError) || verdictOf(error) !== 'unknown') throw error;
        // Whatever became of it: the write itself was not sent.
        throw new RpcError(error.status, error.message, { cause: error, isUnsent: true });
      }
    };
  }

  #dropTicket(): void {
    this.#ticket?.settle();
    this.#ticket = null;
  }

  /** Returns when there is to be another try. */
  async #afterFailure(error: unknown): Promise<void> {
    this.#tries += 1;
    const { closing } = this.#requester;
    if (closing.aborted) throw closing.reason;
    if (this.#signal?.aborted === true) throw this.#cancelled(error);
    const verdict = verdictOf(error);
    switch (verdict) {
      case 'unsent':
        this.#asked?.failed();
        break;
      case 'token':
        if (!this.#requester.tokenRefused(this.#token) || !this.#mayRenew()) throw this.#failure(error);
        return;
      case 'session':
        if (this.#ticket === null || this.#isUnknown || !this.#mayRenew()) throw this.#failure(error);
        this.#ticket.disown();
        this.#dropTicket();
        return;
      case 'incapable':
        if (!this.#mayRenew()) throw this.#failure(error);
        this.#asked?.refusedSession();
        return;
      case 'refused':
        this.#asked?.failed();
        if (!this.#isUnknown) this.#dropTicket();
        break;
      case 'unknown':
        this.#unknown(error);
        break;
      case 'final':
        this.#asked?.succeeded();
        if (this.#ticket !== null && !isSaidBeforeExecution(error)) this.#isUnknown = false;
        throw this.#failure(error);
    }
    await this.#pause(error, verdict === 'unsent' || verdict === 'unknown');
  }

  #unknown(error: unknown): void {
    this.#isUnknown = true;
    // An answer that does not come may be the sign of a connection that is dead without saying so.
    const isSilent = error instanceof RpcError && error.status === Status.DEADLINE_EXCEEDED;
    if (isSilent) this.#asked?.suspect();
    if (!isSilent || this.#leftMs() > 0) this.#asked?.failed();
    const isSafe = this.#effect !== 'write' || this.#ticket !== null;
    if (this.#leftMs() <= 0) throw this.#tooLate(error);
    if (!isSafe || !(isTransient(error) || this.#tries < limits.strangeTries)) throw this.#failure(error);
  }

  #mayRenew(): boolean {
    this.#renewals += 1;
    return this.#renewals <= limits.renewals;
  }

  /** Nobody is spared by waiting when another server can be asked. */
  async #pause(error: unknown, canGoElsewhere: boolean): Promise<void> {
    const { balancer, world } = this.#requester;
    if (this.#leftMs() <= 0) throw this.#tooLate(error);
    if (canGoElsewhere && this.#tries < balancer.endpoints.length) {
      const other = balancer.pick(this.#asked);
      if (other !== null && other !== this.#asked) return;
    }
    const { backoffMsMin, backoffMsMax } = limits;
    const pauseMs = Math.min(
      backoffMs(world.platform, this.#tries, backoffMsMin, backoffMsMax),
      this.#leftMs(),
    );
    const { signal, release } = joinSignals(this.#signal, this.#requester.closing);
    await sleep(world.platform, pauseMs, signal);
    release();
    if (this.#requester.closing.aborted) throw this.#requester.closing.reason;
    if (this.#signal?.aborted === true) throw this.#cancelled(error);
    if (this.#leftMs() <= 0) throw this.#tooLate(error);
  }

  #attemptMs(): number {
    const leftMs = this.#leftMs();
    // A write that cannot be made again is waited for as long as the caller likes.
    const canRepeat = this.#effect !== 'write' || this.#ticket !== null;
    return canRepeat ? Math.min(leftMs, limits.attemptTimeoutMs) : leftMs;
  }

  #leftMs(): number {
    return Math.max(0, this.#deadlineMs - this.#requester.world.platform.now());
  }

  #failure(error: unknown): Error {
    return toEtcdError(error, this.#outcome);
  }

  #tooLate(cause: unknown): Error {
    const message = `there was no answer in time, and the last try failed: ${messageOf(cause)}`;
    return this.#failure(new RpcError(Status.DEADLINE_EXCEEDED, message, { cause }));
  }

  #cancelled(error: unknown): Error {
    const cause: unknown = this.#signal?.reason ?? error;
    if (verdictOf(error) === 'unknown') this.#isUnknown = true;
    const cancelled = new RpcError(Status.CANCELLED, 'the request was given up', { cause });
    return toEtcdError(cancelled, this.#outcome);
  }

  get #outcome(): Outcome {
    return this.#isUnknown && this.#effect !== 'read' ? 'unknown' : 'not executed';
  }
}

/** Copies: what users keep should not keep a network buffer with it. */
function decode<Response>(codec: Codec<Response>, bytes: Uint8Array): Response {
  return codec.decode(bytes, { copy: true });
}
