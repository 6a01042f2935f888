import { inSeconds } from './fault-log.ts';
import type { FaultKind } from './fault-mix.ts';
import type { SimNode } from './sim-node.ts';
import type { World } from './world.ts';

export type PartitionKind = Extract<
  FaultKind,
  | 'cut one way'
  | 'partition into halves'
  | 'isolate a node'
  | 'isolate a node one way'
  | 'partition with a bridge'
  | 'random partition'
>;

/** Cuts of several links at once. Partitions may overlap; each restores only what it has cut. */
export class Partitions {
  readonly #world: World;
  readonly #nodes: readonly SimNode[];
  readonly #restores = new Set<() => void>();

  constructor(world: World, nodes: readonly SimNode[]) {
    this.#world = world;
    this.#nodes = nodes;
  }

  inject(kind: PartitionKind, victim: SimNode, durationMs: number): void {
    switch (kind) {
      case 'cut one way': {
        const others = this.#nodes.filter((node) => node !== victim);
        const other = others[this.#world.tape.choose(Math.max(others.length, 1), 'the other end')];
        if (other !== undefined)
          this.#cut(kind, `cut ${victim.name} -> ${other.name}`, durationMs, [[victim, other]]);
        return;
      }
      case 'isolate a node':
        this.#cut(kind, `isolate ${victim.name}`, durationMs, this.#between([victim]));
        return;
      case 'isolate a node one way': {
        const mute = this.#world.tape.choose(2, 'mute or deaf') === 0;
        const cuts = this.#between([victim]).filter(([from]) => (from === victim) === mute);
        this.#cut(kind, `make ${victim.name} ${mute ? 'mute' : 'deaf'}`, durationMs, cuts);
        return;
      }
      case 'partition into halves':
      case 'partition with a bridge': {
        const side = this.#half();
        const bridge = kind === 'partition with a bridge' ? victim : null;
        const cuts = this.#between(side).filter(([from, to]) => from !== bridge && to !== bridge);
        const who = side.map((node) => node.name).join(', ');
        this.#cut(
          kind,
          `cut {${who}} off${bridge === null ? '' : `, ${bridge.name} reaches both sides`}`,
          durationMs,
          cuts,
        );
        return;
      }
      case 'random partition': {
        const side = this.#nodes.filter(() => this.#world.tape.choose(2, 'side of a partition') === 1);
        this.#cut(
          kind,
          `cut {${side.map((node) => node.name).join(', ')}} off`,
          durationMs,
          this.#between(side),
        );
        return;
      }
    }
  }

  heal(): void {
    for (const restore of this.#restores) restore();
  }

  /** A random minority. */
  #half(): SimNode[] {
    const rest = [...this.#nodes];
    const side: SimNode[] = [];
    while (side.length < Math.floor(this.#nodes.length / 2)) {
      side.push(...rest.splice(this.#world.tape.choose(rest.length, 'node of a half'), 1));
    }
    return side;
  }

  /** Every link between `side` and the others, both ways. */
  #between(side: readonly SimNode[]): [SimNode, SimNode][] {
    const cuts: [SimNode, SimNode][] = [];
    for (const a of side) {
      for (const b of this.#nodes) if (!side.includes(b)) cuts.push([a, b], [b, a]);
    }
    return cuts;
  }

  #cut(
    kind: PartitionKind,
    text: string,
    durationMs: number,
    cuts: readonly (readonly [SimNode, SimNode])[],
  ): void {
    if (cuts.length === 0) return;
    const { links } = this.#world.network;
    for (const [from, to] of cuts) links.cut(from, to);
    this.#world.fault(kind, `${text} for ${inSeconds(durationMs)}`);
    const restore = (): void => {
      if (!this.#restores.delete(restore)) return;
      for (const [from, to] of cuts) links.restore(from, to);
    };
    this.#restores.add(restore);
    this.#world.after(durationMs, restore);
  }
}
