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
  /** Due while the node is paused: they happen late, at once, in order, as after SIGCONT. */
  readonly held: SimEvent[] = [];
  readonly connections = new Set<SimConnection>();
  /** Errors that faults gave to this life; one of them reaching the top is what the fault was for. */
  readonly injectedErrors = new WeakSet<Error>();

  constructor(node: SimNode, number: number) {
    this.node = node;
    this.number = number;
  }
}
