import { type Message, type MessageBody, parseMessage } from '../../src/maelstrom/message.ts';
import type { TestNode } from './test-node.ts';

/** Carries messages between nodes and clients, as Maelstrom does: at once, in order, unless they are cut off. */
export class Router {
  readonly nodes: readonly TestNode[];
  /** What nodes have written that is no message of theirs. Empty, or the test has failed. */
  readonly offences: string[] = [];
  between = 0;
  dropped = 0;
  /** Directed: `n1 n2` when n2 does not hear n1. */
  #cut: ReadonlySet<string> = new Set();
  readonly #waiting = new Map<string, (body: MessageBody) => void>();
  #requests = 0;

  constructor(nodes: readonly TestNode[]) {
    this.nodes = nodes;
    for (const node of nodes) node.onLine((line) => this.#receive(node, line));
  }

  /** Tells every node who it is, and resolves when all have answered. */
  async init(timeoutMs: number): Promise<void> {
    const ids = this.nodes.map(({ id }) => id);
    const replies = await Promise.all(
      ids.map((id) => this.ask('c0', id, { type: 'init', node_id: id, node_ids: ids }, timeoutMs)),
    );
    const bad = replies.findIndex((reply) => reply?.type !== 'init_ok');
    if (bad !== -1) throw new Error(`${ids[bad]} answered an init with ${JSON.stringify(replies[bad])}`);
  }

  /** A message between `src` and `dest` is lost for every `src dest` in the set; none of clients is. */
  cut(pairs: ReadonlySet<string>): void {
    this.#cut = pairs;
  }

  /** Asks a node in a client's name; null when it has not answered in time. */
  async ask(
    client: string,
    node: string,
    body: Omit<MessageBody, 'msg_id'>,
    timeoutMs: number,
  ): Promise<MessageBody | null> {
    this.#requests += 1;
    const id = this.#requests;
    const key = `${client} ${id}`;
    return await new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(key);
        resolve(null);
      }, timeoutMs);
      this.#waiting.set(key, (reply) => {
        clearTimeout(timer);
        resolve(reply);
      });
      this.#deliver({ src: client, dest: node, body: { ...body, msg_id: id } as MessageBody });
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  #receive(node: TestNode, line: string): void {
    const message = parseMessage(line);
    if (typeof message === 'string' || message.src !== node.id) {
      this.offences.push(`${node.id} wrote ${line.slice(0, 200)}`);
      return;
    }
    const { dest, body } = message;
    if (this.nodes.some(({ id }) => id === dest)) {
      this.between += 1;
      if (this.#cut.has(`${node.id} ${dest}`)) this.dropped += 1;
      else this.#deliver(message);
      return;
    }
    // An answer that comes too late finds nobody who waits for it.
    const key = `${dest} ${body.in_reply_to}`;
    this.#waiting.get(key)?.(body);
    this.#waiting.delete(key);
  }

  #deliver(message: Message): void {
    this.nodes.find(({ id }) => id === message.dest)?.send(JSON.stringify(message));
  }
}
