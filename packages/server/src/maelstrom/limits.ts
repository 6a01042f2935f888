/** Every bound of the adapter for Maelstrom, in one place. Times in milliseconds, sizes in bytes. */
export const limits = {
  /** Longest line that is read. What a node sends in one message is far shorter. */
  lineBytes: 8 * 1024 * 1024,
  /** Of keys and values, which may be any JSON. */
  jsonDepth: 64,
  /** Unread output beyond which messages between nodes are dropped, as a network would: they are sent again. */
  outputBytes: 64 * 1024 * 1024,
  /** Requests of clients that are answered at a time. */
  requests: 4_096,
  /** A little less than Maelstrom's clients wait, so that what surely was not done is still told. */
  requestTimeoutMs: 900,
  /** Nodes of a cluster. */
  nodes: 9,
  /** Open ends of streams, those that are being closed included. */
  streams: 256,
  /** What one message carries of a stream; base64 makes a third more of it. */
  segmentBytes: 48 * 1024,
  /** On its way, and kept by a reader that does not read. */
  windowBytes: 1024 * 1024,
  /** A stream's `write` answers false while more than this waits to be sent. */
  writeHighWaterMarkBytes: 1024 * 1024,
  /** What is not acknowledged is sent again after the first, then after twice as long up to the second. */
  resendMinMs: 100,
  resendMaxMs: 1_000,
  /** Segments that are sent again at a time. */
  resentSegments: 8,
  /** A stream is lost when nothing has come from its other end for so long, though something was awaited. */
  silenceMs: 3_000,
} as const;
