import { etcdErrors, RpcError, Status } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { Passwords } from './adapters.ts';

/**
 * Hashes and checks a few passwords at a time: they run on the threads that write files too, and a crowd of clients
 * that authenticate must not keep the log waiting.
 */
export class PasswordQueue implements Passwords {
  readonly #passwords: Passwords;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(passwords: Passwords) {
    this.#passwords = passwords;
  }

  /** bcrypt does not look at more than 72 bytes: a longer one would not be what the user thinks it is. */
  async hash(password: string): Promise<string> {
    if (new TextEncoder().encode(password).length > bcryptBytes) throw tooLong;
    return await this.#inTurn(() => this.#passwords.hash(password));
  }

  async verify(password: string, hash: string): Promise<boolean> {
    return await this.#inTurn(() => this.#passwords.verify(password, hash));
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < limits.passwordsAtOnce) {
      this.#running += 1;
    } else {
      if (this.#waiting.length >= limits.passwordsWaiting) throw etcdErrors.tooManyRequests;
      // Whoever ends hands its place over.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}

const bcryptBytes = 72;
/** As Go's bcrypt says it, through etcd. */
const tooLong = new RpcError(Status.UNKNOWN, 'bcrypt: password length exceeds 72 bytes');
