/** Every bound of the Node platform. */
export const limits = {
  /** A connection's `write` answers false while more than this waits to be taken by the kernel. */
  writeHighWaterMarkBytes: 1024 * 1024,
  /** How long a closed connection may take to send what is buffered and to see the other side's end. */
  closeLingerMs: 5_000,
  /** Idle time after which the kernel starts to probe whether the other side is still there. */
  keepAliveMs: 15_000,
  /** How long a TLS client may take for its handshake. */
  tlsHandshakeMs: 10_000,
  /** Node's timers hold the delay in a signed 32-bit number; a longer one would fire at once. */
  timerMaxMs: 2 ** 31 - 1,
} as const;
