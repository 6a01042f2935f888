import { FlotillaError, type Platform } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import {
  decodeEventAnswer,
  decodeEventRequest,
  encodeEventAnswer,
  encodeEventRequest,
  type EventAnswer,
  type EventRequest,
  readShardEvents,
} from '@flotilla/store';
import { limits } from '../../limits.ts';
import type { Changes } from '../changes.ts';
import type { ShardNode } from '../types.ts';

export interface EventSourceParts {
  readonly platform: Platform;
  readonly node: Pick<ShardNode, 'nodeId' | 'replica' | 'nodesOf' | 'ask' | 'handle'>;
  readonly changes: Pick<Changes, 'next'>;
}

/** The events of shards, from replicas wherever they are: of this node, if it has one, and for others that ask. */
export class EventSource {
  readonly #platform: Platform;
  readonly #node: EventSourceParts['node'];
  readonly #changes: EventSourceParts['changes'];

  constructor({ platform, node, changes }: EventSourceParts) {
    this.#platform = platform;
    this.#node = node;
    this.#changes = changes;
    node.handle(path, (body) => this.#serve(body));
  }

  /**
   * What the first replica says that has what is asked for. The own one is given some time to apply it, since what the
   * order says comes to a shard a moment later; `behind` when nobody has it in time.
   */
  async read(request: EventRequest): Promise<EventAnswer> {
    const startMs = this.#platform.now();
    const untilMs = startMs + limits.watchSourceMs;
    for (let attempt = 0; this.#platform.now() < untilMs;) {
      const own = this.#readOwn(request);
      if (own !== null && own.kind !== 'behind') return own;
      const isLate = own === null || this.#platform.now() - startMs >= limits.watchOwnMs;
      if (!isLate) {
        await this.#changes.next(startMs + limits.watchOwnMs - this.#platform.now());
        continue;
      }
      const answer = await this.#readElsewhere(request, attempt);
      attempt += 1;
      if (answer.kind !== 'behind') return answer;
      await this.#changes.next(limits.watchSourcePauseMs);
    }
    return behind;
  }

  /** Null: there is no replica here that could be read. */
  #readOwn(request: EventRequest): EventAnswer | null {
    const own = this.#node.replica(request.shard);
    return own?.isReady === true ? readShardEvents(own.machine, request) : null;
  }

  async #readElsewhere(request: EventRequest, attempt: number): Promise<EventAnswer> {
    const others = this.#node.nodesOf(request.shard).filter((id) => id !== this.#node.nodeId);
    const other: NodeId | undefined = others[attempt % Math.max(1, others.length)];
    if (other === undefined) return behind;
    try {
      const patience = { timeoutMs: limits.watchCallMs };
      return decodeEventAnswer(await this.#node.ask(other, path, encodeEventRequest(request), patience));
    } catch (error) {
      if (!(error instanceof FlotillaError)) throw error;
      // It does not answer: the next one may.
      return behind;
    }
  }

  /** Another node asks; what has not come yet is waited for, a little. */
  async #serve(body: Uint8Array): Promise<Uint8Array> {
    const request = decodeEventRequest(body);
    const untilMs = this.#platform.now() + limits.watchCallMs / 2;
    for (;;) {
      const answer = this.#readOwn(request) ?? behind;
      const leftMs = untilMs - this.#platform.now();
      if (answer.kind !== 'behind' || leftMs <= 0) return encodeEventAnswer(answer);
      await this.#changes.next(leftMs);
    }
  }
}

/** Sent: never another one. */
const path = '/shards/events';
const behind: EventAnswer = { kind: 'behind' };
