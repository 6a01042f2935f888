import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { FrameCutter } from '@flotilla/sim';
import { frameHeaderBytes, preface } from '../../src/host/frame.ts';
import { decodeHello } from '../../src/host/handshake.ts';
import { peerFrames } from '../../simulation/peer-frames.ts';

/** How the messages of one direction travel. */
export interface Weather {
  /** Of 1,000 batches of consensus messages, so many are lost. */
  readonly lossPerMille: number;
  /** Of 1,000 batches, so many come twice. */
  readonly repeatPerMille: number;
  /** Each batch is late by a random time below this. */
  readonly delayMs: number;
  /** Of 1,000 batches, so many are late by {@link Weather.longDelayMs} more. */
  readonly longDelayPerMille: number;
  readonly longDelayMs: readonly [from: number, to: number];
}

export const fair: Weather = {
  lossPerMille: 0,
  repeatPerMille: 0,
  delayMs: 0,
  longDelayPerMille: 0,
  longDelayMs: [0, 0],
};

/** What the test says of the way from one member to another, asked anew for everything that passes. */
export interface Ways {
  /** False: connections between the two are reset, new ones are closed at once. */
  isUp(from: number, to: number): boolean;
  /** Nothing arrives in this direction, and nobody is told. */
  isSilent(from: number, to: number): boolean;
  /** Whether the member can be asked by those who do not say which member they are. */
  takesQuestions?(to: number): boolean;
  /** Which member dials, as the first bytes of a stream of another protocol say; 0: they do not; null: not yet. */
  dialerOf?(first: Uint8Array): number | null;
  readonly weather: Weather;
}

interface Joined {
  readonly client: Socket;
  readonly server: Socket;
  /** Who dialed; 0 until it has said so. */
  dialer: number;
  /** Another protocol at the same port; null until its first bytes are there. */
  isQuestion: boolean | null;
  /** Of another protocol, until they have said who dials. */
  first: Uint8Array | null;
  /** Something on it was not carried: what comes after that is no stream any more. */
  hasHole: boolean;
}

/**
 * Stands before one member as the address that the others know: cuts their links, one direction of them, or loses,
 * repeats and delays whole batches of consensus messages, as the labs' simulated network does. The stream itself stays a
 * stream. Who dialed is read from its hello.
 */
export class MemberProxy {
  readonly port: number;
  /** In both directions, so far. */
  carriedBytes = 0;
  readonly #member: number;
  readonly #ways: Ways;
  readonly #server: Server;
  readonly #joined = new Set<Joined>();

  private constructor(server: Server, port: number, member: number, memberPort: number, ways: Ways) {
    this.#server = server;
    this.port = port;
    this.#member = member;
    this.#ways = ways;
    server.on('connection', (client) => this.#join(client, memberPort));
  }

  static async open(port: number, member: number, memberPort: number, ways: Ways): Promise<MemberProxy> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    return new MemberProxy(server, port, member, memberPort, ways);
  }

  /** Resets the connections of links that are not up (any more); with `also`, those of that peer too. */
  reset(also = 0): void {
    for (const joined of this.#joined) {
      const { client, dialer } = joined;
      if (!this.#takes(joined) || (dialer !== 0 && dialer === also)) client.destroy();
    }
  }

  /** Resets those that have lost something, where nothing is lost any more. */
  mend(): void {
    for (const { client, dialer, hasHole } of this.#joined) {
      const isSilent = this.#ways.isSilent(dialer, this.#member) || this.#ways.isSilent(this.#member, dialer);
      if (hasHole && !isSilent) client.destroy();
    }
  }

  async close(): Promise<void> {
    for (const { client } of this.#joined) client.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, memberPort: number): void {
    const server = createConnection({ port: memberPort, host: '127.0.0.1', noDelay: true });
    const joined: Joined = { client, server, dialer: 0, isQuestion: null, first: null, hasHole: false };
    this.#joined.add(joined);
    const end = (): void => {
      client.destroy();
      server.destroy();
      this.#joined.delete(joined);
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
    this.#carry(joined, client, server, () => [joined.dialer, this.#member]);
    this.#carry(joined, server, client, () => [this.#member, joined.dialer]);
  }

  #carry(joined: Joined, from: Socket, to: Socket, way: () => readonly [number, number]): void {
    const frames = new FrameCutter(peerFrames);
    from.on('data', (chunk: Buffer) => {
      for (const { bytes, mayRepeat } of frames.cut(chunk)) {
        if (from === joined.client) this.#meet(joined, bytes);
        if (to.destroyed) continue;
        if (this.#ways.isSilent(...way())) {
          joined.hasHole = joined.isQuestion === true;
          continue;
        }
        this.carriedBytes += bytes.length;
        if (mayRepeat) this.#carryMessage(to, bytes);
        else to.write(bytes);
      }
    });
  }

  /** Learns from what a dialer says first who it is, and turns it away where the link is cut. */
  #meet(joined: Joined, bytes: Uint8Array): void {
    if (joined.isQuestion === null) {
      joined.isQuestion = bytes.some((byte, at) => byte !== preface[at]);
      if (joined.isQuestion) joined.first = new Uint8Array(0);
    } else if (!joined.isQuestion && joined.dialer === 0 && bytes.length > frameHeaderBytes) {
      joined.dialer = decodeHello(bytes.subarray(frameHeaderBytes)).from;
    }
    if (joined.first !== null) {
      joined.first = Buffer.concat([joined.first, bytes]);
      const dialer = this.#ways.dialerOf === undefined ? 0 : this.#ways.dialerOf(joined.first);
      if (dialer === null) return;
      joined.dialer = dialer;
      joined.first = null;
    }
    if (!this.#takes(joined)) joined.client.destroy();
  }

  /** Whether the link is up, as far as it is known whose it is. */
  #takes({ dialer, isQuestion, first }: Joined): boolean {
    if (dialer !== 0) return this.#ways.isUp(dialer, this.#member);
    return isQuestion !== true || first !== null || this.#ways.takesQuestions?.(this.#member) !== false;
  }

  #carryMessage(to: Socket, bytes: Uint8Array): void {
    const { weather } = this.#ways;
    if (chance(weather.lossPerMille)) return;
    const times = chance(weather.repeatPerMille) ? 2 : 1;
    for (let time = 0; time < times; time += 1) {
      const delayMs = delayOf(weather);
      if (delayMs === 0) {
        to.write(bytes);
        continue;
      }
      setTimeout(() => {
        if (!to.destroyed) to.write(bytes);
      }, delayMs);
    }
  }
}

function delayOf({ delayMs, longDelayPerMille, longDelayMs: [from, to] }: Weather): number {
  const long = chance(longDelayPerMille) ? from + Math.random() * (to - from) : 0;
  return Math.round(Math.random() * delayMs + long);
}

function chance(perMille: number): boolean {
  return Math.random() * 1000 < perMille;
}
