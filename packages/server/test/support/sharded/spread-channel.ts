import type { Random } from '@flotilla/platform';
import {
  type CallOptions,
  type ChannelState,
  type ClientStream,
  KV,
  RangeRequest,
  type RpcChannel,
  TxnRequest,
} from '@flotilla/wire';

export interface SpreadNode {
  readonly channel: RpcChannel;
  /** Resolves when the node has everything that anybody was told before. */
  readonly caughtUp: () => Promise<void>;
}

/**
 * One client whose calls go to another node each. What etcd answers from one member's own state, serializable reads and
 * the beginning of a watch, goes to a node that has caught up: etcd promises no more of others.
 */
export class SpreadChannel implements RpcChannel {
  readonly #nodes: readonly SpreadNode[];
  readonly #random: Random;

  constructor(nodes: readonly SpreadNode[], random: Random) {
    this.#nodes = nodes;
    this.#random = random;
  }

  get state(): ChannelState {
    return this.#any().channel.state;
  }

  async unary(path: string, frame: Uint8Array, options?: CallOptions): Promise<Uint8Array> {
    const { channel, caughtUp } = this.#any();
    if (isSerializable(path, frame.subarray(FRAME_HEADER_BYTES))) await caughtUp();
    return await channel.unary(path, frame, options);
  }

  stream(path: string, options?: CallOptions): ClientStream<Uint8Array, Uint8Array> {
    const { channel, caughtUp } = this.#any();
    return new PatientStream(channel.stream(path, options), caughtUp);
  }

  ready(): Promise<void> {
    return this.#any().channel.ready();
  }

  close(): void {
    // Its channels are somebody else's.
  }

  #any(): SpreadNode {
    return this.#nodes[this.#random.below(this.#nodes.length)] as SpreadNode;
  }
}

/** Each message waits until its node has caught up with what was told before it. */
class PatientStream implements ClientStream<Uint8Array, Uint8Array> {
  readonly #stream: ClientStream<Uint8Array, Uint8Array>;
  readonly #caughtUp: () => Promise<void>;
  #last: Promise<void> = Promise.resolve();

  constructor(stream: ClientStream<Uint8Array, Uint8Array>, caughtUp: () => Promise<void>) {
    this.#stream = stream;
    this.#caughtUp = caughtUp;
  }

  get bufferedBytes(): number {
    return this.#stream.bufferedBytes;
  }

  read(): Promise<Uint8Array | null> {
    return this.#stream.read();
  }

  write(message: Uint8Array): boolean {
    const caughtUp = this.#caughtUp();
    this.#last = Promise.all([this.#last, caughtUp]).then(() => {
      this.#stream.write(message);
    });
    return true;
  }

  drained(): Promise<void> {
    return this.#last;
  }

  end(): void {
    void this.#last.then(() => this.#stream.end());
  }

  cancel(): void {
    this.#stream.cancel();
  }
}

function isSerializable(path: string, request: Uint8Array): boolean {
  if (path === KV.methods.Range.path) return RangeRequest.decode(request).serializable;
  if (path !== KV.methods.Txn.path) return false;
  const { success, failure } = TxnRequest.decode(request);
  return [...success, ...failure].some(
    ({ request: operation }) => operation?.case === 'requestRange' && operation.value.serializable,
  );
}

/** gRPC's, before every message. */
const FRAME_HEADER_BYTES = 5;
