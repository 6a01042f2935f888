import { inSeconds } from './fault-log.ts';
import type { FaultKind, FaultMix } from './fault-mix.ts';
import { faultKinds } from './fault-mix.ts';
import { Partitions } from './partitions.ts';
import type { SimNode } from './sim-node.ts';
import type { World } from './world.ts';

export interface NemesisOptions {
  readonly world: World;
  /** Who is attacked. Nodes that stop, by a fault or because of one, are started again. */
  readonly victims: readonly SimNode[];
  /** Nodes that are only cut off, slowed and reset, such as clients. */
  readonly bystanders?: readonly SimNode[];
  readonly mix: FaultMix;
  /** Between two faults. */
  readonly intervalMinMs: number;
  readonly intervalMaxMs: number;
  /** How long partitions, pauses and the like last. */
  readonly durationMinMs: number;
  readonly durationMaxMs: number;
  /** The victim that matters most just now, such as a leader. */
  readonly favourite?: () => SimNode | null;
}

/**
 * The adversary: at drawn times it draws a fault, whom it hits and for how long. Every choice is on the tape, with
 * «nothing» as 0, and every fault is told in words.
 */
export class Nemesis {
  readonly #options: NemesisOptions;
  readonly #world: World;
  readonly #weightTotal: number;
  readonly #partitions: Partitions;
  /** All nodes whose links may suffer. */
  readonly #linked: readonly SimNode[];
  #running = false;

  constructor(options: NemesisOptions) {
    this.#options = options;
    this.#world = options.world;
    this.#weightTotal = faultKinds.reduce((sum, kind) => sum + options.mix[kind], 0);
    this.#linked = [...options.victims, ...(options.bystanders ?? [])];
    this.#partitions = new Partitions(options.world, this.#linked);
    for (const kind of faultKinds) if (options.mix[kind] > 0) this.#world.coverage.expect(kind);
    for (const node of options.victims) node.onStopped = () => this.#restartLater(node);
  }

  start(): void {
    this.#running = true;
    this.#next();
  }

  /** Ends all faults, mends every link and disk, lets every node go on, and starts those that are down. */
  heal(): void {
    this.#running = false;
    this.#partitions.heal();
    this.#world.network.links.heal();
    for (const node of this.#options.victims) {
      node.disk.healed();
      node.resume();
      node.start();
    }
    this.#world.faults.push({ timeMs: this.#world.now, text: 'heal everything' });
  }

  #next(): void {
    const { intervalMinMs, intervalMaxMs } = this.#options;
    // 0 is the longest wait: fewer faults are less harm.
    const waitMs =
      intervalMaxMs - ((intervalMaxMs - intervalMinMs) * this.#world.tape.choose(64, 'next fault')) / 63;
    this.#world.after(waitMs, () => {
      if (!this.#running) return;
      this.#attack();
      this.#next();
    });
  }

  #attack(): void {
    let drawn = this.#world.tape.choose(this.#weightTotal + 1, 'fault') - 1;
    if (drawn < 0) return;
    for (const kind of faultKinds) {
      drawn -= this.#options.mix[kind];
      if (drawn >= 0) continue;
      this.#inject(kind);
      return;
    }
  }

  #inject(kind: FaultKind): void {
    switch (kind) {
      case 'cut one way':
      case 'partition into halves':
      case 'isolate a node':
      case 'isolate a node one way':
      case 'partition with a bridge':
      case 'random partition':
        return this.#partitions.inject(kind, this.#victim(), this.#durationMs());
      case 'reset connections':
        return this.#resetConnections();
      case 'slow link':
        return this.#slowLink();
      case 'crash':
      case 'power cut':
        return this.#crash(kind, this.#victim());
      case 'crash all':
        for (const node of this.#options.victims) this.#crash('crash all', node);
        return;
      case 'crash at a disk operation':
        return this.#crashAtOperation();
      case 'pause':
        return this.#pause();
      case 'clock jump':
        return this.#clockJump();
      case 'slow disk':
      case 'stalled disk':
      case 'full disk':
        return this.#disturbDisk(kind);
      case 'failed sync':
      case 'failed write':
        return this.#failDisk(kind);
    }
  }

  #victim(): SimNode {
    const { victims, favourite } = this.#options;
    const drawn = this.#world.tape.choose(victims.length + (favourite === undefined ? 0 : 2), 'victim');
    return (victims[drawn] ?? favourite?.() ?? victims[0]) as SimNode;
  }

  #other(than: SimNode): SimNode {
    const others = this.#linked.filter((node) => node !== than);
    return others[this.#world.tape.choose(Math.max(others.length, 1), 'the other victim')] ?? than;
  }

  #durationMs(): number {
    const { durationMinMs, durationMaxMs } = this.#options;
    const drawn = this.#world.tape.choose(64, 'duration of a fault') / 63;
    // Squared: many short outages and some long ones.
    return durationMinMs + (durationMaxMs - durationMinMs) * drawn * drawn;
  }

  #later(durationMs: number, call: () => void): void {
    this.#world.after(durationMs, () => {
      if (this.#running) call();
    });
  }

  #crash(kind: FaultKind, node: SimNode): void {
    if (!node.running) return;
    const downMs = this.#durationMs();
    const lost = node.crash({ unreachable: kind === 'power cut' });
    this.#world.fault(
      kind,
      `${kind === 'power cut' ? 'power cut at' : 'crash'} ${node.name} for ${inSeconds(downMs)}: ${lost}`,
    );
    this.#later(downMs, () => node.start());
  }

  #restartLater(node: SimNode): void {
    if (!this.#running) {
      this.#world.after(this.#options.durationMinMs, () => node.start());
      return;
    }
    const downMs = this.#durationMs();
    this.#world.faults.push({
      timeMs: this.#world.now,
      text: `${node.name} stays down for ${inSeconds(downMs)}`,
    });
    this.#later(downMs, () => node.start());
  }

  #crashAtOperation(): void {
    const node = this.#victim();
    node.disk.faults.crashAtOperation = 1 + this.#world.tape.choose(40, 'crash at which disk operation');
  }

  #pause(): void {
    const node = this.#victim();
    if (!node.running || node.paused) return;
    const durationMs = this.#durationMs();
    node.pause();
    this.#world.fault('pause', `pause ${node.name} for ${inSeconds(durationMs)}`);
    this.#later(durationMs, () => node.resume());
  }

  #clockJump(): void {
    const node = this.#victim();
    const drawn = this.#world.tape.choose(20_000, 'clock jump') + 1;
    const byMs = drawn % 2 === 0 ? drawn * 5 : -drawn * 5;
    node.clock.jumpWall(byMs);
    this.#world.fault('clock jump', `the wall clock of ${node.name} jumps by ${inSeconds(byMs)}`);
  }

  #resetConnections(): void {
    const a = this.#victim();
    const b = this.#other(a);
    const count = this.#world.network.resetBetween(a, b);
    if (count > 0)
      this.#world.fault('reset connections', `reset ${count} connections between ${a.name} and ${b.name}`);
  }

  #slowLink(): void {
    const from = this.#victim();
    const to = this.#other(from);
    const link = this.#world.network.links.between(from, to);
    const durationMs = this.#durationMs();
    link.slowFactor = 2 + this.#world.tape.choose(100, 'slow link factor');
    link.bytesPerMs = 1 + this.#world.tape.choose(64, 'slow link bytes per ms');
    this.#world.fault(
      'slow link',
      `${from.name} -> ${to.name} is ${link.slowFactor} times slower, ${link.bytesPerMs} kB/s, for ${inSeconds(durationMs)}`,
    );
    this.#later(durationMs, () => {
      link.slowFactor = 1;
      link.bytesPerMs = 0;
    });
  }

  #disturbDisk(kind: 'slow disk' | 'stalled disk' | 'full disk'): void {
    const node = this.#victim();
    const durationMs = this.#durationMs();
    const { faults } = node.disk;
    if (kind === 'slow disk') faults.slowFactor = 2 + this.#world.tape.choose(60, 'slow disk factor');
    else if (kind === 'full disk') faults.full = true;
    else faults.stalledUntil = this.#world.now + durationMs;
    this.#world.fault(kind, `${kind} at ${node.name} for ${inSeconds(durationMs)}`);
    this.#later(durationMs, () => {
      if (kind === 'slow disk') faults.slowFactor = 1;
      else if (kind === 'full disk') faults.full = false;
    });
  }

  #failDisk(kind: 'failed sync' | 'failed write'): void {
    const node = this.#victim();
    if (!node.running) return;
    const { faults } = node.disk;
    if (kind === 'failed sync') faults.failingSyncs = 1;
    else faults.failingWrites = 1;
    this.#world.fault(kind, `the next ${kind === 'failed sync' ? 'sync' : 'write'} at ${node.name} fails`);
  }
}
