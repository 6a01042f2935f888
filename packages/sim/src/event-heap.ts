/**
 * What happens next: a priority queue on time. Equal times leave in the order in which they were pushed, so a run's
 * order of events never depends on the heap's shape.
 *
 * A binary heap on flat arrays: the times and sequences that are compared lie next to each other, and no object is
 * made per event.
 *
 * @example
 * const heap = new EventHeap<Message>();
 * heap.push(now + delayMs, message);
 * while (heap.size > 0) { const time = heap.nextTime; deliver(time, heap.pop()); }
 */
export class EventHeap<Event> {
  #times = new Float64Array(256);
  #sequences = new Float64Array(256);
  readonly #events: (Event | undefined)[] = [];
  #size = 0;
  #sequence = 0;

  get size(): number {
    return this.#size;
  }

  /** How many events were ever pushed: who pushes none has changed nothing. */
  get pushed(): number {
    return this.#sequence;
  }

  /** When the first event is due; Infinity when there is none. */
  get nextTime(): number {
    return this.#size === 0 ? Infinity : (this.#times[0] as number);
  }

  push(time: number, event: Event): void {
    if (this.#size === this.#times.length) this.#grow();
    const times = this.#times;
    const sequences = this.#sequences;
    const events = this.#events;
    const sequence = this.#sequence;
    this.#sequence += 1;
    let hole = this.#size;
    this.#size += 1;
    // The new event has the largest sequence of all, so it passes a parent only when it is strictly earlier.
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if ((times[parent] as number) <= time) break;
      times[hole] = times[parent] as number;
      sequences[hole] = sequences[parent] as number;
      events[hole] = events[parent];
      hole = parent;
    }
    times[hole] = time;
    sequences[hole] = sequence;
    events[hole] = event;
  }

  /** Takes the first event out. The heap must not be empty. */
  pop(): Event {
    const events = this.#events;
    const first = events[0] as Event;
    const last = this.#size - 1;
    this.#size = last;
    if (last > 0) this.#sinkLast(last);
    events[last] = undefined;
    return first;
  }

  /** Takes out what `keep` refuses. The order of the others stays. */
  retain(keep: (event: Event) => boolean): void {
    const kept: { time: number; sequence: number; event: Event }[] = [];
    for (let i = 0; i < this.#size; i += 1) {
      const event = this.#events[i] as Event;
      if (!keep(event)) continue;
      kept.push({ time: this.#times[i] as number, sequence: this.#sequences[i] as number, event });
    }
    // A sorted list is a heap.
    kept.sort((a, b) => a.time - b.time || a.sequence - b.sequence);
    this.#events.length = kept.length;
    this.#size = kept.length;
    kept.forEach((row, i) => {
      this.#times[i] = row.time;
      this.#sequences[i] = row.sequence;
      this.#events[i] = row.event;
    });
  }

  clear(): void {
    this.#events.length = 0;
    this.#size = 0;
  }

  /** Puts the event at position `last`, which is cut off, where it belongs below the empty root. */
  #sinkLast(last: number): void {
    const times = this.#times;
    const sequences = this.#sequences;
    const events = this.#events;
    const time = times[last] as number;
    const sequence = sequences[last] as number;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= last) break;
      const right = child + 1;
      if (right < last) {
        const difference = (times[right] as number) - (times[child] as number);
        if (
          difference < 0 ||
          (difference === 0 && (sequences[right] as number) < (sequences[child] as number))
        )
          child = right;
      }
      const childTime = times[child] as number;
      if (childTime > time || (childTime === time && (sequences[child] as number) > sequence)) break;
      times[hole] = childTime;
      sequences[hole] = sequences[child] as number;
      events[hole] = events[child];
      hole = child;
    }
    times[hole] = time;
    sequences[hole] = sequence;
    events[hole] = events[last];
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2);
    times.set(this.#times);
    this.#times = times;
    const sequences = new Float64Array(this.#sequences.length * 2);
    sequences.set(this.#sequences);
    this.#sequences = sequences;
  }
}
