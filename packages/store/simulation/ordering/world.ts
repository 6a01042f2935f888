import { Coverage, EventHeap, type FaultRecord, type Tape, TraceHash } from '@flotilla/sim';

/** Somebody that messages reach while it is up. */
export interface Receiver {
  readonly up: boolean;
}

/**
 * Time, chance and a network that loses, repeats and reorders. Messages are closures: what one says is what it captured
 * when it was sent, what it finds is the receiver's state when it arrives.
 */
export class OrderingWorld {
  readonly tape: Tape;
  readonly coverage = new Coverage();
  readonly faults: FaultRecord[] = [];
  readonly trace = new TraceHash();
  readonly #heap = new EventHeap<() => void>();
  now = 0;
  events = 0;
  /** No more faults: everything has to come to an end. */
  healed = false;
  ended = false;
  /** Nothing new is begun, by nobody. */
  settling = false;

  constructor(tape: Tape) {
    this.tape = tape;
  }

  get pending(): number {
    return this.#heap.size;
  }

  at(delayMs: number, run: () => void): void {
    this.#heap.push(this.now + delayMs, run);
  }

  step(): void {
    this.now = Math.max(this.now, this.#heap.nextTime);
    this.events += 1;
    this.trace.add(this.now);
    this.#heap.pop()();
  }

  /** Now and then, until the end. */
  every(periodMs: number, label: string, run: () => void): void {
    const again = (): void => {
      run();
      if (!this.ended) this.at(this.between(0.7 * periodMs, 1.3 * periodMs, label), again);
    };
    this.at(this.between(0, periodMs, label), again);
  }

  send(to: Receiver, deliver: () => void): void {
    const arrive = (): void => {
      if (to.up) deliver();
    };
    if (this.healed) {
      this.at(this.between(0.3, 1.5, 'delay'), arrive);
      return;
    }
    const fate = this.tape.choose(100, 'message');
    if (fate < 86) this.at(this.between(0.3, 3, 'delay'), arrive);
    else if (fate < 92) this.at(this.between(5, 90, 'late'), arrive);
    if (fate < 80 || fate >= 99) return;
    // 92 to 98: lost, but for a copy.
    const twice = fate < 86 || fate > 97;
    if (twice) this.at(this.between(1, this.chance(30, 'long ago') ? 250 : 30, 'copy'), arrive);
  }

  fault(text: string): void {
    this.faults.push({ timeMs: this.now, text });
  }

  below(bound: number, label: string): number {
    return this.tape.choose(bound, label);
  }

  /** Out of 100. */
  chance(percent: number, label: string): boolean {
    return this.tape.chance(percent, 100, label);
  }

  between(from: number, to: number, label: string): number {
    return from + ((to - from) * this.tape.choose(256, label)) / 256;
  }

  pick<T>(list: readonly T[], label: string): T {
    return list[this.tape.choose(list.length, label)] as T;
  }
}
