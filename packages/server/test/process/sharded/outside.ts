import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { drainPromises } from '@flotilla/sim';
import {
  type CallOptions,
  type ChannelState,
  type ClientStream,
  type RpcChannel,
  RpcError,
  Status,
} from '@flotilla/wire';
import type { ClusterSight } from './cluster-sight.ts';
import type { FromOutside, Command, OutsideData, ToOutside } from './outside-messages.ts';
import { RemoteStream } from './remote-stream.ts';

/** How long a thread that waits looks away at most: only timers of its own end a wait otherwise. */
const restMs = 50;

interface Alarm {
  readonly atMs: number;
  readonly ring: () => void;
}

/**
 * Lets a script that is plain synchronous code, as in the simulator, live among real processes: they and all sockets are
 * in a thread of their own, and the script's thread waits for what that says. While it waits the asynchronous code of
 * its clients goes on.
 */
export class Outside {
  /** The last that was seen of the cluster. */
  sight: ClusterSight | null = null;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #said = new Int32Array(new SharedArrayBuffer(4));
  readonly #waiting = new Map<number, (message: FromOutside) => void>();
  readonly #cut = new Set<number>();
  /** In no order. */
  #alarms: Alarm[] = [];
  #lastId = 0;

  private constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const workerData = { port: port2, said: this.#said } satisfies OutsideData;
    this.#worker = new Worker(new URL('outside-launcher.mjs', import.meta.url), {
      workerData,
      transferList: [port2],
    });
    // Heard of in `close` at the latest: while a script waits nothing of its thread's own is heard.
    this.#worker.on('error', (error) => console.error(error));
  }

  /** A thread cannot load its program while the one that made it waits: this waits for that as usual. */
  static async open(): Promise<Outside> {
    const outside = new Outside();
    await new Promise<void>((resolve, reject) => {
      outside.#worker.once('message', () => resolve());
      outside.#worker.once('error', reject);
    });
    return outside;
  }

  get now(): number {
    return Date.now();
  }

  async close(): Promise<void> {
    this.#port.close();
    await this.#worker.terminate();
  }

  /** Lets time pass until the condition holds; whether it does. */
  until(durationMs: number, condition: () => boolean): boolean {
    const endMs = this.now + durationMs;
    for (;;) {
      const seen = Atomics.load(this.#said, 0);
      this.#takeAll();
      if (condition()) return true;
      const nowMs = this.now;
      if (nowMs >= endMs) return false;
      const nextMs = Math.min(endMs, nowMs + restMs, ...this.#alarms.map(({ atMs }) => atMs));
      Atomics.wait(this.#said, 0, seen, Math.max(1, nextMs - nowMs));
    }
  }

  after(delayMs: number, ring: () => void): { cancel(): void } {
    const alarm = { atMs: this.now + delayMs, ring };
    this.#alarms.push(alarm);
    return {
      cancel: () => {
        this.#alarms = this.#alarms.filter((other) => other !== alarm);
      },
    };
  }

  /** Time passes until it is done. */
  command(command: Command, limitMs: number): void {
    let failure: string | null | undefined;
    const id = this.#newId((message) => {
      failure = message.kind === 'done' ? message.message : 'no word of it';
    });
    this.#post({ id, kind: 'command', command });
    if (!this.until(limitMs, () => failure !== undefined)) {
      throw new Error(`${command.kind} was not done within ${limitMs} ms`);
    }
    if (typeof failure === 'string') throw new Error(failure);
  }

  /** Nothing of what clients say reaches these, nor the other way; what is under way is lost. */
  cut(members: readonly number[]): void {
    this.#cut.clear();
    for (const member of members) this.#cut.add(member);
  }

  channel(member: number): RpcChannel {
    const isCut = (): boolean => this.#cut.has(member);
    return {
      state: 'ready' satisfies ChannelState,
      unary: (path, frame, options = {}) => this.#unary(member, path, frame, options, isCut),
      stream: (path, options = {}) => this.#stream(member, path, options, isCut),
      ready: () => Promise.resolve(),
      close: () => undefined,
    };
  }

  #unary(
    member: number,
    path: string,
    frame: Uint8Array,
    { timeoutMs, metadata = {} }: CallOptions,
    isCut: () => boolean,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const late = this.#deadline(timeoutMs, reject);
      const id = this.#newId((message) => {
        // Lost on a link that is cut: the caller's deadline says so.
        if (isCut()) return;
        late?.cancel();
        if (message.kind === 'answer') resolve(message.bytes);
        else if (message.kind === 'failed') reject(new RpcError(message.status as Status, message.message));
      });
      if (!isCut())
        this.#post({ id, kind: 'unary', member, path, frame, timeoutMs: timeoutMs ?? null, metadata });
    });
  }

  #stream(
    member: number,
    path: string,
    { timeoutMs, metadata = {} }: CallOptions,
    isCut: () => boolean,
  ): ClientStream<Uint8Array, Uint8Array> {
    const post = (message: Extract<ToOutside, { readonly kind: 'write' | 'end' | 'cancel' }>): void => {
      if (!isCut()) this.#post(message);
    };
    const id = this.#newId((message) => {
      if (!isCut()) remote.take(message);
    }, true);
    const remote = new RemoteStream(id, post);
    this.#deadline(timeoutMs, (error) => remote.fail(error));
    if (!isCut()) this.#post({ id, kind: 'stream', member, path, timeoutMs: timeoutMs ?? null, metadata });
    return remote;
  }

  #deadline(timeoutMs: number | undefined, reject: (error: RpcError) => void): { cancel(): void } | null {
    if (timeoutMs === undefined) return null;
    const error = new RpcError(Status.DEADLINE_EXCEEDED, 'no answer in time');
    return this.after(timeoutMs + deadlineLeewayMs, () => reject(error));
  }

  #newId(take: (message: FromOutside) => void, lasts = false): number {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#waiting.set(id, (message) => {
      if (!lasts || message.kind === 'over' || message.kind === 'failed') this.#waiting.delete(id);
      take(message);
    });
    return id;
  }

  #post(message: ToOutside): void {
    this.#port.postMessage(message);
  }

  #takeAll(): void {
    for (;;) {
      const nowMs = this.now;
      const due = this.#alarms.filter(({ atMs }) => atMs <= nowMs);
      this.#alarms = this.#alarms.filter(({ atMs }) => atMs > nowMs);
      for (const { ring } of due) ring();
      const received: { readonly message: FromOutside } | undefined = receiveMessageOnPort(this.#port);
      if (received !== undefined) this.#take(received.message);
      drainPromises();
      if (received === undefined && due.length === 0) return;
    }
  }

  #take(message: FromOutside): void {
    if (message.kind === 'sight') this.sight = message.sight;
    else this.#waiting.get(message.id)?.(message);
  }
}

/** The member's own answer that it was too late comes first, if one comes. */
const deadlineLeewayMs = 100;
