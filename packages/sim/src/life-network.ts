import { FlotillaError } from '@flotilla/platform';
import type { Address, Connection, ErrorCode, Listener, Network, TlsOptions } from '@flotilla/platform';
import type { Life } from './life.ts';
import { limits } from './limits.ts';
import { SimConnection, connectEnds } from './sim-connection.ts';
import type { SimListener } from './sim-network.ts';
import type { SimNode } from './sim-node.ts';
import type { World } from './world.ts';
import { withoutStack } from './without-stack.ts';

const everywhere = new Set(['0.0.0.0', '::', '']);

/** The network as one life sees it. */
export class LifeNetwork implements Network {
  readonly #life: Life;
  readonly #world: World;

  constructor(life: Life) {
    this.#life = life;
    this.#world = life.node.world;
  }

  listen(
    address: Address,
    options: { readonly tls?: TlsOptions },
    accept: (connection: Connection) => void,
  ): Promise<Listener> {
    return new Promise((resolve, reject) => {
      if (this.#life.dead) return;
      const { network } = this.#world;
      const own =
        everywhere.has(address.host) || network.resolve(this.#life.node, address.host) === this.#life.node;
      const port = address.port === 0 ? network.freePort() : address.port;
      const key = keyOf(this.#life.node, port);
      if (!own)
        reject(
          errorOf('FLOTILLA_ADDRESS_UNAVAILABLE', 'listen on', address, 'it is not an address of this node'),
        );
      else if (network.listeners.has(key)) {
        reject(errorOf('FLOTILLA_ADDRESS_IN_USE', 'listen on', address, 'the port is in use'));
      } else {
        const bound = { host: address.host, port };
        const protocols = options.tls?.protocols ?? [];
        const listener: SimListener = { life: this.#life, address: bound, protocols, accept };
        network.listeners.set(key, listener);
        this.#world.after(
          0,
          () => resolve({ address: bound, close: () => this.#unlisten(key, listener) }),
          this.#life,
        );
      }
    });
  }

  connect(
    address: Address,
    options: { readonly tls?: TlsOptions; readonly timeoutMs: number },
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      if (this.#life.dead) return;
      const attempt = new ConnectAttempt(this.#life, address, options, resolve, reject);
      attempt.start();
    });
  }

  #unlisten(key: string, listener: SimListener): Promise<void> {
    return new Promise((resolve) => {
      if (this.#life.dead) return;
      const { listeners } = this.#world.network;
      if (listeners.get(key) === listener) listeners.delete(key);
      this.#world.after(0, resolve, this.#life);
    });
  }
}

/** One call of `connect`: the greeting travels there, is tried again while the link is cut, and the answer back. */
class ConnectAttempt {
  readonly #life: Life;
  readonly #world: World;
  readonly #address: Address;
  readonly #protocols: readonly string[];
  readonly #deadlineMs: number;
  readonly #resolve: (connection: Connection) => void;
  readonly #reject: (error: Error) => void;
  #settled = false;

  constructor(
    life: Life,
    address: Address,
    options: { readonly tls?: TlsOptions; readonly timeoutMs: number },
    resolve: (connection: Connection) => void,
    reject: (error: Error) => void,
  ) {
    this.#life = life;
    this.#world = life.node.world;
    this.#address = address;
    this.#protocols = options.tls?.protocols ?? [];
    this.#deadlineMs = this.#world.now + options.timeoutMs;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    const target = this.#world.network.resolve(this.#life.node, this.#address.host);
    if (target === null) {
      this.#fail('FLOTILLA_CONNECT_FAILED', 'no node has this name', 0);
      return;
    }
    const there = this.#world.network.links.between(this.#life.node, target);
    this.#world.after(this.#world.network.delayMs(there), () => this.#greet(target));
  }

  /** The greeting is at the target, or where the link ends. */
  #greet(target: SimNode): void {
    if (this.#life.dead) return;
    const { network, settings, tape, coverage } = this.#world;
    const there = network.links.between(this.#life.node, target);
    const back = network.links.between(target, this.#life.node);
    if (there.cuts > 0 || back.cuts > 0 || target.unreachable) {
      this.#retry(target);
      return;
    }
    const backMs = network.delayMs(back);
    const listener = network.listeners.get(keyOf(target, this.#address.port));
    if (listener === undefined) {
      this.#fail('FLOTILLA_CONNECT_REFUSED', 'nobody listens there', backMs);
    } else if (tape.chance(settings.refusePerMille, 1000, 'connect refused')) {
      coverage.count('connect refused');
      this.#fail('FLOTILLA_CONNECT_REFUSED', 'the other side refused', backMs);
    } else this.#connect(listener, backMs);
  }

  #retry(target: SimNode): void {
    const nextMs = this.#world.now + limits.connectRetryMs;
    if (nextMs >= this.#deadlineMs) {
      this.#fail('FLOTILLA_CONNECT_FAILED', 'no answer in time', this.#deadlineMs - this.#world.now);
    } else this.#world.after(limits.connectRetryMs, () => this.#greet(target));
  }

  #connect(listener: SimListener, backMs: number): void {
    const protocol = listener.protocols.find((offered) => this.#protocols.includes(offered)) ?? null;
    const client = new SimConnection(this.#life, this.#address, protocol);
    const remote = { host: this.#life.node.name, port: this.#world.network.freePort() };
    const server = new SimConnection(listener.life, remote, protocol);
    connectEnds(client, server, this.#address.port);
    this.#world.after(0, () => listener.accept(server), listener.life);
    if (this.#world.now + backMs >= this.#deadlineMs) {
      client.destroy();
      this.#fail('FLOTILLA_CONNECT_FAILED', 'no answer in time', this.#deadlineMs - this.#world.now);
      return;
    }
    this.#world.after(backMs, () => this.#resolve(client), this.#life);
  }

  #fail(code: ErrorCode, reason: string, afterMs: number): void {
    if (this.#settled) return;
    this.#settled = true;
    const leftMs = this.#deadlineMs - this.#world.now;
    const late = this.#world.settings.refusesInTime && afterMs > leftMs;
    const error = late
      ? errorOf('FLOTILLA_CONNECT_FAILED', 'connect to', this.#address, 'no answer in time')
      : errorOf(code, 'connect to', this.#address, reason);
    this.#world.after(Math.max(late ? leftMs : afterMs, 0), () => this.#reject(error), this.#life);
  }
}

function keyOf(node: SimNode, port: number): string {
  return `${node.name}:${port}`;
}

function errorOf(code: ErrorCode, what: string, address: Address, reason: string): FlotillaError {
  return withoutStack(
    () => new FlotillaError(code, `cannot ${what} ${address.host}:${address.port}: ${reason}`),
  );
}
