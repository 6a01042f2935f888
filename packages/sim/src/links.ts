import type { SimNode } from './sim-node.ts';
import type { SimPipe } from './sim-pipe.ts';

/** The state of the wire from one node to another. The way back is a link of its own. */
export class Link {
  /** Faults that cut it now; 0: it carries. Counted, because partitions overlap. */
  cuts = 0;
  /** Delays are this many times longer. */
  slowFactor = 1;
  /** Overrides the settings' bandwidth when not 0. */
  bytesPerMs = 0;
  /** Pipes whose next bytes wait for the link to carry again. */
  readonly blocked = new Set<SimPipe>();
}

/** All links between nodes. A node's link with itself is never cut. */
export class Links {
  readonly #links = new Map<number, Link>();

  between(from: SimNode, to: SimNode): Link {
    const key = from.index * 65_536 + to.index;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = new Link();
      this.#links.set(key, link);
    }
    return link;
  }

  cut(from: SimNode, to: SimNode): void {
    if (from !== to) this.between(from, to).cuts += 1;
  }

  restore(from: SimNode, to: SimNode): void {
    if (from === to) return;
    const link = this.between(from, to);
    link.cuts = Math.max(link.cuts - 1, 0);
    if (link.cuts === 0) wake(link);
  }

  /** Ends every fault of every link. */
  heal(): void {
    for (const link of this.#links.values()) {
      link.cuts = 0;
      link.slowFactor = 1;
      link.bytesPerMs = 0;
      wake(link);
    }
  }
}

function wake(link: Link): void {
  const waiting = [...link.blocked];
  link.blocked.clear();
  for (const pipe of waiting) pipe.retry();
}
