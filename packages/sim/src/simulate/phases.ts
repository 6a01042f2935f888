import type { Platform } from '@flotilla/platform';

/** How a run goes: faults, healing, convergence, and at last everything is read. */
export interface Phases {
  /** Before the first fault. */
  readonly calmMs?: number;
  /** How long the nemesis has its way. Clients are asked to stop at its end. */
  readonly faultsMs?: number;
  /**
   * `all`, the default: every fault ends. `quorum`: the tape may leave a minority of the victims down for good, and the
   * rest has to do without.
   */
  readonly heal?: 'all' | 'quorum';
  /** How long it may take from there until {@link converged}. */
  readonly convergeMs?: number;
  /** Asked after events; besides, every client must have ended. */
  readonly converged?: () => boolean;
  /** What is the matter, where it does not converge. */
  readonly describe?: () => string;
  /** The last client, called when all has converged. */
  readonly readAll?: (platform: Platform) => Promise<void>;
  readonly readMs?: number;
}

export const defaultPhases = {
  calmMs: 0,
  faultsMs: 30_000,
  convergeMs: 30_000,
  readMs: 30_000,
} as const;
