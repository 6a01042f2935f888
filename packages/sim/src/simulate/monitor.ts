import { FlotillaError, messageOf } from '@flotilla/platform';
import type { World } from '../world.ts';

/** What a monitor says after an event: what is violated, or nothing. */
export type MonitorCheck = () => string | null | undefined | void;

/**
 * A safety monitor: asked after every event whether something is violated that must always hold. It observes and
 * cannot influence: one that draws a choice, schedules an event or answers a promise is a bug and is named as one.
 */
export class Monitor {
  readonly name: string;
  readonly #world: World;
  readonly #check: MonitorCheck;

  constructor(world: World, name: string, check: MonitorCheck) {
    this.name = name;
    this.#world = world;
    this.#check = check;
  }

  /** Called by the world after every event. */
  observe(): void {
    const { scheduled } = this.#world;
    const found = this.#asked();
    if (this.#world.scheduled !== scheduled) {
      throw new FlotillaError(
        'FLOTILLA_MONITOR_INFLUENCED',
        `the monitor «${this.name}» has changed the run: a monitor may look at everything and must touch nothing`,
      );
    }
    if (found !== null) this.#world.violate(this.name, found);
  }

  #asked(): string | null {
    let found: unknown;
    try {
      found = this.#check();
    } catch (cause) {
      if (isAssertion(cause)) return messageOf(cause);
      throw failureOf(this.name, cause);
    }
    if (found === null || found === undefined) return null;
    if (typeof found === 'string') return found;
    const what = found instanceof Promise ? 'a promise' : `a ${typeof found}`;
    throw new FlotillaError(
      'FLOTILLA_MONITOR_FAILED',
      `the monitor «${this.name}» answered ${what}: it answers what is violated as a text, or nothing`,
    );
  }
}

/** Errors of `node:assert`, of `expect` and of our own `assert` say what is violated; others are bugs of a check. */
export function isAssertion(cause: unknown): cause is Error {
  if (cause instanceof FlotillaError) return cause.code === 'FLOTILLA_ASSERTION';
  return cause instanceof Error && /^AssertionError|^JestAssertionError/.test(cause.name);
}

function failureOf(name: string, cause: unknown): FlotillaError {
  const kind = cause instanceof Error ? `${cause.name}: ` : '';
  return new FlotillaError(
    'FLOTILLA_MONITOR_FAILED',
    `the monitor «${name}» threw ${kind}${messageOf(cause)}`,
    { cause },
  );
}
