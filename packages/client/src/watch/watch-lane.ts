import { RpcError, Status, Watch, WatchRequest, etcdErrors, openStream } from '@flotilla/wire';
import type { ClientStream, WatchResponse } from '@flotilla/wire';
import type { Endpoint } from '../connection/endpoint.ts';
import type { Requester } from '../connection/requester.ts';
import { verdictOf } from '../connection/verdict.ts';
import { reasonOf } from '../errors.ts';
import type { EtcdReason } from '../errors.ts';
import { limits } from '../limits.ts';
import { backoffMs, sleep } from '../waiting.ts';
import type { Watcher } from './watcher.ts';

type WatchStream = ClientStream<WatchRequest, WatchResponse>;

/** Who decides which watch goes on which lane. */
interface Isolation {
  isolate(watcher: Watcher): void;
}

/**
 * Watches that share a stream, and one stream after the other: when one is lost, each watch asks the next server for
 * what comes after the last revision that it has.
 */
export class WatchLane {
  readonly #requester: Requester;
  readonly #isolation: Isolation;
  readonly #watchers = new Set<Watcher>();
  #stream: OpenStream | null = null;
  #isRunning = false;
  #resume: (() => void) | null = null;
  #asked: Endpoint | null = null;
  #token: string | null = null;
  /** Streams since the last one that lasted. */
  #failures = 0;

  constructor(requester: Requester, isolation: Isolation) {
    this.#requester = requester;
    this.#isolation = isolation;
  }

  /** A reader is slow, and the stream is not read on because of it. */
  get isHeld(): boolean {
    return this.#resume !== null;
  }

  add(watcher: Watcher): void {
    this.#watchers.add(watcher);
    if (this.#stream !== null) this.#stream.create(watcher);
    else if (!this.#isRunning) void this.#run();
  }

  remove(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    watcher.detached();
    if (this.#watchers.size > 0) this.#stream?.remove(watcher);
    else this.#giveUp();
    this.drained();
  }

  drained(): void {
    this.#resume?.();
    this.#resume = null;
  }

  #giveUp(): void {
    this.#stream?.cancel();
    this.#stream = null;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#watchers.size > 0) {
      this.#token = null;
      this.#failures += 1;
      try {
        await this.#follow();
      } catch (error) {
        for (const watcher of this.#watchers) watcher.detached();
        if (this.#watchers.size > 0 && !this.#goesOn(error)) this.#fail(error);
      }
      if (this.#watchers.size > 0) await this.#pause();
    }
    this.#isRunning = false;
  }

  #connected(): Promise<Endpoint> {
    return this.#requester.balancer.wait(limits.attemptTimeoutMs, this.#requester.closing);
  }

  /** From the opening of a stream to its end. */
  async #follow(): Promise<void> {
    const { balancer, world } = this.#requester;
    const endpoint = balancer.pick(this.#asked) ?? (await this.#connected());
    this.#asked = endpoint;
    const { metadata, token } = await this.#requester.metadataFor(endpoint, limits.attemptTimeoutMs, null);
    this.#token = token;
    if (this.#watchers.size === 0) return;
    // Without a leader a server would be silent, not fail: the next one may have a leader.
    const options = { metadata: { ...metadata, hasleader: 'true' } };
    const bytes: WatchStream = openStream(endpoint.channel, Watch.methods.Watch, options);
    const stream = new OpenStream(bytes);
    const release = endpoint.holdStream();
    const openedMs = world.platform.now();
    this.#stream = stream;
    try {
      for (const watcher of this.#watchers) stream.create(watcher);
      for (;;) {
        await this.#room();
        const response = await bytes.read();
        // A server that ends a stream well is going away.
        if (response === null) throw new RpcError(Status.UNAVAILABLE, 'the server has ended the stream');
        endpoint.succeeded();
        if (world.platform.now() - openedMs > limits.backoffMsMax) this.#failures = 0;
        this.#receive(stream, response);
      }
    } catch (error) {
      // Nobody was watching any more; who has come since is asked for on another stream.
      if (this.#stream === stream) throw error;
    } finally {
      if (this.#stream === stream) this.#stream = null;
      release();
      stream.cancel();
    }
  }

  #receive(stream: OpenStream, response: WatchResponse): void {
    for (const watcher of stream.receive(response)) {
      if (response.canceled) this.#cancelled(stream, watcher, response);
      else if (response.created) watcher.created(response.header?.revision ?? 0);
      else watcher.receive(response);
    }
  }

  #cancelled(stream: OpenStream, watcher: Watcher, response: WatchResponse): void {
    watcher.detached();
    if (response.compactRevision > 0) {
      if (watcher.compacted(response.compactRevision)) stream.create(watcher);
      return;
    }
    const reason = reasonOf(response.cancelReason);
    const error = new RpcError(statusOf(reason), response.cancelReason);
    if (isFinal(error)) watcher.fail(error);
    // The server is in trouble, and so are the other watches on it.
    else throw error;
  }

  /** Waits while a reader is slow; but not for the sake of others' events. */
  async #room(): Promise<void> {
    for (const watcher of this.#watchers) {
      if (!watcher.isFull) continue;
      if (this.#watchers.size > 1) this.#isolation.isolate(watcher);
      else await new Promise<void>((resolve) => (this.#resume = resolve));
    }
  }

  #goesOn(error: unknown): boolean {
    if (verdictOf(error) === 'token') {
      return this.#requester.tokenRefused(this.#token) && this.#failures <= limits.renewals;
    }
    this.#asked?.failed();
    return !isFinal(error);
  }

  #fail(error: unknown): void {
    for (const watcher of this.#watchers) watcher.fail(error);
  }

  async #pause(): Promise<void> {
    const { balancer, world, closing } = this.#requester;
    if (this.#failures < balancer.endpoints.length) return;
    const { backoffMsMin, backoffMsMax } = limits;
    await sleep(
      world.platform,
      backoffMs(world.platform, this.#failures, backoffMsMin, backoffMsMax),
      closing,
    );
  }
}

/** One stream, and which watch is which number on it. */
class OpenStream {
  readonly #stream: WatchStream;
  readonly #byId = new Map<number, Watcher>();
  readonly #ids = new Map<Watcher, number>();
  /** Asked for and not answered; servers answer in this order. Null: its watch has gone meanwhile. */
  readonly #creating: (Watcher | null)[] = [];

  constructor(stream: WatchStream) {
    this.#stream = stream;
  }

  create(watcher: Watcher): void {
    this.#creating.push(watcher);
    this.#write({ case: 'createRequest', value: watcher.request });
  }

  remove(watcher: Watcher): void {
    const waiting = this.#creating.indexOf(watcher);
    if (waiting >= 0) this.#creating[waiting] = null;
    const watchId = this.#forget(watcher);
    if (watchId !== undefined) this.#write({ case: 'cancelRequest', value: { watchId } });
  }

  cancel(): void {
    this.#stream.cancel();
  }

  /** Whom a response is for; it keeps the books. */
  receive(response: WatchResponse): readonly Watcher[] {
    if (response.created) return this.#created(response);
    // Progress of all watches of the stream, which the client has asked for.
    if (response.watchId === -1 && !response.canceled) return [...this.#ids.keys()];
    const watcher = this.#byId.get(response.watchId);
    if (watcher === undefined) return [];
    if (response.canceled) this.#forget(watcher);
    return [watcher];
  }

  #created(response: WatchResponse): readonly Watcher[] {
    const watcher = this.#creating.shift();
    if (watcher === undefined) return [];
    if (response.canceled) return watcher === null ? [] : [watcher];
    if (watcher === null) {
      this.#write({ case: 'cancelRequest', value: { watchId: response.watchId } });
      return [];
    }
    this.#byId.set(response.watchId, watcher);
    this.#ids.set(watcher, response.watchId);
    return [watcher];
  }

  #forget(watcher: Watcher): number | undefined {
    const watchId = this.#ids.get(watcher);
    if (watchId !== undefined) this.#byId.delete(watchId);
    this.#ids.delete(watcher);
    return watchId;
  }

  #write(requestUnion: NonNullable<WatchRequest['requestUnion']>): void {
    this.#stream.write(WatchRequest.create({ requestUnion }));
  }
}

/** Another server, or another time, would answer the same. */
function isFinal(error: unknown): boolean {
  if (verdictOf(error) !== 'final') return false;
  return !(error instanceof RpcError) || error.status !== Status.FAILED_PRECONDITION;
}

/** A cancelled watch has a text alone. */
function statusOf(reason: EtcdReason | null): Status {
  if (reason === null) return Status.UNAVAILABLE;
  return etcdErrors[reason].status;
}
