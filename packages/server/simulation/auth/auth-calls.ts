import type { Platform } from '@flotilla/platform';
import type { World } from '@flotilla/sim';
import {
  Auth,
  callUnary,
  etcdErrors,
  type Metadata,
  type MethodDescriptor,
  openFramedChannel,
  type RpcChannel,
  RpcError,
  Status,
} from '@flotilla/wire';
import { clientPort } from '../cluster/member-node.ts';

/** A user with its own key range, `NAME/`, and what the administrator has told it last. */
export interface SimUser {
  readonly name: string;
  password: string;
}

export interface CallerOptions {
  readonly world: World;
  readonly user: SimUser;
  readonly memberNames: readonly string[];
}

/** Calls members in the name of a user, whose token it gets when it has none or is told that it is none. */
export class Caller {
  readonly #options: CallerOptions;
  readonly #channels: readonly RpcChannel[];
  #token: string | null = null;

  constructor(platform: Platform, options: CallerOptions) {
    this.#options = options;
    this.#channels = options.memberNames.map((host) =>
      openFramedChannel(platform, { endpoints: [{ host, port: clientPort }] }),
    );
  }

  close(): void {
    for (const channel of this.#channels) channel.close();
  }

  /** Of a member of the tape's choice. */
  channel(): RpcChannel {
    const { tape } = this.#options.world;
    return this.#channels[tape.choose(this.#channels.length, 'member')] as RpcChannel;
  }

  /** Without a token while there is no auth. */
  async call<Request, Response>(
    method: MethodDescriptor<Request, Response, 'unary'>,
    request: Request,
    session: Metadata = {},
  ): Promise<Response> {
    const token = this.#token ?? (await this.token());
    try {
      const metadata = token === '' ? session : { ...session, token };
      return await callUnary(this.channel(), method, request, { ...patience, metadata });
    } catch (error) {
      if (error instanceof RpcError && isIdentity(error)) this.#token = null;
      throw error;
    }
  }

  /** A token that it has, or a new one; empty: there is no auth. */
  async token(): Promise<string> {
    if (this.#token !== null) return this.#token;
    const { name, password } = this.#options.user;
    try {
      const { token } = await callUnary(
        this.channel(),
        Auth.methods.Authenticate,
        { name, password },
        patience,
      );
      this.#token = token;
      return token;
    } catch (error) {
      if (error instanceof RpcError && error.message === etcdErrors.authNotEnabled.message) return '';
      throw error;
    }
  }

  forgetToken(): void {
    this.#token = null;
  }
}

/** Whether an answer says who the caller is not, so that it has to authenticate again. */
function isIdentity({ message }: RpcError): boolean {
  return [etcdErrors.invalidAuthToken, etcdErrors.authOldRevision, etcdErrors.userEmpty].some(
    (error) => error.message === message,
  );
}

/** Whether nobody knows what became of a call. */
export function isLost({ status }: RpcError): boolean {
  return lostStatuses.includes(status);
}

const lostStatuses: readonly number[] = [
  Status.UNAVAILABLE,
  Status.DEADLINE_EXCEEDED,
  Status.CANCELLED,
  Status.RESOURCE_EXHAUSTED,
];

const patience = { timeoutMs: 2_000 };

export function pause(platform: Platform, delayMs: number): Promise<void> {
  return new Promise((resolve) => platform.timer(delayMs, 'pause', resolve));
}
