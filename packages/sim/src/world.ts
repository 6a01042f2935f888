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
import { runTicks, ticksWait } from './tick-queue.ts';
import { TraceHash } from './trace-hash.ts';
import type { Recorder } from './trace/recorder.ts';
import { takeRecorder } from './trace/recording.ts';

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
  /** The calls of the run's history that it is about, by their ids. */
  readonly calls?: readonly number[];
}

/** A function of the outside that a program under simulation has called, so that a run may depend on the machine. */
export interface UncontrolledUse {
  /** The module and the function, such as `node:child_process exec`. */
  readonly what: string;
  /** Who used it first. */
  readonly node: string;
  /** Where in the program, as `file:line:column`. */
  readonly place: string;
  /** False: it was refused, and the run ended with that. */
  readonly allowed: boolean;
}

/** One line for each of `uses`. */
export function describeUncontrolled(uses: readonly UncontrolledUse[]): string {
  return uses
    .map(({ what, node, place }) => `not controlled: ${what}, used by ${node} at ${place}`)
    .join('\n');
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
  /** What programs have used that the simulation has no say in, in the order of their first use. */
  readonly uncontrolled: UncontrolledUse[] = [];
  /** Whose event is happening. */
  current: Life | null = null;
  /** Writes down what happens, when somebody asked for that. */
  readonly recorder: Recorder | null = takeRecorder();
  /** Decides whether an error that reached a node's top only stops the node, or is a bug. */
  stopsNode: (node: SimNode, error: Error) => boolean = isInjected;

  readonly #heap = new EventHeap<SimEvent>();
  readonly #monitors: (() => void)[] = [];
  readonly #traceListeners: ((record: TraceRecord) => void)[] = [];
  readonly #detectEscapes: boolean;
  #cancelled = 0;
  #instantEvents = 0;
  #instantEndMs = 0;
  #stopped = false;

  constructor(options: WorldOptions) {
    this.tape = options.tape;
    this.settings = { ...calmSettings, ...options.settings };
    this.#detectEscapes = options.detectEscapes ?? true;
    this.network = new SimNetwork(this);
    if (this.recorder !== null) this.#recordWith(this.recorder);
  }

  /** Adds a node that is not running yet. `main` is called at every start, with the disk as the last life left it. */
  addNode(name: string, main: NodeMain): SimNode {
    assert(!this.nodes.has(name), () => `two nodes are named ${name}`);
    const node = new SimNode(this, name, this.nodes.size, main);
    this.nodes.set(name, node);
    this.recorder?.node(name);
    return node;
  }

  node(name: string): SimNode {
    const node = this.nodes.get(name);
    assert(node !== undefined, () => `no node is named ${name}`);
    return node;
  }

  schedule(delayMs: number, event: SimEvent): void {
    if (this.#heap.size >= limits.queuedEventsMax) this.#overflow();
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

  /** How many events were ever scheduled: the difference tells whether something has changed what will happen. */
  get scheduled(): number {
    return this.#heap.pushed;
  }

  /** Counts that a situation occurred. */
  sometimes(name: string, occurred: boolean): void {
    if (occurred) {
      this.coverage.count(name);
      this.recorder?.met(name);
    } else this.coverage.expect(name);
  }

  /** Records a fault, in words and in the coverage. */
  fault(kind: string, text: string): void {
    this.coverage.count(kind);
    this.faults.push({ timeMs: this.now, text });
  }

  violate(name: string, message: string, stack: string | null = null, calls: readonly number[] = []): void {
    this.violation ??= {
      name,
      message,
      node: this.current?.node.name ?? null,
      timeMs: this.now,
      event: this.events,
      stack,
      ...(calls.length === 0 ? {} : { calls }),
    };
  }

  /** A program uses something of the outside: reports of this run say so. */
  usesUncontrolled(use: UncontrolledUse): void {
    this.coverage.count(`not controlled: ${use.what}`);
    if (this.uncontrolled.length < limits.uncontrolledUsesMax) this.uncontrolled.push(use);
    this.recorder?.line(
      use.node,
      'warn',
      `uses ${use.what} at ${use.place}, which the simulation does not control`,
    );
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
      if (life.blockedUntilMs > time) {
        this.#heap.push(life.blockedUntilMs, event);
        return false;
      }
    }
    this.current = life;
    this.#account(time);
    this.hash.add(life === null ? event.kind : event.kind + (life.node.index << 8));
    try {
      event.fire();
    } catch (cause) {
      this.failed(cause);
    }
    do {
      runTicks((cause) => this.failed(cause));
      drainPromises();
    } while (ticksWait());
    this.current = null;
    if (this.recorder?.eventHappened(life === null ? null : life.node.name) === false)
      this.violate('ended as asked', `the run was ended after ${this.events} events, as asked`);
    if (this.#detectEscapes) this.#checkEscape(life);
    for (const check of this.#monitors) this.#check(check);
    return true;
  }

  #recordWith(recorder: Recorder): void {
    recorder.now = () => this.now;
    this.network.links.onChange = (from, to, carries) => {
      if (carries) recorder.linkRestored(from.name, to.name);
      else recorder.linkCut(from.name, to.name);
    };
    this.onTrace(({ node, kind, detail }) => recorder.line(node, ...lineOf(kind, detail)));
  }

  #account(time: number): void {
    this.now = time;
    if (time > this.#instantEndMs) {
      this.#instantEndMs = time + limits.instantMs;
      this.#instantEvents = 0;
    }
    this.events += 1;
    this.#instantEvents += 1;
    this.hash.add(time);
    if (this.events >= limits.runEventsMax) this.violate('endless', `${this.events} events without an end`);
    if (this.#instantEvents >= limits.instantEventsMax) {
      const who = this.current === null ? '' : `, the last of them at ${this.current.node.name}`;
      this.violate('livelock', `${this.#instantEvents} events at one instant${who}: time does not go on`);
    }
  }

  /** Thrown, too: who schedules in a loop must not get on with it. */
  #overflow(): never {
    const waiting = new Map<string, number>();
    this.#heap.retain((event) => {
      const name = event.life?.node.name ?? 'the world';
      waiting.set(name, (waiting.get(name) ?? 0) + 1);
      return true;
    });
    const [most] = [...waiting].sort((a, b) => b[1] - a[1]);
    const message = `${this.#heap.size} events are waiting, ${most?.[1] ?? 0} of them for ${most?.[0] ?? 'nobody'}: a queue without a bound`;
    this.violate('unbounded queue', message, new Error(message).stack ?? null);
    throw new FlotillaError('FLOTILLA_SIMULATION_QUEUE', message);
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

/** A trace event as a line of its node's log. */
function lineOf(kind: string, detail: TraceDetail): [level: string, text: string] {
  const { level, message, ...fields } = detail;
  const words = Object.entries(fields).map(([name, value]) => `${name}=${String(value)}`);
  if (kind === 'log') return [String(level), [String(message), ...words].join(' ')];
  const own = Object.entries(detail).map(([name, value]) => `${name}=${String(value)}`);
  return ['trace', [kind, ...own].join(' ')];
}

/** Whether a fault of the simulator is at the bottom of `error`. */
function isInjected(node: SimNode, error: Error): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (node.life?.injectedErrors.has(cause) === true) return true;
  }
  return false;
}
