/** Every bound of this package, in one place. */
export const limits = {
  /**
   * Messages inside messages. A transaction of 128 operations can nest 128 deep, and each level takes two messages
   * (`RequestOp`, `TxnRequest`), so 100, the usual bound of protobuf libraries, would refuse what etcd accepts.
   */
  messageDepth: 300,
  /** Encoded messages share slabs of this size, as small Buffers share Node's pool. */
  encodeSlabBytes: 16 * 1024,
  /** etcd's bound of a request, 1.5 MiB, and 512 KiB for what gRPC adds. */
  maxReceiveMessageBytes: 2 * 1024 * 1024,
  /** A longer time-out is cut to this, 24 days: more overflows Node's timers, and nobody waits so long. */
  callTimeoutMsMax: 2_000_000_000,
} as const;
