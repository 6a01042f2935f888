/** Every bound of the simulator. */
export const limits = {
  /** Events of one run before it counts as endless. */
  runEventsMax: 5_000_000,
  /** Events this close together are at one instant: a timer of no delay takes a millionth of a millisecond. */
  instantMs: 1,
  /** Events at one instant before the run counts as a livelock: nothing real does so much in no time. */
  instantEventsMax: 100_000,
  /** Events that may wait at once: a program that leaves more to do than it does never ends. */
  queuedEventsMax: 500_000,
  /** Bytes written to one direction of a connection and not yet taken: nobody heeds that `write` answers false. */
  streamInFlightBytesMax: 256 * 1024 * 1024,
  /** Runs of `simulate`, and between two that are made twice, where it does not say. */
  simulateSeeds: 100,
  simulateRepeatEvery: 50,
  /** Real time of one run of `simulate` before what is running counts as stuck. */
  runRealMaxMs: 120_000,
  /** Real time that shrinking a failure may take in `simulate`. */
  shrinkRealMaxMs: 20_000,
  /** Choices of a tape file. */
  tapeChoicesMax: 50_000_000,
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
  /** What a recorder keeps of each kind; older records are given up. A person looks at the last minute of a run. */
  recordedSpansMax: 5_000,
  recordedMessagesMax: 60_000,
  recordedSyncsMax: 20_000,
  recordedTimersMax: 20_000,
  recordedLinesMax: 20_000,
  recordedStatesMax: 40_000,
  recordedOperationsMax: 20_000,
  /** Late messages that the story of a run tells one by one; where more are late, that is only weather. */
  toldDeliveriesMax: 12,
  /** Of one shrink, how many look for the failure with one, two and three faults. */
  shrinkFaultAttemptsMax: 90,
  /** Attempts of one shrink. */
  shrinkAttemptsMax: 2_000,
  /** What of a program is unlike under simulation: a turn of its loop, an operation of its file threads. */
  immediateMs: 0.01,
  fileThreadMs: 1,
  /** As Linux tries with its usual settings: six times, each wait twice as long as the one before. */
  programConnectMs: 127_000,
  /** Lines that are kept of what a program writes to its output; older ones are given up. */
  programOutputLinesMax: 1_000,
  /** Characters of one such line. */
  programLineCharactersMax: 10_000,
  /** Uses of what is not controlled that one run tells. */
  uncontrolledUsesMax: 100,
} as const;
