import { FlotillaError, assert, messageOf } from '@flotilla/platform';
import type { TraceDetail } from '@flotilla/platform';
import { Coverage } from './coverage.ts';
import { assertDrainable, drainPromises } from './drain.ts';
import { enterSimulation, leaveSimulation, takeEscape } from './escape-detector.ts';
import { EventHeap } from './event-heap.ts';
import type { FaultRecord } from './fault-log.ts';
import type { Life } from './life.ts';
import { limits } from './limits.ts';
import { calmSettings } from './settings.ts';
import type { WorldSettings } from './settings.ts';
import { CallEvent } from './sim-event.ts';
import type { SimEvent } from './sim-event.ts';
import { SimNetwork } from './sim-network.ts';
import { SimNode } from './sim-node.ts';
import type { NodeMain } from './sim-node.ts';
import type { Tape } from './tape.ts';
import { TraceHash } from './trace-hash.ts';

/** What a run must never do. The first one ends the run. */
export interface Violation {
  /** A stable name, by which a shrunk run is recognised as the same failure. */
  readonly name: string;
  readonly message: string;
  /** The node in which it happened, or null. */
  readonly node: string | null;
  readonly timeMs: number;
  readonly event: number;
  readonly stack: string | null;
}

export interface TraceRecord {
  readonly timeMs: number;
  readonly node: string;
  readonly kind: string;
  readonly detail: TraceDetail;
}

export interface WorldOptions {
  readonly tape: Tape;
  readonly settings?: Partial<WorldSettings>;
  /** Off only for measuring what the guards cost. */
  readonly detectEscapes?: boolean;
}

/**
 * A simulated world: nodes with clocks and disks, a network between them, and one queue of events for all of it. One
 * event happens at a time, with every promise reaction that it causes, so a run is a function of its tape.
 *
 * @example
 * const world = new World({ tape: generatedTape(seed), settings: { lossPerMille: 5 } });
 * for (const name of ['n1', 'n2', 'n3']) world.addNode(name, (platform) => startMember(platform)).start();
 * world.run(30_000);
 * if (world.violation !== null) …
 */
export class World {
  readonly tape: Tape;
  settings: WorldSettings;
  readonly network: SimNetwork;
  readonly coverage = new Coverage();
  readonly hash = new TraceHash();
  readonly faults: FaultRecord[] = [];
  readonly nodes = new Map<string, SimNode>();
  /** Milliseconds since the start of the run. */
  now = 0;
  /** Delivered messages, timers, disk completions, client steps, faults. */
  events = 0;
  violation: Violation | null = null;
  /** Whose event is happening. */
  current: Life | null = null;
  /** Decides whether an error that reached a node's top only stops the node, or is a bug. */
  stopsNode: (node: SimNode, error: Error) => boolean = isInjected;

  readonly #heap = new EventHeap<SimEvent>();
  readonly #monitors: (() => void)[] = [];
  readonly #traceListeners: ((record: TraceRecord) => void)[] = [];
  readonly #detectEscapes: boolean;
  #cancelled = 0;
  #instantEvents = 0;
  #stopped = false;

  constructor(options: WorldOptions) {
    this.tape = options.tape;
    this.settings = { ...calmSettings, ...options.settings };
    this.#detectEscapes = options.detectEscapes ?? true;
    this.network = new SimNetwork(this);
  }

  /** Adds a node that is not running yet. `main` is called at every start, with the disk as the last life left it. */
  addNode(name: string, main: NodeMain): SimNode {
    assert(!this.nodes.has(name), () => `two nodes are named ${name}`);
    const node = new SimNode(this, name, this.nodes.size, main);
    this.nodes.set(name, node);
    return node;
  }

  node(name: string): SimNode {
    const node = this.nodes.get(name);
    assert(node !== undefined, () => `no node is named ${name}`);
    return node;
  }

  schedule(delayMs: number, event: SimEvent): void {
    this.#heap.push(this.now + delayMs, event);
  }

  after(delayMs: number, call: () => void, life: Life | null = null): SimEvent {
    const event = new CallEvent(life, call);
    this.schedule(delayMs, event);
    return event;
  }

  cancel(event: SimEvent): void {
    if (event.cancelled) return;
    event.cancelled = true;
    this.#cancelled += 1;
    if (this.#cancelled > limits.cancelledEventsMax && this.#cancelled * 2 > this.#heap.size) {
      this.#heap.retain((waiting) => !waiting.cancelled);
      this.#cancelled = 0;
    }
  }

  /** Calls `check` after every event. It may look at everything and must change nothing; throwing is a violation. */
  monitor(check: () => void): void {
    this.#monitors.push(check);
  }

  onTrace(listener: (record: TraceRecord) => void): void {
    this.#traceListeners.push(listener);
  }

  get tracing(): boolean {
    return this.#traceListeners.length > 0;
  }

  emit(life: Life, kind: string, detail: TraceDetail): void {
    if (life.dead) return;
    const record = { timeMs: this.now, node: life.node.name, kind, detail };
    for (const listener of this.#traceListeners) listener(record);
  }

  /** Counts that a situation occurred. */
  sometimes(name: string, occurred: boolean): void {
    if (occurred) this.coverage.count(name);
    else this.coverage.expect(name);
  }

  /** Records a fault, in words and in the coverage. */
  fault(kind: string, text: string): void {
    this.coverage.count(kind);
    this.faults.push({ timeMs: this.now, text });
  }

  violate(name: string, message: string, stack: string | null = null): void {
    this.violation ??= {
      name,
      message,
      node: this.current?.node.name ?? null,
      timeMs: this.now,
      event: this.events,
      stack,
    };
  }

  /** An error that nothing in the current node has caught. */
  failed(cause: unknown): void {
    const life = this.current;
    if (life === null) {
      const error = cause instanceof Error ? cause : new Error(messageOf(cause));
      const name = cause instanceof FlotillaError ? cause.code : error.name;
      this.violate(name, error.message, error.stack ?? null);
      return;
    }
    life.node.failed(life, cause);
  }

  /**
   * Lets events happen for `durationMs` of simulated time, or until `until` says so after one of them, or until the
   * first violation. Must be called from the event loop: see `fromEventLoop`.
   */
  run(durationMs: number, until?: () => boolean): void {
    assertDrainable();
    const end = this.now + durationMs;
    this.#stopped = false;
    const restoreRejections = this.#captureRejections();
    if (this.#detectEscapes) enterSimulation();
    try {
      while (this.violation === null && !this.#stopped) {
        if (this.#heap.nextTime > end) {
          this.now = end;
          break;
        }
        if (this.#step() && until?.() === true) break;
      }
    } finally {
      if (this.#detectEscapes) leaveSimulation();
      restoreRejections();
    }
  }

  /** Ends the current {@link run} after the event that calls this. */
  stop(): void {
    this.#stopped = true;
  }

  /** Ends every life, so that nothing of this world can go on. */
  end(): void {
    for (const node of this.nodes.values()) node.abandon();
    this.#heap.clear();
  }

  #step(): boolean {
    const time = this.#heap.nextTime;
    const event = this.#heap.pop();
    if (event.cancelled) {
      this.#cancelled -= 1;
      return false;
    }
    const { life } = event;
    if (life !== null) {
      if (life.dead) return false;
      if (life.paused) {
        life.held.push(event);
        return false;
      }
    }
    this.#account(time);
    this.hash.add(life === null ? event.kind : event.kind + (life.node.index << 8));
    this.current = life;
    try {
      event.fire();
    } catch (cause) {
      this.failed(cause);
    }
    drainPromises();
    this.current = null;
    if (this.#detectEscapes) this.#checkEscape(life);
    for (const check of this.#monitors) this.#check(check);
    return true;
  }

  #account(time: number): void {
    if (time > this.now) {
      this.now = time;
      this.#instantEvents = 0;
    }
    this.events += 1;
    this.#instantEvents += 1;
    this.hash.add(time);
    if (this.events >= limits.runEventsMax) this.violate('endless', `${this.events} events without an end`);
    if (this.#instantEvents >= limits.instantEventsMax) {
      this.violate('livelock', `${this.#instantEvents} events at one instant`);
    }
  }

  #checkEscape(life: Life | null): void {
    const escaped = takeEscape();
    if (escaped === null || this.violation !== null) return;
    this.current = life;
    this.violate(escaped.code, escaped.message, escaped.stack ?? null);
    this.current = null;
  }

  #check(check: () => void): void {
    try {
      check();
    } catch (cause) {
      this.failed(cause);
    }
  }

  /** A rejection that nobody handles ends a real process; here it is the failure of the node that caused it. */
  #captureRejections(): () => void {
    const others = process.listeners('unhandledRejection');
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', (cause) => this.failed(cause));
    return () => {
      process.removeAllListeners('unhandledRejection');
      for (const listener of others) process.on('unhandledRejection', listener);
    };
  }
}

/** Whether a fault of the simulator is at the bottom of `error`. */
function isInjected(node: SimNode, error: Error): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (node.life?.injectedErrors.has(cause) === true) return true;
  }
  return false;
}
