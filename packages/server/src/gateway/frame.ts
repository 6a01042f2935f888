import { assert } from '@flotilla/platform';

/** The message in a frame that a handler answered. */
export function messageOf(frame: Uint8Array): Uint8Array {
  assert(frame[0] === 0, 'handlers answer uncompressed frames');
  return frame.subarray(FRAME_PREFIX_BYTES);
}

/** One byte that says whether the message is compressed, four of length. */
const FRAME_PREFIX_BYTES = 5;
