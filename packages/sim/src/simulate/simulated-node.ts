import type { Platform } from '@flotilla/platform';
import type { Life } from '../life.ts';
import type { SimNode } from '../sim-node.ts';
import type { NodeState } from '../trace/trace.ts';
import type { World } from '../world.ts';

/** Makes what runs on a node. Called at every start, with the disk as the last life has left it. */
export type NodeFactory<Instance> = (platform: Platform, index: number) => Instance | Promise<Instance>;

/** A node and what its factory has made in its present life. */
export class SimulatedNode<Instance = unknown> {
  readonly name: string;
  readonly node: SimNode;
  #instance: Instance | null = null;
  #life: Life | null = null;

  constructor(world: World, name: string, index: number, factory: NodeFactory<Instance>) {
    this.name = name;
    const main = (platform: Platform): void | Promise<void> => {
      const { life } = this.node;
      const keep = (made: Instance): void => {
        this.#instance = made;
        this.#life = life;
      };
      const made = factory(platform, index);
      if (made instanceof Promise) return made.then(keep);
      keep(made);
    };
    this.node = world.addNode(name, main);
  }

  /** Null while the node is down, or is not ready yet after a start. For monitors: whoever calls it acts in nobody's name. */
  get instance(): Instance | null {
    return this.#life !== null && this.#life === this.node.life ? this.#instance : null;
  }

  /** What the instance shows of itself, for reports: its own public fields that are plain values. */
  describe(): NodeState | null {
    const { instance } = this;
    if (typeof instance !== 'object' || instance === null) return null;
    const fields = Object.entries(instance).filter(([, value]) => isPlain(value));
    return Object.fromEntries(fields) as NodeState;
  }

  get running(): boolean {
    return this.node.running;
  }
}

function isPlain(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}
