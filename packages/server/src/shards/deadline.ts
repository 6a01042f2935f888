import { FlotillaError, type Platform } from '@flotilla/platform';

/** Until when a request is worth the trouble, over everything that is done for it. */
export class Deadline {
  readonly #platform: Platform;
  readonly #atMs: number;

  constructor(platform: Platform, timeoutMs: number) {
    this.#platform = platform;
    this.#atMs = platform.now() + timeoutMs;
  }

  get isOver(): boolean {
    return this.leftMs <= 0;
  }

  get leftMs(): number {
    return Math.max(0, this.#atMs - this.#platform.now());
  }

  /** For one step of it; at least something, so that the step itself says that it was too late. */
  patience(mostMs = Infinity): { readonly timeoutMs: number } {
    return { timeoutMs: Math.max(1, Math.min(this.leftMs, mostMs)) };
  }

  /** What became of a write is unknown. */
  requireTime(): void {
    if (this.isOver) throw new FlotillaError('FLOTILLA_PROPOSAL_TIMEOUT', 'the request took too long');
  }

  requireTimeToRead(): void {
    if (this.isOver) throw new FlotillaError('FLOTILLA_READ_TIMEOUT', 'the read took too long');
  }
}
