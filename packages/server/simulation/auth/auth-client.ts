import { binaryString } from '@flotilla/check';
import type { WatchRecord } from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import type { World } from '@flotilla/sim';
import { etcdErrors, KV, openStream, PutRequest, RangeRequest, RpcError, Watch } from '@flotilla/wire';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { RecordedWatch } from '../cluster/recorded-watch.ts';
import { forbiddenMark, rangeOf } from './auth-admin.ts';
import { Caller, isLost, pause, type SimUser } from './auth-calls.ts';

export interface AuthClientOptions {
  readonly world: World;
  readonly user: SimUser;
  /** Whose range it tries, too. */
  readonly other: SimUser;
  readonly memberNames: readonly string[];
  readonly goesOn: () => boolean;
}

/** A user that writes, reads and watches in its own range, and tries that of another, whatever it is allowed just now. */
export class AuthClient {
  /** Revisions of the events that its watches were told. */
  readonly seen: number[] = [];
  finished = false;
  readonly #options: AuthClientOptions;
  readonly #watches: RecordedWatch[] = [];
  #platform!: Platform;
  #caller!: Caller;
  #writes = 0;

  constructor(options: AuthClientOptions) {
    this.#options = options;
  }

  get records(): readonly WatchRecord[] {
    return this.#watches.flatMap((watch) => watch.record() ?? []);
  }

  async main(platform: Platform): Promise<void> {
    this.#platform = platform;
    this.#caller = new Caller(platform, this.#options);
    await Promise.all([this.#ask(), this.#watch()]);
    this.#caller.close();
    this.finished = true;
  }

  async #ask(): Promise<void> {
    const { world, user, other, goesOn } = this.#options;
    while (goesOn()) {
      await pause(this.#platform, 20 + 20 * world.tape.choose(8, 'think time'));
      const drawn = world.tape.choose(10, 'request');
      if (drawn < 6) await this.#attempt('write', () => this.#put(user));
      else if (drawn < 9) await this.#attempt('read', () => this.#read());
      else {
        const done = await this.#attempt('trespass', () => this.#put(other));
        if (done) world.violate('trespass', `${user.name} has written into the range of ${other.name}`);
      }
    }
  }

  /** Whether it was allowed, for sure. */
  async #attempt(what: string, run: () => Promise<void>): Promise<boolean> {
    const { world } = this.#options;
    try {
      await run();
      world.coverage.count(`${what} answered`);
      return true;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (isLost(error)) return false;
      if (!refusals.some(({ message }) => message === error.message)) {
        world.violate('unexpected error', `${what} was answered with ${error.message}`);
      }
      world.coverage.count(`${what} refused`);
      return false;
    }
  }

  async #put({ name }: SimUser): Promise<void> {
    this.#writes += 1;
    const key = bytesOf(`${name}/${this.#writes}`);
    await this.#caller.call(
      KV.methods.Put,
      PutRequest.create({ key, value: bytesOf(this.#options.user.name) }),
    );
  }

  async #read(): Promise<void> {
    const { world, user } = this.#options;
    const { kvs } = await this.#caller.call(KV.methods.Range, RangeRequest.create(rangeOf(user.name)));
    for (const { value } of kvs) {
      if (new TextDecoder().decode(value) === forbiddenMark) {
        world.violate('forbidden read', `${user.name} has read what it may not see`);
      }
    }
  }

  /** From now on, again and again: what it was not told while it might not watch it never hears of. */
  async #watch(): Promise<void> {
    while (this.#options.goesOn()) {
      await pause(this.#platform, 150);
      try {
        await this.#watchOnce(await this.#caller.token());
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
      }
    }
  }

  async #watchOnce(token: string): Promise<void> {
    const { world, user, goesOn } = this.#options;
    const stream = openStream(this.#caller.channel(), Watch.methods.Watch, { metadata: { token } });
    const look = (): void => {
      if (goesOn()) timer = this.#platform.timer(500, 'watch', look);
      else stream.cancel();
    };
    let timer = this.#platform.timer(500, 'watch', look);
    try {
      const { key, rangeEnd } = rangeOf(user.name);
      const watch = new RecordedWatch(`${user.name}, stream ${this.#watches.length + 1}`, {
        key: binaryString(key),
        rangeEnd: binaryString(rangeEnd),
        startRevision: 0,
        noPut: false,
        noDelete: false,
        prevKv: false,
      });
      this.#watches.push(watch);
      const value = watch.create();
      stream.write({ requestUnion: { case: 'createRequest', value } });
      for (let response = await stream.read(); response !== null; response = await stream.read()) {
        watch.take(response);
        for (const { kv } of response.events) this.seen.push(kv?.modRevision ?? 0);
        if (!response.canceled) continue;
        world.coverage.count(response.created ? 'watch refused' : 'watch ended');
        this.#caller.forgetToken();
        return;
      }
    } finally {
      timer.cancel();
      stream.cancel();
    }
  }
}

/** What a client may be told whose user comes and goes. */
const refusals = [
  etcdErrors.permissionDenied,
  etcdErrors.invalidAuthToken,
  etcdErrors.authOldRevision,
  etcdErrors.authenticationFailed,
];
