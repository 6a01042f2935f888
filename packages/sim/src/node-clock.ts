import type { World } from './world.ts';

const wallClockStartMs = 1_750_000_000_000;

/** The clocks of one machine. The monotonic one drifts; the wall clock is off and may jump. */
export class NodeClock {
  readonly #world: World;
  readonly #rate: number;
  readonly #start: number;
  #wallOffsetMs: number;

  constructor(world: World) {
    this.#world = world;
    const { driftPpmMax, skewMaxMs } = world.settings;
    this.#rate = 1 + signed(world, driftPpmMax, 'clock drift') / 1e6;
    this.#wallOffsetMs = signed(world, skewMaxMs, 'clock skew');
    // Monotonic clocks of two machines have nothing in common; neither must the code believe that they have.
    this.#start = world.nodes.size * 1e6;
  }

  now(): number {
    return this.#start + this.#world.now * this.#rate;
  }

  wall(): number {
    return Math.floor(wallClockStartMs + this.#world.now * this.#rate + this.#wallOffsetMs);
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** How long a local duration takes in the world. Rounded up, so that a timer never sees its clock too early. */
  worldDuration(localMs: number): number {
    return localMs / this.#rate + 1e-6;
  }
}

/** A number in [-max, max], with 0 as the harmless choice. */
function signed(world: World, max: number, label: string): number {
  const drawn = world.tape.choose(2 * max + 1, label);
  return drawn % 2 === 0 ? drawn / 2 : -(drawn + 1) / 2;
}
