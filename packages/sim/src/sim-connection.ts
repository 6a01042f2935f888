import { FlotillaError } from '@flotilla/platform';
import type { Address, Connection, ConnectionHandler, PeerIdentity } from '@flotilla/platform';
import type { Life } from './life.ts';
import { limits } from './limits.ts';
import { SimPipe } from './sim-pipe.ts';
import { withoutStack } from './without-stack.ts';

/** Of an owner that goes on writing after the other side has ended its half of the stream, as sockets can. */
export interface HalfOpenHandler extends ConnectionHandler {
  /** The other side writes nothing more. `closed` comes when this side has ended, too, or when the stream is cut. */
  ended(): void;
}

/** One end of a simulated byte stream. */
export class SimConnection implements Connection {
  readonly life: Life;
  readonly remote: Address;
  readonly identity: PeerIdentity | null = null;
  readonly protocol: string | null;
  /** Towards the other end. Set by {@link connectEnds}. */
  outgoing!: SimPipe;
  incoming!: SimPipe;
  #handler: ConnectionHandler | null = null;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #paused = false;
  #full = false;
  /** Arrived before the owner wanted it. */
  readonly #unread: Uint8Array[] = [];
  /** How the stream ended, when that was before the owner wanted to know; undefined: it has not. */
  #ending: Error | null | undefined = undefined;
  #flushing = false;
  #answered = false;
  /** Its own half of the stream is over, or the other one: a half-open connection. */
  #writeEnded = false;
  #readEnded = false;

  constructor(life: Life, remote: Address, protocol: string | null) {
    this.life = life;
    this.remote = remote;
    this.protocol = protocol;
    life.connections.add(this);
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  get bufferedBytes(): number {
    return Math.max(this.outgoing.inFlightBytes - limits.streamWindowBytes, 0);
  }

  start(handler: ConnectionHandler): void {
    if (this.life.dead) return;
    this.#handler = handler;
    this.#flushLater();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state !== 'open' || this.#writeEnded || this.life.dead) return false;
    if (bytes.length === 0) return !this.#full;
    this.outgoing.send(bytes);
    if (this.outgoing.to.life.dead) this.life.node.world.network.wroteToTheDead(this);
    if (this.bufferedBytes > limits.streamHighWaterMarkBytes) {
      if (!this.#full) this.life.node.world.coverage.count('write buffer full');
      this.#full = true;
    }
    return !this.#full;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#flushLater();
  }

  close(): void {
    if (this.#state !== 'open' || this.life.dead) return;
    this.#state = 'closing';
    this.#dropUnread();
    this.outgoing.end();
    this.life.node.world.after(limits.closeLingerMs, () => this.#finish(null), this.life);
  }

  destroy(): void {
    if (this.#state === 'closed' || this.life.dead) return;
    this.#state = 'closing';
    this.#dropUnread();
    this.outgoing.reset(0);
    this.life.node.world.after(0, () => this.#finish(null), this.life);
  }

  /** Ends its own half of the stream, as shutdown(2) does; the other half goes on. For a {@link HalfOpenHandler}. */
  shutdown(): void {
    if (this.#state !== 'open' || this.#writeEnded || this.life.dead) return;
    this.#writeEnded = true;
    this.outgoing.end();
    if (this.#readEnded) this.#finish(null);
  }

  /**
   * Gives the connection up, as close(2) does: what was written is still sent, unless there is something unread, which
   * the other side is told by a reset.
   */
  release(): void {
    if (this.#state === 'closed' || this.life.dead) return;
    const unread = this.#unread.length > 0;
    this.#dropUnread();
    if (unread) this.outgoing.reset(this.outgoing.inFlightBytes);
    else if (!this.#writeEnded) this.outgoing.end();
    this.#finish(null);
  }

  receiveBytes(bytes: Uint8Array): void {
    if (this.#state === 'open' && this.#wantsData() && this.#unread.length === 0) {
      this.#take(bytes);
      return;
    }
    if (this.#state === 'open') {
      this.#unread.push(bytes);
      return;
    }
    this.incoming.inFlightBytes -= bytes.length;
    // A kernel that no longer knows the connection answers with a reset.
    if (this.#state === 'closed' && !this.#answered) {
      this.#answered = true;
      this.outgoing.reset(0);
    }
  }

  receiveEnd(): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'closing') {
      this.#finish(null);
      return;
    }
    this.#ending = null;
    this.#flush();
  }

  /** The stream is cut. What arrived before is still read first, unless the owner does not read. */
  receiveReset(reason: string): void {
    if (this.#state === 'closed') return;
    const message = `the connection with ${this.remote.host}:${this.remote.port} broke: ${reason}`;
    this.#ending = withoutStack(() => new FlotillaError('FLOTILLA_CONNECTION_RESET', message));
    this.#dropUnread();
    if (this.#state === 'closing') this.#finish(null);
    else this.#flush();
  }

  /** The other owner took bytes from the stream that this end writes. */
  acknowledged(): void {
    if (!this.#full || this.bufferedBytes > 0 || this.#state !== 'open') return;
    this.#full = false;
    this.life.node.world.after(0, () => this.#handler?.drained(), this.life);
  }

  #wantsData(): boolean {
    return this.#handler !== null && !this.#paused;
  }

  #take(bytes: Uint8Array): void {
    this.incoming.inFlightBytes -= bytes.length;
    this.outgoing.to.acknowledged();
    this.#handler?.data(bytes);
  }

  #flushLater(): void {
    if (this.#flushing || (this.#unread.length === 0 && this.#ending === undefined)) return;
    this.#flushing = true;
    this.life.node.world.after(
      0,
      () => {
        this.#flushing = false;
        this.#flush();
      },
      this.life,
    );
  }

  /** Hands over what waits, one chunk an event, then the end. */
  #flush(): void {
    if (this.#state !== 'open' || this.#handler === null) return;
    const next = this.#paused ? undefined : this.#unread.shift();
    if (next !== undefined) {
      this.#take(next);
      this.#flushLater();
      return;
    }
    if (this.#ending === undefined || this.#unread.length > 0) return;
    // An orderly end is seen by reading up to it; a cut is seen in any case.
    if (this.#ending === null && this.#paused) return;
    if (this.#ending === null && 'ended' in this.#handler) this.#endReading(this.#handler as HalfOpenHandler);
    else {
      if (this.#ending === null) this.outgoing.end();
      this.#finish(this.#ending);
    }
  }

  #endReading(handler: HalfOpenHandler): void {
    if (this.#readEnded) return;
    this.#readEnded = true;
    handler.ended();
    if (this.#writeEnded) this.#finish(null);
  }

  #dropUnread(): void {
    for (const bytes of this.#unread.splice(0)) this.incoming.inFlightBytes -= bytes.length;
  }

  #finish(error: Error | null): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#dropUnread();
    this.life.connections.delete(this);
    if (this.#handler !== null) this.#handler.closed(error);
    else this.#ending = error;
  }
}

/** Two ends of one stream. */
export function connectEnds(client: SimConnection, server: SimConnection, port: number): void {
  const { network } = client.life.node.world;
  const forth = new SimPipe(
    client,
    server,
    port,
    network.frameFaults(client.life.node, server.life.node, port),
  );
  const back = new SimPipe(
    server,
    client,
    port,
    network.frameFaults(server.life.node, client.life.node, port),
  );
  client.outgoing = forth;
  client.incoming = back;
  server.outgoing = back;
  server.incoming = forth;
}
