import { limits } from '../limits.ts';
import type { SignedClaims, SignedTokens } from './adapters.ts';

/**
 * Signed tokens that were found to be right: a client sends the same one with every call, and checking a signature
 * costs more than a put. One that is wrong is not remembered.
 */
export class VerifiedTokens {
  readonly #tokens: SignedTokens;
  readonly #wallClock: () => number;
  /** The one that was verified first first. */
  readonly #verified = new Map<string, SignedClaims>();

  constructor(tokens: SignedTokens, wallClock: () => number) {
    this.#tokens = tokens;
    this.#wallClock = wallClock;
  }

  /** What it says; null: it has not been verified, or has expired. */
  get(token: string): SignedClaims | null {
    const claims = this.#verified.get(token);
    if (claims === undefined) return null;
    if (claims.expiresAtMs > this.#wallClock()) return claims;
    this.#verified.delete(token);
    return null;
  }

  async verify(token: string): Promise<void> {
    const claims = await this.#tokens.verify(token);
    if (claims === null) return;
    for (const known of this.#verified.keys()) {
      if (this.#verified.size < limits.verifiedTokens) break;
      this.#verified.delete(known);
    }
    this.#verified.set(token, claims);
  }

  sign(claims: Omit<SignedClaims, 'expiresAtMs'>): Promise<string> {
    return this.#tokens.sign(claims);
  }
}
