import { Auth, AuthenticateRequest, RpcError, callUnary } from '@flotilla/wire';
import type { RpcChannel } from '@flotilla/wire';
import { reasonOf } from '../errors.ts';

/** Who the client says it is. */
export interface UserPassword {
  readonly user: string;
  readonly password: string;
}

/** The token that calls carry: asked for when the first one needs it, and again when it is refused. */
export class Credentials {
  readonly #given: UserPassword;
  /** Undefined: none was asked for yet. Null: the cluster has no users. */
  #token: string | null | undefined;
  #asking: Promise<string | null> | null = null;

  constructor(given: UserPassword) {
    this.#given = given;
  }

  get token(): string | null | undefined {
    return this.#token;
  }

  /** The server does not take the token any more: it has expired, or users were changed since. */
  refused(token: string | null | undefined): void {
    if (this.#token === token) this.#token = undefined;
  }

  /** Whoever needs a token meanwhile waits for the same one. */
  ask(channel: RpcChannel, timeoutMs: number): Promise<string | null> {
    this.#asking ??= this.#authenticate(channel, timeoutMs).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #authenticate(channel: RpcChannel, timeoutMs: number): Promise<string | null> {
    const request = AuthenticateRequest.create({ name: this.#given.user, password: this.#given.password });
    try {
      const { token } = await callUnary(channel, Auth.methods.Authenticate, request, { timeoutMs });
      this.#token = token;
    } catch (error) {
      // A password must not be in the way of a cluster that does not ask for it (as with etcd's own client).
      if (!(error instanceof RpcError) || reasonOf(error.message) !== 'authNotEnabled') throw error;
      this.#token = null;
    }
    return this.#token;
  }
}
