import type { SimNode } from './sim-node.ts';
import type { SimPipe } from './sim-pipe.ts';

/** The state of the wire from one node to another. The way back is a link of its own. */
export class Link {
  readonly from: SimNode;
  readonly to: SimNode;
  /** Faults that cut it now; 0: it carries. Counted, because partitions overlap. */
  cuts = 0;
  /** Delays are this many times longer. */
  slowFactor = 1;
  /** Overrides the settings' bandwidth when not 0. */
  bytesPerMs = 0;
  /** Pipes whose next bytes wait for the link to carry again. */
  readonly blocked = new Set<SimPipe>();

  constructor(from: SimNode, to: SimNode) {
    this.from = from;
    this.to = to;
  }
}

/** All links between nodes. A node's link with itself is never cut. */
export class Links {
  /** Told when a link ceases to carry, and when it does again. */
  onChange: ((from: SimNode, to: SimNode, carries: boolean) => void) | null = null;
  readonly #links = new Map<number, Link>();

  between(from: SimNode, to: SimNode): Link {
    const key = from.index * 65_536 + to.index;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = new Link(from, to);
      this.#links.set(key, link);
    }
    return link;
  }

  cut(from: SimNode, to: SimNode): void {
    if (from === to) return;
    this.between(from, to).cuts += 1;
    this.onChange?.(from, to, false);
  }

  restore(from: SimNode, to: SimNode): void {
    if (from === to) return;
    const link = this.between(from, to);
    link.cuts = Math.max(link.cuts - 1, 0);
    if (link.cuts > 0) return;
    this.onChange?.(from, to, true);
    wake(link);
  }

  /** Ends every fault of every link. */
  heal(): void {
    for (const link of this.#links.values()) {
      link.cuts = 0;
      link.slowFactor = 1;
      link.bytesPerMs = 0;
      this.onChange?.(link.from, link.to, true);
      wake(link);
    }
  }
}

function wake(link: Link): void {
  const waiting = [...link.blocked];
  link.blocked.clear();
  for (const pipe of waiting) pipe.retry();
}
