import type { SimNode, World } from '@flotilla/sim';

export interface LeaderHuntOptions {
  readonly world: World;
  readonly nodes: readonly SimNode[];
  readonly electionMs: number;
  readonly leader: () => SimNode | null;
  /** A client reads there. */
  readonly read: (node: SimNode) => void;
  /** It is asked to hand its office over to somebody. */
  readonly handOver: (node: SimNode) => void;
}

/** What happens to a leader that is to go on believing in its office. */
const kinds = [
  'cut off',
  'muted',
  'cut off and reset',
  'cut off while the others start anew',
  'cut off while it hands over',
  'paused',
  'paused, then cut off',
] as const;

type Kind = (typeof kinds)[number];

/**
 * Goes for leaders, again and again: each is separated from those who might elect another one, in the way that is the
 * worst for leases, and asked for reads all the while.
 */
export class LeaderHunt {
  readonly #options: LeaderHuntOptions;
  #running = false;

  constructor(options: LeaderHuntOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = true;
    this.#next();
  }

  /** What it has done is undone by whoever heals the world. */
  stop(): void {
    this.#running = false;
  }

  #next(): void {
    const { world, electionMs } = this.#options;
    const waitMs = electionMs * (1 + (2 * (64 - world.tape.choose(64, 'next hunt'))) / 64);
    world.after(waitMs, () => {
      if (!this.#running) return;
      this.#hunt();
      this.#next();
    });
  }

  #hunt(): void {
    const { world, electionMs } = this.#options;
    const leader = this.#options.leader();
    const drawn = world.tape.choose(kinds.length + 1, 'hunt') - 1;
    const kind = kinds[drawn];
    if (leader === null || kind === undefined) return;
    const durationMs = electionMs * (1 + world.tape.choose(16, 'duration of a hunt') / 8);
    world.fault(`leader ${kind}`, `${leader.name} leads and is ${kind} for ${Math.round(durationMs)} ms`);
    this.#readAt(leader, world.now + durationMs + electionMs / 4);
    this.#strike(kind, leader, durationMs);
  }

  #strike(kind: Kind, leader: SimNode, durationMs: number): void {
    switch (kind) {
      case 'cut off':
      case 'muted':
        this.#cut(leader, durationMs, kind === 'muted');
        return;
      case 'cut off and reset':
        this.#cut(leader, durationMs, false);
        // The reset reaches the others only: what would tell the leader waits at the cut.
        for (const other of this.#others(leader)) this.#options.world.network.resetBetween(other, leader);
        return;
      case 'cut off while the others start anew':
        this.#cut(leader, durationMs, false);
        for (const other of this.#others(leader)) this.#startAnew(other);
        return;
      case 'cut off while it hands over':
        this.#handOver(leader, durationMs);
        return;
      case 'paused':
        this.#pause(leader, durationMs);
        return;
      case 'paused, then cut off':
        this.#pauseAndCut(leader, durationMs);
        return;
    }
  }

  #handOver(leader: SimNode, durationMs: number): void {
    const { world, handOver } = this.#options;
    handOver(leader);
    // The wish has left, and what it leads to has not come back.
    const afterMs = world.tape.choose(16, 'cut after the wish') / 2;
    world.after(afterMs, () => {
      if (this.#running) this.#cut(leader, durationMs, false);
    });
  }

  #pause(leader: SimNode, durationMs: number): void {
    if (!leader.running) return;
    leader.pause();
    this.#options.world.after(durationMs, () => {
      if (this.#running) leader.resume();
    });
  }

  /** Too short a pause to be noticed. What came meanwhile is old, and the last that comes. */
  #pauseAndCut(leader: SimNode, durationMs: number): void {
    const { world, electionMs } = this.#options;
    const pauseMs = (electionMs * (8 - world.tape.choose(6, 'short pause'))) / 10;
    this.#pause(leader, pauseMs);
    // Just after what has come is handed over, and before anything that it answers has left.
    world.after(pauseMs + 0.01, () => {
      if (this.#running) this.#cut(leader, durationMs, false);
    });
  }

  #startAnew(node: SimNode): void {
    const { world } = this.#options;
    if (!node.running) return;
    node.crash();
    world.after(1 + world.tape.choose(16, 'time to start anew'), () => {
      if (this.#running) node.start();
    });
  }

  #cut(leader: SimNode, durationMs: number, oneWay: boolean): void {
    const { world } = this.#options;
    const { links } = world.network;
    const others = this.#others(leader);
    for (const other of others) {
      links.cut(leader, other);
      if (!oneWay) links.cut(other, leader);
    }
    world.after(durationMs, () => {
      if (!this.#running) return;
      for (const other of others) {
        links.restore(leader, other);
        if (!oneWay) links.restore(other, leader);
      }
    });
  }

  #readAt(node: SimNode, untilMs: number): void {
    const { world, electionMs, read } = this.#options;
    if (!this.#running || world.now >= untilMs || !node.running) return;
    world.after(0, () => read(node), node.life);
    const pauseMs = (electionMs / 50) * (1 + world.tape.choose(4, 'pause between reads'));
    world.after(pauseMs, () => this.#readAt(node, untilMs));
  }

  #others(leader: SimNode): readonly SimNode[] {
    return this.#options.nodes.filter((node) => node !== leader);
  }
}
