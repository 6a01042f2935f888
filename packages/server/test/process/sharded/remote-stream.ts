import { type ClientStream, RpcError, Status } from '@flotilla/wire';
import type { FromOutside, ToOutside } from './outside-messages.ts';

type Post = (message: Extract<ToOutside, { readonly kind: 'write' | 'end' | 'cancel' }>) => void;

/** A call whose messages come and go one by one, and whose socket is in another thread. */
export class RemoteStream implements ClientStream<Uint8Array, Uint8Array> {
  readonly bufferedBytes = 0;
  readonly #id: number;
  readonly #post: Post;
  readonly #messages: Uint8Array[] = [];
  #end: { readonly error: RpcError | null } | null = null;
  #reader: {
    readonly resolve: (message: Uint8Array | null) => void;
    readonly reject: (error: RpcError) => void;
  } | null = null;

  constructor(id: number, post: Post) {
    this.#id = id;
    this.#post = post;
  }

  take(message: FromOutside): void {
    if (message.kind === 'message') this.#messages.push(message.bytes);
    else if (message.kind === 'over') this.#end ??= { error: null };
    else if (message.kind === 'failed') {
      this.#end ??= { error: new RpcError(message.status as Status, message.message) };
    }
    this.#serve();
  }

  fail(error: RpcError): void {
    this.#end ??= { error };
    this.#serve();
  }

  read(): Promise<Uint8Array | null> {
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#serve();
    });
  }

  write(message: Uint8Array): boolean {
    this.#post({ id: this.#id, kind: 'write', message });
    return true;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  end(): void {
    this.#post({ id: this.#id, kind: 'end' });
  }

  cancel(): void {
    this.#post({ id: this.#id, kind: 'cancel' });
    this.fail(new RpcError(Status.CANCELLED, 'cancelled'));
  }

  #serve(): void {
    const reader = this.#reader;
    if (reader === null) return;
    const message = this.#messages.shift();
    if (message === undefined && this.#end === null) return;
    this.#reader = null;
    const error = this.#end?.error ?? null;
    if (message !== undefined) reader.resolve(message);
    else if (error !== null) reader.reject(error);
    else reader.resolve(null);
  }
}
