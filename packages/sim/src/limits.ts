/** Every bound of the simulator. */
export const limits = {
  /** Events of one run before it counts as endless. */
  runEventsMax: 5_000_000,
  /** Events at one instant before the run counts as a livelock: nothing real does so much in no time. */
  instantEventsMax: 100_000,
  /** Cancelled timers that may wait in the heap before it is rebuilt without them. */
  cancelledEventsMax: 4_096,
  /** Bytes that a simulated kernel takes per direction before `bufferedBytes` starts to grow. */
  streamWindowBytes: 64 * 1024,
  /** Above this `write` answers false. Smaller than a real machine's, so that back-pressure happens in short runs. */
  streamHighWaterMarkBytes: 256 * 1024,
  /** A closed connection that gets no answer is gone after this. */
  closeLingerMs: 5_000,
  /** Between two attempts to connect over a link that is cut. */
  connectRetryMs: 250,
  /** Longest sync, however slow or stalled the disk is. */
  syncMaxMs: 10_000,
  sectorBytes: 512,
  /** Files are kept in chunks of this size; a chunk that was never written takes no memory. */
  fileChunkBytes: 16 * 1024,
  /** Copies of small deliveries are cut from pieces of this size. */
  copySlabBytes: 64 * 1024,
  /** Bytes of one delivery that go into the trace hash. */
  hashedBytesMax: 512,
  /** Old frames remembered per pair of nodes for re-delivery. */
  rememberedFrames: 32,
  /** Attempts of one shrink. */
  shrinkAttemptsMax: 2_000,
} as const;
