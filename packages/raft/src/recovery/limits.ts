/** Every bound of a recovery. */
export const recoveryLimits = Object.freeze({
  /** How far the term of what is forced lies beyond every term that this member has seen. */
  termJump: 1_000,
  /** What is copied at once. */
  copyBytes: 1024 * 1024,
  /** Copies beside each other. One more is refused: somebody should look first. */
  backups: 100,
} as const);
