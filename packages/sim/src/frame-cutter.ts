/** How to cut the streams to a port into messages. */
export interface FrameRule {
  /** Bytes at the start of each direction that belong to no frame. */
  readonly prefaceBytes: number;
  /** Whether a stream that begins so is one of frames; any other is left alone. Absent: every one is. */
  isFramed?(preface: Uint8Array): boolean;
  /** Frames at the start of each direction that only mean something there: a handshake. They are left alone. */
  readonly handshakeFrames: number;
  /** The length of the frame that starts at `position`, or 0 while too little of it is there to tell. */
  frameBytes(bytes: Uint8Array, position: number): number;
  /** Whether this frame may come twice, late or again; absent: every one. */
  mayRepeat?(frame: Uint8Array): boolean;
}

/** A whole frame, or what comes before the first. */
export interface CutPiece {
  readonly bytes: Uint8Array;
  /** False: it has its place in the stream, and has to be delivered there exactly once. */
  readonly mayRepeat: boolean;
}

/** Finds the frames in one direction of a connection, whatever chunks it arrives in. */
export class FrameCutter {
  readonly #rule: FrameRule;
  #waiting: Uint8Array = new Uint8Array(0);
  #preface: Uint8Array = new Uint8Array(0);
  #isFramed = true;
  #handshakeLeft: number;

  constructor(rule: FrameRule) {
    this.#rule = rule;
    this.#handshakeLeft = rule.handshakeFrames;
  }

  /** What is whole with these bytes. */
  cut(bytes: Uint8Array): readonly CutPiece[] {
    const pieces: CutPiece[] = [];
    let rest = joined(this.#waiting, bytes);
    const missing = this.#rule.prefaceBytes - this.#preface.length;
    if (missing > 0) {
      const preface = rest.subarray(0, missing);
      this.#preface = joined(this.#preface, preface);
      rest = rest.subarray(preface.length);
      if (preface.length > 0) pieces.push({ bytes: preface, mayRepeat: false });
      if (preface.length === missing) this.#isFramed = this.#rule.isFramed?.(this.#preface) !== false;
    }
    if (!this.#isFramed) return rest.length > 0 ? [...pieces, { bytes: rest, mayRepeat: false }] : pieces;
    for (;;) {
      const length = rest.length === 0 ? 0 : this.#rule.frameBytes(rest, 0);
      if (length === 0 || length > rest.length) break;
      const frame = rest.slice(0, length);
      pieces.push({ bytes: frame, mayRepeat: this.#mayRepeat(frame) });
      rest = rest.subarray(length);
    }
    this.#waiting = rest;
    return pieces;
  }

  /** The start of a frame whose end has not come; it is not kept any longer. */
  takeRest(): Uint8Array {
    const rest = this.#waiting;
    this.#waiting = new Uint8Array(0);
    return rest;
  }

  #mayRepeat(frame: Uint8Array): boolean {
    if (this.#handshakeLeft === 0) return this.#rule.mayRepeat?.(frame) !== false;
    this.#handshakeLeft -= 1;
    return false;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const result = new Uint8Array(first.length + second.length);
  result.set(first);
  result.set(second, first.length);
  return result;
}
