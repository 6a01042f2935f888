import { present } from '../assert.ts';
import type { DependencyGraph } from './dependency-graph.ts';

interface Node {
  readonly at: number;
  /** When it was entered; -1: it was not. */
  index: number;
  /** The earliest entered node that it is known to lead back to. */
  low: number;
  isOpen: boolean;
  nextDependency: number;
}

/**
 * Strongly connected components: transactions that all come before each other. Each component stands behind all that
 * depend on it. (Tarjan 1972, without recursion: histories are longer than stacks are deep.)
 */
export function componentsOf(graph: DependencyGraph): readonly (readonly number[])[] {
  const walk = new Walk(graph);
  for (let at = 0; at < graph.transactions.length; at += 1) walk.from(at);
  return walk.components;
}

class Walk {
  readonly components: number[][] = [];
  readonly #dependencies: DependencyGraph['dependencies'];
  readonly #nodes: readonly Node[];
  readonly #open: Node[] = [];
  /** From the root to the node at hand; empty between two roots. */
  readonly #path: Node[] = [];
  #entered = 0;

  constructor({ transactions, dependencies }: DependencyGraph) {
    this.#dependencies = dependencies;
    this.#nodes = transactions.map((_, at) => ({ at, index: -1, low: -1, isOpen: false, nextDependency: 0 }));
  }

  from(root: number): void {
    const path = this.#path;
    if (this.#node(root).index === -1) this.#enter(this.#node(root));
    for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
      const dependency = this.#dependencies[node.at]?.[node.nextDependency++];
      if (dependency === undefined) {
        path.pop();
        if (node.low === node.index) this.#close(node);
        const parent = path.at(-1);
        if (parent !== undefined) parent.low = Math.min(parent.low, node.low);
        continue;
      }
      const next = this.#node(dependency.to);
      if (next.index === -1) this.#enter(next);
      else if (next.isOpen) node.low = Math.min(node.low, next.index);
    }
  }

  #enter(node: Node): void {
    node.index = node.low = this.#entered++;
    node.isOpen = true;
    this.#open.push(node);
    this.#path.push(node);
  }

  /** All that was entered since, and is open still, leads back to it. */
  #close(root: Node): void {
    const members: number[] = [];
    let member: Node;
    do {
      member = present(this.#open.pop(), 'a member');
      member.isOpen = false;
      members.push(member.at);
    } while (member !== root);
    this.components.push(members);
  }

  #node(at: number): Node {
    return present(this.#nodes[at], 'a transaction');
  }
}
