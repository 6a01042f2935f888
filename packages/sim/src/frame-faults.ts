import { FrameCutter } from './frame-cutter.ts';
import type { CutPiece, FrameRule } from './frame-cutter.ts';
import { limits } from './limits.ts';
import type { World } from './world.ts';

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
  readonly #cutter: FrameCutter;
  readonly #memory: FrameMemory;
  /** Lets its successor pass. */
  #heldBack: Uint8Array | null = null;

  constructor(world: World, rule: FrameRule, memory: FrameMemory) {
    this.#world = world;
    this.#cutter = new FrameCutter(rule);
    this.#memory = memory;
  }

  /** What travels when `bytes` are written. */
  pass(bytes: Uint8Array): readonly Uint8Array[] {
    const passed: Uint8Array[] = [];
    for (const piece of this.#cutter.cut(bytes)) this.#piece(piece, passed);
    return passed;
  }

  /** What was held back, before the stream ends. */
  flush(): readonly Uint8Array[] {
    const waiting = this.#cutter.takeRest();
    const rest = [this.#heldBack, waiting.length > 0 ? waiting : null];
    this.#heldBack = null;
    return rest.filter((bytes) => bytes !== null);
  }

  #piece({ bytes: frame, mayRepeat }: CutPiece, passed: Uint8Array[]): void {
    const { settings, tape, coverage } = this.#world;
    const before = this.#heldBack;
    this.#heldBack = null;
    if (!mayRepeat) {
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
