import { limits } from './limits.ts';
import type { World } from './world.ts';

/** How to cut the streams to a port into messages. */
export interface FrameRule {
  /** Bytes at the start of each direction that belong to no frame. */
  readonly prefaceBytes: number;
  /** Frames at the start of each direction that only mean something there: a handshake. They are left alone. */
  readonly handshakeFrames: number;
  /** The length of the frame that starts at `position`, or 0 while too little of it is there to tell. */
  frameBytes(bytes: Uint8Array, position: number): number;
  /** Whether this frame may come twice, late or again; absent: every one. */
  mayRepeat?(frame: Uint8Array): boolean;
}

/** What was sent from one node to another, over all their connections: the frames that may come again. */
export class FrameMemory {
  readonly #frames: Uint8Array[] = [];
  #next = 0;

  remember(frame: Uint8Array): void {
    this.#frames[this.#next] = frame;
    this.#next = (this.#next + 1) % limits.rememberedFrames;
  }

  get size(): number {
    return this.#frames.length;
  }

  frame(position: number): Uint8Array | undefined {
    return this.#frames[position];
  }
}

/**
 * Duplicates, reorders and re-delivers whole messages of one direction of a connection. TCP itself does none of this;
 * proxies, retries and reconnects above it do, and a protocol that is meant for a lossy network must bear it. So a
 * scenario has to ask for it, port by port, with a {@link FrameRule}.
 */
export class FrameFaults {
  readonly #world: World;
  readonly #rule: FrameRule;
  readonly #memory: FrameMemory;
  #waiting: Uint8Array = new Uint8Array(0);
  #prefaceLeft: number;
  #handshakeLeft: number;
  /** Lets its successor pass. */
  #heldBack: Uint8Array | null = null;

  constructor(world: World, rule: FrameRule, memory: FrameMemory) {
    this.#world = world;
    this.#rule = rule;
    this.#memory = memory;
    this.#prefaceLeft = rule.prefaceBytes;
    this.#handshakeLeft = rule.handshakeFrames;
  }

  /** What travels when `bytes` are written. */
  pass(bytes: Uint8Array): readonly Uint8Array[] {
    const passed: Uint8Array[] = [];
    let rest = joined(this.#waiting, bytes);
    if (this.#prefaceLeft > 0) {
      const preface = rest.subarray(0, this.#prefaceLeft);
      this.#prefaceLeft -= preface.length;
      rest = rest.subarray(preface.length);
      if (preface.length > 0) passed.push(preface);
    }
    for (;;) {
      const length = rest.length === 0 ? 0 : this.#rule.frameBytes(rest, 0);
      if (length === 0 || length > rest.length) break;
      this.#frame(rest.slice(0, length), passed);
      rest = rest.subarray(length);
    }
    this.#waiting = rest;
    return passed;
  }

  /** What was held back, before the stream ends. */
  flush(): readonly Uint8Array[] {
    const rest = [this.#heldBack, this.#waiting.length > 0 ? this.#waiting : null];
    this.#heldBack = null;
    this.#waiting = new Uint8Array(0);
    return rest.filter((bytes) => bytes !== null);
  }

  #frame(frame: Uint8Array, passed: Uint8Array[]): void {
    if (this.#handshakeLeft > 0) {
      this.#handshakeLeft -= 1;
      passed.push(frame);
      return;
    }
    const { settings, tape, coverage } = this.#world;
    const before = this.#heldBack;
    this.#heldBack = null;
    if (this.#rule.mayRepeat?.(frame) === false) {
      if (before !== null) passed.push(before);
      passed.push(frame);
      return;
    }
    this.#redeliver(passed);
    this.#memory.remember(frame);
    if (before === null && tape.chance(settings.reorderPerMille, 1000, 'hold a message back')) {
      this.#heldBack = frame;
      coverage.count('messages reordered');
      return;
    }
    passed.push(frame);
    if (before !== null) passed.push(before);
    if (tape.chance(settings.duplicatePerMille, 1000, 'duplicate a message')) {
      passed.push(frame);
      coverage.count('message duplicated');
    }
  }

  #redeliver(passed: Uint8Array[]): void {
    const { settings, tape, coverage } = this.#world;
    if (this.#memory.size === 0 || !tape.chance(settings.redeliverPerMille, 1000, 'deliver an old message'))
      return;
    const old = this.#memory.frame(tape.choose(this.#memory.size, 'which old message'));
    if (old === undefined) return;
    passed.push(old);
    coverage.count('old message delivered again');
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const result = new Uint8Array(first.length + second.length);
  result.set(first);
  result.set(second, first.length);
  return result;
}
