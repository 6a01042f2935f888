import { FlotillaError, assert, messageOf } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import type { WorldSettings } from '../settings.ts';
import type { SimNode } from '../sim-node.ts';
import { attachTape } from '../strategies/strategy.ts';
import type { Tape } from '../tape.ts';
import { World } from '../world.ts';
import type { TraceRecord } from '../world.ts';
import { drawWorldSettings, faultMix } from './fault-mixes.ts';
import type { FaultMixName } from './fault-mixes.ts';
import type { FaultMix } from '../fault-mix.ts';
import { RecordedHistory } from './history.ts';
import type { HistoryCheck } from './history.ts';
import { LivenessMonitor } from './liveness.ts';
import type { LivenessOptions } from './liveness.ts';
import { Monitor, isAssertion } from './monitor.ts';
import type { MonitorCheck } from './monitor.ts';
import type { AttackOptions, NemesisPlan } from './nemesis-plan.ts';
import { PhasedRun } from './phased-run.ts';
import type { Phases } from './phases.ts';
import { SimulatedNode } from './simulated-node.ts';
import type { NodeFactory } from './simulated-node.ts';

/** A client of a simulated service. */
export interface SimulatedClient {
  readonly name: string;
  /** From 0. */
  readonly number: number;
  /** False when the faults are over: time to stop. */
  readonly goesOn: boolean;
  /** Waits, in simulated time. */
  sleep(durationMs: number): Promise<void>;
  /** A choice of the run's tape in [0, bound): what the client does next. 0 is harmless. */
  choose(bound: number, label: string): number;
}

/** What one run of `simulate` is made with: nodes, clients, faults, and what must hold. */
export class Simulation {
  /** For what has no word of its own here. */
  readonly world: World;
  readonly tape: Tape;
  readonly #nodes: SimulatedNode[] = [];
  readonly #clients: SimNode[] = [];
  readonly #histories: RecordedHistory<unknown, unknown>[] = [];
  readonly #checks: { readonly name: string; readonly check: MonitorCheck }[] = [];
  readonly #liveness: LivenessMonitor[] = [];
  readonly #marks: Set<string>;
  readonly #requests: { readonly phases: Phases; readonly done: () => void }[] = [];
  #nemesis: NemesisPlan | null = null;
  #running: PhasedRun | null = null;
  #clientsOpen = 0;
  #over = false;

  /** @internal */
  constructor(tape: Tape, settings: Partial<WorldSettings> | undefined, marks: Set<string>) {
    this.tape = tape;
    this.#marks = marks;
    this.world = new World({
      tape,
      settings: { refusesInTime: true, ...(settings ?? drawWorldSettings(tape)) },
    });
    attachTape(tape, this.world);
  }

  /** `count` nodes, n1, n2, …; `factory` makes what runs on each, at every start. */
  nodes<Instance>(
    count: number,
    factory: NodeFactory<Instance>,
    prefix = 'n',
  ): readonly SimulatedNode<Instance>[] {
    const names = Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
    return names.map((name, index) => this.#node(name, index, factory));
  }

  node<Instance>(name: string, factory: NodeFactory<Instance>): SimulatedNode<Instance> {
    return this.#node(name, 0, factory);
  }

  /** `count` clients, c1, c2, …, each on a machine of its own that never crashes. */
  clients(
    count: number,
    main: (platform: Platform, client: SimulatedClient) => Promise<void>,
    prefix = 'c',
  ): void {
    for (let i = 0; i < count; i += 1) {
      const name = `${prefix}${i + 1}`;
      const number = this.#clients.length;
      this.#clientsOpen += 1;
      const node = this.world.addNode(name, async (platform) => {
        await main(platform, this.#client(platform, number));
        this.#clientsOpen -= 1;
      });
      this.#clients.push(node);
    }
  }

  get clientsEnded(): boolean {
    return this.#clientsOpen === 0;
  }

  /**
   * Faults for the run: a mix by name, or weights of kinds. Without this call there are none.
   *
   * @example
   * sim.nemesis();                                   // swarm: another mix for every run
   * sim.nemesis('crashes', { favourite: () => primary() });
   * sim.nemesis({ pause: 2, 'isolate a node': 1 });
   */
  nemesis(mix: FaultMixName | Partial<FaultMix> = 'swarm', options: AttackOptions = {}): void {
    assert(this.#nemesis === null, 'one run has one nemesis');
    this.#nemesis = { mix: faultMix(mix, this.tape), options };
  }

  /** What must hold after every event. The check answers what is violated, as a text, or nothing. */
  monitor(name: string, check: MonitorCheck): void {
    const monitor = new Monitor(this.world, name, check);
    this.world.monitor(() => monitor.observe());
  }

  /** What must come about, again and again: hot while it is due, a violation when it is hot for too long. */
  eventually(name: string, options: LivenessOptions): LivenessMonitor {
    const liveness = new LivenessMonitor(this.world, name, options);
    this.#liveness.push(liveness);
    this.monitor(name, () => liveness.observe());
    return liveness;
  }

  /**
   * A situation that the search must meet at least once over all its runs, or it has not tested what it was made for.
   * It is met when the answer is called, or when `when` holds after an event.
   */
  sometimes(name: string, when?: () => boolean): (occurred?: boolean) => void {
    this.#marks.add(name);
    this.world.coverage.expect(name);
    let met = false;
    const mark = (occurred = true): void => {
      if (!occurred || met) return;
      met = true;
      this.world.coverage.count(name);
    };
    if (when !== undefined) {
      this.monitor(`sometimes ${name}`, () => {
        if (!met) mark(when());
      });
    }
    return mark;
  }

  /** A record of calls that `check` judges when the run is over. */
  history<Operation, Result>(
    name = 'history',
    check: HistoryCheck<Operation, Result> = () => null,
  ): RecordedHistory<Operation, Result> {
    const history = new RecordedHistory<Operation, Result>(name, check, () => this.world.events);
    this.#histories.push(history as unknown as RecordedHistory<unknown, unknown>);
    return history;
  }

  /** What must hold when the run is over: the check answers what is violated, or throws an assertion. */
  check(name: string, check: MonitorCheck): void {
    this.#checks.push({ name, check });
  }

  /** Calls back with everything that nodes trace and log. */
  onTrace(listener: (record: TraceRecord) => void): void {
    this.world.onTrace(listener);
  }

  /** Ends the run with a violation, unless there was one before. */
  violate(name: string, message: string): void {
    this.world.violate(name, message);
  }

  /** The phases. Without this call they follow the body, with times by default. */
  run(phases: Phases = {}): Promise<void> {
    return new Promise((resolve) => this.#requests.push({ phases, done: resolve }));
  }

  /** @internal The next phases that were asked for; false: none were. Called from the event loop. */
  perform(): boolean {
    const request = this.#requests.shift();
    if (request === undefined) return false;
    this.#performPhases(request.phases);
    request.done();
    return true;
  }

  /** @internal All that was not asked for, and the judgement. */
  finish(): void {
    if (this.#running === null && this.world.violation === null) this.#performPhases({});
    this.#record();
    if (this.world.violation !== null) return;
    for (const history of this.#histories) this.#judge(history.name, () => history.judge());
    for (const { name, check } of this.#checks) this.#judge(name, check);
  }

  /** @internal An error of the body. */
  failed(cause: unknown): void {
    const error = cause instanceof Error ? cause : new Error(messageOf(cause));
    const name = cause instanceof FlotillaError ? cause.code : error.name;
    this.world.violate(isAssertion(cause) ? 'assertion' : name, error.message, error.stack ?? null);
  }

  /** For the report, where one is made. */
  #record(): void {
    const { recorder } = this.world;
    if (recorder === null) return;
    for (const history of this.#histories) {
      recorder.history(history.calls, {
        client: (number) => this.#clients[number]?.name ?? `client ${number}`,
        call: (operation) => JSON.stringify(operation),
        result: (result) => JSON.stringify(result) ?? '',
      });
    }
  }

  #performPhases(phases: Phases): void {
    this.#running ??= new PhasedRun({
      world: this.world,
      victims: this.#nodes,
      clients: this.#clients,
      nemesis: this.#nemesis,
      liveness: this.#liveness,
      clientsEnded: () => this.clientsEnded,
      setOver: (over) => {
        this.#over = over;
      },
    });
    this.#running.perform(phases);
  }

  #judge(name: string, check: MonitorCheck): void {
    try {
      const found = check();
      if (typeof found === 'string') this.world.violate(name, found);
    } catch (cause) {
      if (isAssertion(cause) || cause instanceof FlotillaError) this.failed(cause);
      else {
        const message = `the check «${name}» failed: ${messageOf(cause)}`;
        this.world.violate(name, message, cause instanceof Error ? (cause.stack ?? null) : null);
      }
    }
  }

  #node<Instance>(name: string, index: number, factory: NodeFactory<Instance>): SimulatedNode<Instance> {
    const node = new SimulatedNode(this.world, name, index, factory);
    this.#nodes.push(node);
    this.world.recorder?.describe(name, () => node.describe());
    return node;
  }

  #client(platform: Platform, number: number): SimulatedClient {
    const goesOn = (): boolean => !this.#over;
    return {
      name: platform.nodeName,
      number,
      get goesOn() {
        return goesOn();
      },
      sleep: (durationMs) =>
        new Promise((resolve) => {
          platform.timer(durationMs, 'sleep', resolve);
        }),
      choose: (bound, label) => this.tape.choose(bound, label),
    };
  }
}
