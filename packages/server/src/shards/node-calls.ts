import { FlotillaError, isFlotillaError, messageOf } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import type { PeerChannels } from '../peer/peer-channels.ts';
import type { NodeHandler, Patience } from './types.ts';

/** What nodes ask each other, this one itself included. */
export class NodeCalls {
  readonly #nodeId: NodeId;
  readonly #channels: Pick<PeerChannels, 'ask' | 'handle'>;
  readonly #handlers = new Map<string, NodeHandler>();

  constructor(nodeId: NodeId, channels: Pick<PeerChannels, 'ask' | 'handle'>) {
    this.#nodeId = nodeId;
    this.#channels = channels;
  }

  async ask(node: NodeId, path: string, body: Uint8Array, { timeoutMs }: Patience): Promise<Uint8Array> {
    if (node !== this.#nodeId) return await this.#channels.ask(node, path, body, timeoutMs);
    const handler = this.#handlers.get(path);
    if (handler === undefined) {
      throw new FlotillaError('FLOTILLA_PEER_CALL_UNKNOWN', `this member does not know ${path}`);
    }
    try {
      return await handler(body, this.#nodeId);
    } catch (error) {
      if (isFlotillaError(error, 'FLOTILLA_STOPPED')) throw error;
      throw new FlotillaError('FLOTILLA_PEER_CALL_FAILED', messageOf(error), { cause: error });
    }
  }

  handle(path: string, handler: NodeHandler): void {
    this.#handlers.set(path, handler);
    this.#channels.handle(path, handler);
  }
}
