import type { SimConnection } from './sim-connection.ts';
import type { SimEvent } from './sim-event.ts';
import type { SimNode } from './sim-node.ts';

/** One life of a node, from its start to its crash. Events of a life that is over never happen. */
export class Life {
  readonly node: SimNode;
  /** From 1 per node. */
  readonly number: number;
  dead = false;
  paused = false;
  /** Events before this time of the world wait for it: the process does one thing and nothing else. */
  blockedUntilMs = 0;
  /** Due while the node is paused: they happen late, at once, in order, as after SIGCONT. */
  readonly held: SimEvent[] = [];
  readonly connections = new Set<SimConnection>();
  /** Errors that faults gave to this life; one of them reaching the top is what the fault was for. */
  readonly injectedErrors = new WeakSet<Error>();
  wasInjected = false;
  /** Asked about an error at the top before it ends the life: whether the program takes it upon itself. */
  handlesError: ((cause: unknown) => boolean) | null = null;

  constructor(node: SimNode, number: number) {
    this.node = node;
    this.number = number;
  }

  /** Notes that a fault has given `error` to this life. */
  inject(error: Error): void {
    this.injectedErrors.add(error);
    this.wasInjected = true;
  }
}
