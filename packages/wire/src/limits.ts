/** Every bound of this package, in one place. */
export const limits = {
  /**
   * Messages inside messages. A transaction of 128 operations can nest 128 deep, and each level takes two messages
   * (`RequestOp`, `TxnRequest`), so 100, the usual bound of protobuf libraries, would refuse what etcd accepts.
   */
  messageDepth: 300,
  /** Encoded messages share slabs of this size, as small Buffers share Node's pool. */
  encodeSlabBytes: 16 * 1024,
} as const;
