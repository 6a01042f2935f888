import type { Connection, ConnectionHandler } from '@flotilla/platform';

/** A connection that does what the one below it does: for those that meddle with what goes over it. */
export abstract class RelayedConnection implements Connection {
  protected readonly inner: Connection;

  constructor(inner: Connection) {
    this.inner = inner;
  }

  abstract write(bytes: Uint8Array): boolean;

  get remote(): Connection['remote'] {
    return this.inner.remote;
  }

  get identity(): Connection['identity'] {
    return this.inner.identity;
  }

  get protocol(): Connection['protocol'] {
    return this.inner.protocol;
  }

  get bufferedBytes(): number {
    return this.inner.bufferedBytes;
  }

  start(handler: ConnectionHandler): void {
    this.inner.start(handler);
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }

  close(): void {
    this.inner.close();
  }

  destroy(): void {
    this.inner.destroy();
  }
}
