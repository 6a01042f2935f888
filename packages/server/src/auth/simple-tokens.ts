/**
 * Simple tokens as this member knows them: those of the `authenticate` entries that it has applied. One that is not
 * used for its time is forgotten; each use begins it anew, on this member. As in etcd a restart forgets them, and
 * clients authenticate again.
 */
export class SimpleTokens {
  readonly #options: SimpleTokenOptions;
  /** The one that was used least recently first, so it is also the next to expire. */
  readonly #tokens = new Map<string, TokenUse>();

  constructor(options: SimpleTokenOptions) {
    this.#options = options;
  }

  issue(token: string, user: string): void {
    this.#forgetExpired();
    if (this.#tokens.size >= this.#options.limit) this.#forgetFirst();
    this.#tokens.set(token, { user, expiresAtMs: this.#expiry() });
  }

  has(token: string): boolean {
    this.#forgetExpired();
    return this.#tokens.has(token);
  }

  /** The user that it was issued to; null: it is none, or was not used for too long. */
  use(token: string): string | null {
    this.#forgetExpired();
    const known = this.#tokens.get(token);
    if (known === undefined) return null;
    this.#tokens.delete(token);
    this.#tokens.set(token, { user: known.user, expiresAtMs: this.#expiry() });
    return known.user;
  }

  forgetUser(user: string): void {
    for (const [token, use] of this.#tokens) if (use.user === user) this.#tokens.delete(token);
  }

  forgetAll(): void {
    this.#tokens.clear();
  }

  #expiry(): number {
    return this.#options.now() + this.#options.lifetimeMs;
  }

  #forgetExpired(): void {
    const now = this.#options.now();
    for (const [token, { expiresAtMs }] of this.#tokens) {
      if (expiresAtMs > now) return;
      this.#tokens.delete(token);
    }
  }

  #forgetFirst(): void {
    for (const token of this.#tokens.keys()) {
      this.#tokens.delete(token);
      return;
    }
  }
}

export interface SimpleTokenOptions {
  /** Monotonic. */
  readonly now: () => number;
  readonly lifetimeMs: number;
  /** Beyond so many the one that was used least recently is forgotten: its client authenticates again. */
  readonly limit: number;
}

interface TokenUse {
  readonly user: string;
  readonly expiresAtMs: number;
}

/** The log index in etcd's form of a token, `<secret>.<index>`; null: it has another form. */
export function indexOfToken(token: string): number | null {
  const match = /^[^.]*\.([0-9]{1,15})$/.exec(token);
  return match === null ? null : Number(match[1]);
}
