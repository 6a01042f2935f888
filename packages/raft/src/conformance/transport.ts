import type { Address, Connection, Listener, Platform } from '@flotilla/platform';
import { messageOf } from '@flotilla/platform';
import type { NodeId } from '../core/types.ts';
import type { Transport } from '../transport/types.ts';
import { demand, demandEqual, demandRejection, judged, pause, within } from './case.ts';
import type { ConformanceCase } from './case.ts';
import { StreamEar } from './stream-ear.ts';

/** One of the two members between which a transport is tried. */
export interface TransportMember {
  readonly id: NodeId;
  /** Of the member's clock only; `nodePlatform` of `@flotilla/platform/node` will do. */
  readonly platform: Platform;
  readonly transport: Transport;
  /** Where it may listen. The other member must reach it at this host, and at the port that the listener has. */
  readonly address: Address;
}

/** Two members, made anew for each case. */
export interface TransportBed {
  readonly members: readonly [TransportMember, TransportMember];
  /** How long a case waits for what must happen. Default 5,000. */
  readonly patienceMs?: number;
  /** Lets go of what the bed holds. */
  close?(): Promise<void> | void;
}

/**
 * What every `Transport` must do, as named cases.
 *
 * @example
 * import { test } from 'node:test';
 * for (const { name, run } of transportConformance(() => ({ members: [member(1), member(2)] }))) test(name, run);
 */
export function transportConformance(
  makeBed: () => TransportBed | Promise<TransportBed>,
): readonly ConformanceCase[] {
  return Object.entries(cases).map(([name, check]) => ({
    name,
    run: async () => {
      const bed = await makeBed();
      const trial = new Trial(bed);
      try {
        await judged(() => check(trial));
        trial.demandOrder();
      } finally {
        await trial.close();
        await bed.close?.();
      }
    },
  }));
}

/** What a case works with. */
class Trial {
  readonly dialer: TransportMember;
  readonly host: TransportMember;
  readonly patienceMs: number;
  readonly #ears: StreamEar[] = [];
  readonly #connections: Connection[] = [];
  readonly #listeners = new Set<Listener>();

  constructor({ members: [dialer, host], patienceMs }: TransportBed) {
    this.dialer = dialer;
    this.host = host;
    this.patienceMs = patienceMs ?? 5000;
  }

  /** Listens at the second member and hands out the connections in the order in which they come. */
  async listen(): Promise<Accepting> {
    const accepting = new Accepting(this.host.platform, this.patienceMs);
    const listener = await this.host.transport.listen(this.host.address, (connection) => {
      this.#connections.push(connection);
      accepting.accept(connection);
    });
    this.#listeners.add(listener);
    accepting.listener = listener;
    return accepting;
  }

  async closeListener({ listener }: Accepting): Promise<void> {
    this.#listeners.delete(listener);
    await listener.close();
  }

  async connect(address: Address): Promise<Connection> {
    const { platform, transport } = this.dialer;
    const options = { peer: this.host.id, timeoutMs: connectTimeoutMs };
    const connection = await within(
      platform,
      this.patienceMs,
      'connect',
      transport.connect(address, options),
    );
    this.#connections.push(connection);
    return connection;
  }

  /** Both ends of a stream, not yet started: of who connected, and of who accepted. */
  async pair(): Promise<readonly [Connection, Connection]> {
    const accepting = await this.listen();
    const near = await this.connect(accepting.listener.address);
    return [near, await accepting.next()];
  }

  async ears(): Promise<readonly [StreamEar, StreamEar]> {
    const [near, far] = await this.pair();
    return [this.ear(near, this.dialer), this.ear(far, this.host)];
  }

  ear(connection: Connection, { platform }: TransportMember): StreamEar {
    const ear = new StreamEar(platform, this.patienceMs, connection);
    this.#ears.push(ear);
    return ear;
  }

  demandOrder(): void {
    for (const ear of this.#ears) ear.demandOrder();
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    for (const listener of this.#listeners) await listener.close();
  }
}

class Accepting {
  listener!: Listener;
  readonly #platform: Platform;
  readonly #patienceMs: number;
  readonly #accepted: Connection[] = [];
  #wake: () => void = () => undefined;

  constructor(platform: Platform, patienceMs: number) {
    this.#platform = platform;
    this.#patienceMs = patienceMs;
  }

  get count(): number {
    return this.#accepted.length;
  }

  accept(connection: Connection): void {
    this.#accepted.push(connection);
    this.#wake();
  }

  async next(): Promise<Connection> {
    for (;;) {
      const connection = this.#accepted.shift();
      if (connection !== undefined) return connection;
      const arrived = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(this.#platform, this.#patienceMs, 'the accepting side to hear of a connection', arrived);
    }
  }
}

/** Of a connect that must succeed. */
const connectTimeoutMs = 3000;
/** What a sender may get rid of before a reader that does not read must hold it up. */
const bufferedBytesMax = 64 * 1024 * 1024;

const cases: Readonly<Record<string, (trial: Trial) => Promise<void>>> = {
  'bytes arrive whole and in order, both ways at once': async (trial) => {
    const [near, far] = await trial.ears();
    const [there, back] = [pattern(1, 300_000), pattern(2, 200_000)];
    writeInPieces(near, there);
    writeInPieces(far, back);
    await far.until('all bytes', () => far.receivedBytes >= there.length);
    await near.until('all bytes of the way back', () => near.receivedBytes >= back.length);
    demandBytes(far.bytes(), there);
    demandBytes(near.bytes(), back);
  },

  'what is written before the other side has started waits for it': async (trial) => {
    const [near, far] = await trial.pair();
    const nearEar = trial.ear(near, trial.dialer);
    nearEar.write(pattern(3, 5000));
    await pause(trial.host.platform, 50);
    const farEar = trial.ear(far, trial.host);
    await farEar.until('the bytes', () => farEar.receivedBytes >= 5000);
    demandBytes(farEar.bytes(), pattern(3, 5000));
  },

  'a chunk that was handed over is never touched again': async (trial) => {
    const [near, far] = await trial.ears();
    for (let round = 1; round <= 5; round += 1) {
      near.write(pattern(round, 1000));
      await far.until('a chunk', () => far.receivedBytes >= round * 1000);
    }
    const wanted = new Uint8Array(5000);
    for (let round = 1; round <= 5; round += 1) wanted.set(pattern(round, 1000), (round - 1) * 1000);
    demandBytes(far.bytes(), wanted);
  },

  'connections at the same time are kept apart': async (trial) => {
    const accepting = await trial.listen();
    const nears = await Promise.all(
      Array.from({ length: 8 }, () => trial.connect(accepting.listener.address)),
    );
    const nearEars = nears.map((near) => trial.ear(near, trial.dialer));
    const farEars: StreamEar[] = [];
    for (const _ of nears) farEars.push(trial.ear(await accepting.next(), trial.host));
    for (const [number, near] of nearEars.entries()) near.write(pattern(number, 1000));
    const heard: number[] = [];
    for (const far of farEars) {
      await far.until('the bytes', () => far.receivedBytes >= 1000);
      const number = nears.findIndex((_, at) => far.bytes()[0] === pattern(at, 1)[0]);
      demandBytes(far.bytes(), pattern(number, 1000));
      heard.push(number);
    }
    demandEqual(
      [...heard].sort((a, b) => a - b),
      nears.map((_, at) => at),
      'the streams that arrived',
    );
  },

  'close sends what is buffered, and both sides hear of an orderly end': async (trial) => {
    const [near, far] = await trial.ears();
    const bytes = pattern(4, 4 * 1024 * 1024);
    near.write(bytes);
    near.call(() => near.connection.close());
    await far.until('the end of the stream', () => far.closed !== undefined);
    await near.until('the end of an own close', () => near.closed !== undefined);
    demandBytes(far.bytes(), bytes);
    demandEqual([near.closed, far.closed], [null, null], 'the ends of a closed stream (null is orderly)');
  },

  'closed comes once, and nothing after it': async (trial) => {
    const [near, far] = await trial.ears();
    near.call(() => near.connection.close());
    near.call(() => near.connection.close());
    near.call(() => near.connection.destroy());
    await far.until('the end of the stream', () => far.closed !== undefined);
    far.call(() => far.connection.close());
    await near.until('the end of an own close', () => near.closed !== undefined);
    await pause(trial.dialer.platform, 50);
  },

  'destroy cuts the stream, and both sides hear of it': async (trial) => {
    const [near, far] = await trial.ears();
    near.write(pattern(5, 100));
    await far.until('the bytes', () => far.receivedBytes >= 100);
    near.call(() => near.connection.destroy());
    await far.until('the cut at the other side', () => far.closed !== undefined);
    await near.until('the end of an own destroy', () => near.closed !== undefined);
    demandEqual(near.closed, null, 'the end of a stream that its owner destroyed');
  },

  'a stream that was cut before its owner started tells the owner then': async (trial) => {
    const [near, far] = await trial.pair();
    trial.ear(near, trial.dialer).connection.destroy();
    await pause(trial.host.platform, 100);
    const ear = trial.ear(far, trial.host);
    demand(ear.closed === undefined, 'closed was called before start had returned');
    await ear.until('the end of the stream', () => ear.closed !== undefined);
  },

  'a write after the end goes nowhere and hurts nobody': async (trial) => {
    const [near, far] = await trial.ears();
    near.call(() => near.connection.close());
    demandEqual(
      callSafely(() => near.write(pattern(6, 10))),
      false,
      'a write to a closed connection',
    );
    await far.until('the end of the stream', () => far.closed !== undefined);
    demandEqual(
      callSafely(() => far.write(pattern(6, 10))),
      false,
      'a write to an ended connection',
    );
    demandEqual(far.receivedBytes, 0, 'bytes that were written after the close');
  },

  'a reader that does not read holds the writer up': async (trial) => {
    const [near, far] = await trial.ears();
    far.call(() => far.connection.pause());
    let written = 0;
    let drains: number;
    // A network has buffers of its own, which fill up first.
    do {
      drains = near.drains;
      written += fill(near, written);
      await pause(trial.dialer.platform, 50);
    } while (near.drains > drains);
    demand(near.connection.bufferedBytes > 0, 'write answered false, and bufferedBytes is 0');
    far.call(() => far.connection.resume());
    await near.until('drained', () => near.drains > drains);
    await far.until('all bytes', () => far.receivedBytes >= written);
    demandEqual(far.receivedBytes, written, 'bytes that arrived');
    demandEqual(near.drains - drains, 1, 'calls of drained after the write that was answered false');
    demandEqual(near.connection.bufferedBytes, 0, 'bufferedBytes when everything has arrived');
  },

  'a paused reader hears nothing, and loses nothing': async (trial) => {
    const [near, far] = await trial.ears();
    near.write(pattern(7, 1000));
    await far.until('the first bytes', () => far.receivedBytes >= 1000);
    far.call(() => far.connection.pause());
    near.write(pattern(8, 1000));
    await pause(trial.host.platform, 100);
    demandEqual(far.receivedBytes, 1000, 'bytes that a paused reader has heard');
    far.call(() => far.connection.resume());
    await far.until('the other bytes', () => far.receivedBytes >= 2000);
    demandBytes(far.bytes().subarray(1000), pattern(8, 1000));
  },

  'nobody at the address is said so, in time': async (trial) => {
    const accepting = await trial.listen();
    const { address } = accepting.listener;
    await trial.closeListener(accepting);
    const { platform, transport } = trial.dialer;
    const attempt = transport.connect(address, { peer: trial.host.id, timeoutMs: 1000 });
    await demandRejection(
      within(platform, trial.patienceMs, 'a refusal', attempt),
      ['FLOTILLA_CONNECT_REFUSED', 'FLOTILLA_CONNECT_FAILED'],
      'connect to where nobody listens',
    );
  },

  'an address that is taken is said to be': async (trial) => {
    const accepting = await trial.listen();
    const again = trial.host.transport.listen(accepting.listener.address, () => undefined);
    await demandRejection(again, ['FLOTILLA_ADDRESS_IN_USE'], 'a second listen at one address');
  },

  'a closed listener frees its address and keeps its connections': async (trial) => {
    const accepting = await trial.listen();
    const near = trial.ear(await trial.connect(accepting.listener.address), trial.dialer);
    const far = trial.ear(await accepting.next(), trial.host);
    await trial.closeListener(accepting);
    const again = trial.host.transport.listen(accepting.listener.address, () => undefined);
    const problem = await again.then(
      (listener) => listener.close(),
      (error: unknown) => messageOf(error),
    );
    demandEqual(problem, undefined, 'a second listen at an address whose listener was closed');
    near.write(pattern(9, 100));
    await far.until('bytes on a connection from before', () => far.receivedBytes >= 100);
    demandEqual(accepting.count, 0, 'connections that nobody asked for');
  },

  'authenticate, where there is one, takes the member at the other end and no other': async (trial) => {
    const [near, far] = await trial.pair();
    const stranger = 99 as NodeId;
    for (const [me, other, connection] of [
      [trial.dialer, trial.host, near],
      [trial.host, trial.dialer, far],
    ] as const) {
      const { transport } = me;
      if (transport.authenticate === undefined) continue;
      const honest = failureOf(() => transport.authenticate?.(connection, other.id));
      demand(honest === null, `member ${me.id} refuses member ${other.id}: ${honest}`);
      for (const impostor of [stranger, me.id]) {
        const refused = failureOf(() => transport.authenticate?.(connection, impostor));
        demand(refused !== null, `member ${me.id} takes member ${other.id} for member ${impostor}`);
      }
    }
  },
};

/** Bytes that differ by `seed`, and at every offset from those near it. */
function pattern(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 1) bytes[at] = seed * 31 + at * 7 + (at >>> 8) + (at >>> 16) * 3;
  return bytes;
}

/** In pieces from one byte to some kilobytes. */
function writeInPieces(ear: StreamEar, bytes: Uint8Array): void {
  for (let at = 0, size = 1; at < bytes.length; at += size, size = ((size * 3) % 7919) + 1) {
    ear.write(bytes.subarray(at, at + size));
  }
}

/** Writes until the connection says that it has enough; answers how much. */
function fill(ear: StreamEar, before: number): number {
  const piece = pattern(0, 64 * 1024);
  let written = 0;
  for (;;) {
    written += piece.length;
    if (!ear.write(piece)) return written;
    demand(before + written < bufferedBytesMax, `write took ${bufferedBytesMax} bytes that nobody reads`);
  }
}

function demandBytes(found: Uint8Array, wanted: Uint8Array): void {
  demandEqual(found.length, wanted.length, 'bytes that arrived');
  const at = found.findIndex((byte, index) => byte !== wanted[index]);
  demand(at === -1, () => `byte ${at} of ${wanted.length} is ${found[at]}, and ${wanted[at]} was sent`);
}

function callSafely<T>(action: () => T): T | string {
  try {
    return action();
  } catch (error) {
    return `throws ${messageOf(error)}`;
  }
}

function failureOf(action: () => void): string | null {
  try {
    action();
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
