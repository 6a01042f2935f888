/** Every bound of this package, in one place. */
export const limits = {
  /**
   * Messages inside messages. A transaction of 128 operations can nest 128 deep, and each level takes two messages
   * (`RequestOp`, `TxnRequest`), so 100, the usual bound of protobuf libraries, would refuse what etcd accepts.
   */
  messageDepth: 300,
  /** Of JSON: each nested transaction is an array and two objects. */
  jsonDepth: 500,
  /** Encoded messages share slabs of this size, as small Buffers share Node's pool. */
  encodeSlabBytes: 16 * 1024,
  /** etcd's bound of a request, 1.5 MiB, and 512 KiB for what gRPC adds. */
  maxReceiveMessageBytes: 2 * 1024 * 1024,
  /** A longer time-out is cut to this, 24 days: more overflows Node's timers, and nobody waits so long. */
  callTimeoutMsMax: 2_000_000_000,

  /** Messages of a call that wait for their reader; beyond either bound the sender is held back. */
  queuedBytes: 256 * 1024,
  queuedMessages: 256,
  /** Unsent bytes of one call beyond which the call is ended: its handler does not wait for `drained`. */
  callUnsentBytesMax: 64 * 1024 * 1024,

  /** Calls at a time on one connection. etcd has no bound; this one leaves room for watches by the thousand. */
  concurrentStreams: 16_384,
  /** Of all header fields of a call, as HTTP/2 counts them. grpc-go's default is 16 MiB, which nobody needs. */
  headerListBytes: 64 * 1024,
  /** What one call may send before its messages are read. */
  streamWindowBytes: 256 * 1024,
  /** What all calls of one connection may send together before it is read. HTTP/2's default is 64 KiB. */
  connectionWindowBytes: 4 * 1024 * 1024,
  /** Written to a client's socket and not sent yet, beyond which its calls wait with their messages. */
  socketBytes: 1024 * 1024,
  /** How long a closed connection may take to send its last words. */
  closeLingerMs: 1_000,
  /** Node's own bound on one HTTP/2 connection's memory, in millions of bytes. */
  sessionMemoryMegabytes: 256,
  /** Until a connection has said what it speaks. */
  handshakeMs: 10_000,
  /** What a connection may send before it acknowledges the server's first settings: HTTP/2's window and headers. */
  heldBytes: 256 * 1024,
  /** How long a connection is held for its first request. */
  firstRequestMs: 500,
  /** Of one frame of the plain transport; more is taken for garbage. */
  framedBytesMax: 64 * 1024 * 1024,
  /** Until a client's connection is made. */
  connectMs: 5_000,
  /** A client's pause after all its endpoints have failed: doubled each time, from the one to the other. */
  reconnectMsMin: 50,
  reconnectMsMax: 3_000,
  /** How long a client may go on with a request that was answered already. */
  requestEndMs: 1_000,
  /** Between TCP's probes of an idle connection. */
  keepAliveMs: 30_000,
} as const;
