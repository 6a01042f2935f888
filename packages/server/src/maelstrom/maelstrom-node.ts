import type { Platform } from '@flotilla/platform';
import type { MethodTable } from '@flotilla/wire';
import { Failure, failureOf } from './failure.ts';
import { limits } from './limits.ts';
import { MessageNetwork } from './message-network.ts';
import { type Message, type MessageBody, parseMessage } from './message.ts';
import type { Operation } from './operation.ts';
import { OwnApi } from './own-api.ts';
import { compareAndSet, readRegister, writeRegister } from './registers.ts';
import { isForStreams } from './stream-message.ts';
import { transaction } from './transactions.ts';

/** The place of a node in its cluster. Host names are made up: node ids need not be any. */
export interface Place {
  readonly host: string;
  /** Of all nodes, this one included, in one order everywhere. */
  readonly hosts: readonly string[];
  readonly network: MessageNetwork;
}

export interface MaelstromNodeOptions {
  readonly platform: Platform;
  /** Writes a message, in one line. `mayBeLost`: it is between nodes, and dropping it does no harm. */
  readonly send: (line: string, mayBeLost: boolean) => void;
  /** Starts the member of this process; its peers are reached through `place.network`. Answers its API. */
  readonly startMember: (place: Place) => Promise<MethodTable>;
}

/**
 * A node of Maelstrom with a member of the database inside. Clients' requests become calls of the member's own API;
 * the members' connections travel in messages between nodes, so that Maelstrom's partitions cut them.
 *
 * @example
 * const node = new MaelstromNode({ platform, send: (line) => process.stdout.write(line), startMember });
 * node.receive('{"src":"c0","dest":"n1","body":{"type":"init","msg_id":1,"node_id":"n1","node_ids":["n1"]}}');
 */
export class MaelstromNode {
  readonly #options: MaelstromNodeOptions;
  #self: Self | null = null;
  #api: OwnApi | null = null;
  #messages = 0;
  #transactions = 0;
  #answering = 0;

  constructor(options: MaelstromNodeOptions) {
    this.#options = options;
  }

  /** One line of input. Never throws for what is in it: what cannot be answered is logged. */
  receive(line: string): void {
    if (line.trim() === '') return;
    const message = parseMessage(line);
    if (typeof message === 'string') {
      this.#options.platform.log.warn('a line was dropped', {
        reason: message,
        begins: line.slice(0, SHOWN),
      });
      return;
    }
    const { src, dest, body } = message;
    if (isForStreams(body.type)) {
      // Before `init` nobody listens: it is sent again.
      this.#self?.network.receive(src, body);
    } else if (body.in_reply_to !== undefined) {
      // Nothing was asked of anybody. An error that was answered with an error would go on for ever.
      this.#options.platform.log.warn('a reply was dropped', { from: src, type: body.type });
    } else if (this.#self !== null && dest !== this.#self.id) {
      this.#reply(message, bodyOf(new Failure('nodeNotFound', `this is ${this.#self.id}, not ${dest}`)));
    } else {
      this.#options.platform.spawn('maelstrom-request', () => this.#answer(message));
    }
  }

  async #answer(message: Message): Promise<void> {
    let reply: MessageBody;
    try {
      reply = message.body.type === 'init' ? await this.#init(message) : await this.#execute(message.body);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      reply = bodyOf(error);
    }
    this.#reply(message, reply);
  }

  async #init({ body, dest }: Message): Promise<MessageBody> {
    const { node_id: id, node_ids: ids } = body;
    if (typeof id !== 'string' || !isListOfNames(ids)) {
      throw new Failure('malformedRequest', 'an init needs a node_id and node_ids');
    }
    if (!ids.includes(id)) throw new Failure('nodeNotFound', `${id} is not among ${ids.join(', ')}`);
    if (id !== dest) throw new Failure('malformedRequest', `${dest} was told to be ${id}`);
    if (new Set(ids).size !== ids.length || ids.length > limits.nodes) {
      throw new Failure('malformedRequest', `node_ids must be up to ${limits.nodes} different ones`);
    }
    if (this.#self !== null) throw new Failure('abort', `this is ${this.#self.id} already`);
    const place = this.#placeOf(id, [...ids].sort());
    this.#self = { id, network: place.network };
    this.#api = new OwnApi(await this.#options.startMember(place));
    return { type: 'init_ok' };
  }

  #placeOf(id: string, ids: readonly string[]): Place {
    const hosts = ids.map((_, index) => `m${index + 1}`);
    const host = hosts[ids.indexOf(id)] as string;
    const network = new MessageNetwork({
      platform: this.#options.platform,
      host,
      nodes: new Map(hosts.map((name, index) => [name, ids[index] as string])),
      send: (dest, body) => this.#options.send(JSON.stringify({ src: id, dest, body }), true),
    });
    return { host, hosts, network };
  }

  async #execute(body: MessageBody): Promise<MessageBody> {
    const operation = this.#operationOf(body);
    const api = this.#api;
    if (api === null) throw new Failure('temporarilyUnavailable', 'this node is not initialized yet');
    if (this.#answering >= limits.requests) {
      throw new Failure('temporarilyUnavailable', `${limits.requests} requests are being answered`);
    }
    this.#answering += 1;
    try {
      return await this.#inTime(operation, api);
    } finally {
      this.#answering -= 1;
    }
  }

  #operationOf(body: MessageBody): Operation {
    switch (body.type) {
      case 'read':
        return readRegister(body);
      case 'write':
        return writeRegister(body);
      case 'cas':
        return compareAndSet(body);
      case 'txn':
        this.#transactions += 1;
        return transaction(body, `${this.#self?.id ?? ''}.${this.#transactions}`);
      default:
        throw new Failure('notSupported', `there is no ${JSON.stringify(body.type)} here`);
    }
  }

  /** A write that takes too long may still be done: its client is told that nobody knows. */
  async #inTime(operation: Operation, api: OwnApi): Promise<MessageBody> {
    const { readsOnly } = operation;
    return await new Promise((resolve, reject) => {
      const timer = this.#options.platform.timer(limits.requestTimeoutMs, 'maelstrom-request', () => {
        const text = `not answered within ${limits.requestTimeoutMs} ms`;
        reject(new Failure(readsOnly ? 'temporarilyUnavailable' : 'timeout', text));
      });
      operation
        .run(api)
        .then(resolve, (error: unknown) => {
          try {
            reject(failureOf(error, readsOnly));
          } catch (bug) {
            reject(bug);
          }
        })
        .finally(() => timer.cancel());
    });
  }

  #reply({ src, dest, body }: Message, reply: MessageBody): void {
    this.#messages += 1;
    const asked = body.msg_id === undefined ? {} : { in_reply_to: body.msg_id };
    this.#options.send(
      JSON.stringify({ src: dest, dest: src, body: { ...reply, msg_id: this.#messages, ...asked } }),
      false,
    );
  }
}

interface Self {
  readonly id: string;
  readonly network: MessageNetwork;
}

/** Of a line that was dropped, in the log. */
const SHOWN = 80;

function bodyOf({ code, message }: Failure): MessageBody {
  return { type: 'error', code, text: message };
}

function isListOfNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string');
}
