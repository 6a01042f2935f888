import type { Address, Connection } from '@flotilla/platform';
import { FrameFaults, FrameMemory } from './frame-faults.ts';
import type { FrameRule } from './frame-cutter.ts';
import type { Life } from './life.ts';
import { Links } from './links.ts';
import type { Link } from './links.ts';
import type { SimConnection } from './sim-connection.ts';
import type { SimNode } from './sim-node.ts';
import { unacknowledged } from './sim-pipe.ts';
import type { World } from './world.ts';

export interface SimListener {
  readonly life: Life;
  readonly address: Address;
  readonly protocols: readonly string[];
  readonly accept: (connection: Connection) => void;
}

/** What the bytes of one write are, in a word or two. */
export type MessageLabel = (bytes: Uint8Array) => string | null;

/** The wires between all nodes. A node is reached under its name; `127.0.0.1` and `localhost` are the node itself. */
export class SimNetwork {
  readonly links = new Links();
  readonly listeners = new Map<string, SimListener>();
  readonly #world: World;
  /** Ends whose other side died without telling, and whether they wrote since. */
  readonly #orphans = new Map<SimConnection, boolean>();
  readonly #frameRules = new Map<number, FrameRule>();
  readonly #labels = new Map<number, MessageLabel>();
  readonly #frameMemories = new Map<string, FrameMemory>();
  #nextPort = 49_152;

  constructor(world: World) {
    this.#world = world;
  }

  /**
   * Lets whole messages to and from `port` be duplicated, reordered and delivered again, as often as the settings say.
   */
  declareFrames(port: number, rule: FrameRule): void {
    this.#frameRules.set(port, rule);
  }

  /** Lets a recorder say what travels to and from `port`. Null, or a failure: nobody knows. */
  labelMessages(port: number, label: MessageLabel): void {
    this.#labels.set(port, label);
  }

  labelOf(port: number, bytes: Uint8Array): string | null {
    try {
      return this.#labels.get(port)?.(bytes) ?? null;
    } catch {
      return null;
    }
  }

  frameFaults(from: SimNode, to: SimNode, port: number): FrameFaults | null {
    const rule = this.#frameRules.get(port);
    const { duplicatePerMille, reorderPerMille, redeliverPerMille } = this.#world.settings;
    if (rule === undefined || duplicatePerMille + reorderPerMille + redeliverPerMille === 0) return null;
    const key = `${from.name} ${to.name} ${port}`;
    let memory = this.#frameMemories.get(key);
    if (memory === undefined) {
      memory = new FrameMemory();
      this.#frameMemories.set(key, memory);
    }
    return new FrameFaults(this.#world, rule, memory);
  }

  /** The way of one message over `link`; 0 on the tape is the shortest. */
  delayMs(link: Link): number {
    const { settings, tape, coverage } = this.#world;
    const drawn = tape.choose(256, 'network delay') / 255;
    // Squared: most messages are quick, some are late, which overtakes between connections.
    let delayMs = settings.delayMinMs + (settings.delayMaxMs - settings.delayMinMs) * drawn * drawn;
    if (tape.chance(settings.spikePerMille, 1000, 'network delay spike')) {
      delayMs += (settings.spikeMaxMs * (1 + tape.choose(64, 'network delay spike size'))) / 64;
      coverage.count('network delay spike');
    }
    if (tape.chance(settings.lossPerMille, 1000, 'segment lost')) {
      delayMs += settings.retransmitMs * (1 + tape.choose(4, 'retransmissions'));
      coverage.count('segment lost');
    }
    return delayMs * link.slowFactor;
  }

  /** The node that `host` names for `from`, or null. */
  resolve(from: SimNode, host: string): SimNode | null {
    if (host === 'localhost' || host === '127.0.0.1' || host === '::1') return from;
    return this.#world.nodes.get(host) ?? null;
  }

  freePort(): number {
    this.#nextPort += 1;
    return this.#nextPort;
  }

  /** Breaks all connections between two nodes at once, as a firewall that resets them does. */
  resetBetween(a: SimNode, b: SimNode): number {
    let count = 0;
    for (const connection of a.life?.connections ?? []) {
      if (connection.outgoing.to.life.node !== b) continue;
      connection.outgoing.reset(0);
      connection.receiveReset('it was reset on the way');
      count += 1;
    }
    return count;
  }

  /** A process is gone. Its kernel resets what was open, unless the whole machine is gone too. */
  lifeEnded(life: Life, unreachable: boolean): void {
    for (const [key, listener] of this.listeners) if (listener.life === life) this.listeners.delete(key);
    for (const connection of life.connections) {
      const peer = connection.outgoing.to;
      if (unreachable) {
        this.#orphans.set(peer, false);
        if (peer.outgoing.waiting) this.wroteToTheDead(peer);
        continue;
      }
      const { inFlightBytes } = connection.outgoing;
      const lost =
        inFlightBytes === 0 ? 0 : this.#world.tape.choose(inFlightBytes + 1, 'bytes lost with a process');
      connection.outgoing.reset(inFlightBytes - lost);
    }
    life.connections.clear();
  }

  /** A process has ended in good order: its kernel still sends what was written, and then ends each stream. */
  processExited(life: Life): void {
    for (const [key, listener] of this.listeners) if (listener.life === life) this.listeners.delete(key);
    for (const connection of life.connections) {
      connection.outgoing.end();
      const peer = connection.outgoing.to;
      this.#orphans.set(peer, false);
      if (peer.outgoing.waiting) this.wroteToTheDead(peer);
    }
    life.connections.clear();
  }

  /** A write to a process that is gone: its machine answers with a reset, or nobody answers and the writer gives up. */
  wroteToTheDead(connection: SimConnection): void {
    const written = this.#orphans.get(connection);
    if (written === undefined) return;
    if (!connection.outgoing.to.life.node.unreachable) {
      this.#disown(connection);
      return;
    }
    if (written) return;
    this.#orphans.set(connection, true);
    const world = this.#world;
    const { giveUpMinMs, giveUpMaxMs } = world.settings;
    const afterMs =
      giveUpMaxMs - ((giveUpMaxMs - giveUpMinMs) * world.tape.choose(16, 'give up sooner')) / 15;
    const giveUp = (): void => {
      if (!this.#orphans.delete(connection)) return;
      world.coverage.count('connection timed out');
      connection.receiveReset(unacknowledged);
    };
    world.after(afterMs, giveUp, connection.life);
  }

  /** A machine is back. What was sent to its former life is sent again, and answered with a reset now. */
  machineBack(node: SimNode): void {
    for (const [connection, written] of this.#orphans) {
      if (written && connection.outgoing.to.life.node === node) this.#disown(connection);
    }
  }

  #disown(connection: SimConnection): void {
    this.#orphans.delete(connection);
    const delayMs = 2 * this.delayMs(connection.outgoing.link);
    const reset = (): void => connection.receiveReset('the other side does not know it');
    this.#world.after(delayMs, reset, connection.life);
  }
}
