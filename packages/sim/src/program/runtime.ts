import { FlotillaError, messageOf } from '@flotilla/platform';
import type { Random } from '@flotilla/platform';
import type { Life } from '../life.ts';
import { limits } from '../limits.ts';
import { CallEvent } from '../sim-event.ts';
import type { SimPlatform } from '../sim-platform.ts';
import { addTick } from '../tick-queue.ts';
import type { Tick } from '../tick-queue.ts';
import { freeTicks, outsideSimulation } from '../escape-detector.ts';
import type { World } from '../world.ts';
import { Handles } from './handles.ts';
import type { ModuleUnits } from './module-unit.ts';
import { watchSharedGlobals } from './shared-globals.ts';

/** What is done about modules and functions of Node that the simulation does not control. */
export type UncontrolledPolicy = 'refuse' | 'allow' | readonly string[];

export interface RuntimeOptions {
  readonly units: ModuleUnits;
  /** The file that was asked for. */
  readonly mainPath: string;
  readonly uncontrolled: UncontrolledPolicy;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Whether the process ends when nothing is left to do; not where only its exports are wanted. */
  readonly endsIdle: boolean;
  readonly exits: 'judged' | 'restarted';
}

/** Unwinds what has called `process.exit`, or was killed in the middle of it. No program sees what it does after that. */
class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded';
}

/** One life of a program: what its stand-ins for Node's modules share. */
export class ProgramRuntime {
  readonly platform: SimPlatform;
  readonly life: Life;
  readonly world: World;
  readonly random: Random;
  readonly options: RuntimeOptions;
  readonly handles = new Handles(() => this.endWhenIdle());
  /** The last lines that it wrote to its output. */
  readonly output: string[] = [];
  /** The first line of what it wrote last. */
  said = '';
  /** Called before the process ends: listeners of `exit` and `beforeExit`. Both are set by its `process`. */
  beforeExit: () => number = () => 0;
  exiting: (code: number) => void = () => undefined;
  /** Whether the modules have come to their ends. */
  loaded = false;
  readonly #used = new Set<string>();

  constructor(platform: SimPlatform, options: RuntimeOptions) {
    this.platform = platform;
    this.life = platform.life;
    this.world = platform.life.node.world;
    this.random = platform.random.fork('program');
    freeTicks();
    this.options = options;
  }

  /** Calls back once as an event of this life, so much later by the clock of its node. */
  timer(delayMs: number, label: string, callback: () => void): { cancel(): void } {
    return this.platform.timer(delayMs, label, callback);
  }

  /** Calls back in an event of its own, at once. The process does not end before. */
  soon(callback: () => void): void {
    const handle = this.handles.open();
    this.#event(() => {
      handle.close();
      callback();
    });
  }

  /** As `process.nextTick`: within this event, before any promise goes on. */
  tick(callback: Tick, values: readonly unknown[] = []): void {
    addTick((...given) => (this.life.dead ? undefined : callback(...given)), values);
  }

  /** An error that nothing in the program has caught. */
  failed(cause: unknown): void {
    this.life.node.failed(this.life, cause);
  }

  /** A line of its output. */
  print(line: string, level: 'info' | 'error'): void {
    this.output.push(line.slice(0, limits.programLineCharactersMax));
    if (this.output.length > limits.programOutputLinesMax) this.output.shift();
    this.platform.log[level](line.slice(0, limits.programLineCharactersMax));
  }

  /** Ends the process. Never returns to the program. */
  exit(code: number, how: string): never {
    if (!this.life.dead) {
      this.exiting(code);
      this.#end(code, how);
    }
    return this.unwind();
  }

  /** For calls that have no answer any more. */
  unwind(): never {
    throw new ProcessEnded('the process has ended');
  }

  /**
   * The program uses something of the outside. Refuses by a violation and an error, or answers what `action` does.
   *
   * @param what the module and the function, as `node:child_process exec`.
   */
  uncontrolled<T>(what: string, action: () => T, place = this.place()): T {
    const allowed = this.#allows(what);
    if (!this.#used.has(what) || !allowed) {
      this.#used.add(what);
      this.world.usesUncontrolled({ what, node: this.platform.nodeName, place, allowed });
    }
    if (allowed) return outsideSimulation(action);
    const message = `${this.platform.nodeName} uses ${what} at ${place}, which the simulation does not control: let it through by the setting «uncontrolled», and what it answers may differ from run to run`;
    const error = new FlotillaError('FLOTILLA_PROGRAM_UNCONTROLLED', message);
    this.world.violate(error.code, message, error.stack ?? null);
    throw error;
  }

  /** Scripts that are not strict may share variables among nodes by mistake. */
  watchGlobals(): void {
    watchSharedGlobals(this.world, (name) => {
      const what = `the global variable ${name}, which no node has for itself`;
      const place = this.options.units.shortName(this.options.mainPath);
      try {
        this.uncontrolled(what, () => undefined, place);
      } catch {
        return false;
      }
      return true;
    });
  }

  /** Where the program is just now: the innermost of its own frames. */
  place(): string {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 50;
    const frames = (new Error('where').stack ?? '').split('\n');
    Error.stackTraceLimit = stackTraceLimit;
    for (const frame of frames) {
      const [, path = '', position = ''] = /\(?([^()\s]+?):(\d+:\d+)\)?$/.exec(frame) ?? [];
      if (this.options.units.has(path)) return `${this.options.units.shortName(path)}:${position}`;
    }
    return this.options.units.shortName(this.options.mainPath);
  }

  #allows(what: string): boolean {
    const { uncontrolled } = this.options;
    if (typeof uncontrolled === 'string') return uncontrolled === 'allow';
    return uncontrolled.some((name) => what === name || what.startsWith(`${name} `));
  }

  /** An event later, if nothing is left to do then, the process ends as Node does. */
  endWhenIdle(): void {
    if (this.options.endsIdle && !this.life.dead) this.#event(() => this.#endIfIdle());
  }

  #endIfIdle(): void {
    if (this.handles.count > 0) return;
    const code = this.loaded ? this.beforeExit() : 13;
    if (this.handles.count > 0 || this.life.dead) return;
    this.exiting(code);
    this.#end(code, this.loaded ? 'had nothing left to do' : 'still awaited something at its top level, which nothing can bring about'); // prettier-ignore
  }

  #event(call: () => void): void {
    if (!this.life.dead) this.world.schedule(0, new CallEvent(this.life, call));
  }

  #end(code: number, how: string): void {
    if (this.life.dead) return;
    const { node, world, options } = this;
    const said = code === 0 || this.said === '' ? '' : `, after it said «${this.said.slice(0, 200)}»`;
    const text = `${node.name} ${how} (exit code ${code}${said})`;
    world.coverage.count('program ended');
    const excused = this.life.wasInjected || options.exits === 'restarted';
    if (code !== 0 && !excused) {
      world.violate('FLOTILLA_PROGRAM_EXITED', text);
      return;
    }
    node.exit();
    if (code === 0 && options.exits !== 'restarted') world.recorder?.mark(text);
    else {
      world.fault('program exited', text);
      node.onStopped?.(new FlotillaError('FLOTILLA_PROGRAM_EXITED', text));
    }
  }

  private get node(): Life['node'] {
    return this.life.node;
  }
}

/** What the program threw, in one line. */
export function thrownWords(cause: unknown): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : messageOf(cause);
}
