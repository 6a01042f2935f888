import type { Connection, Listener, Platform } from '@flotilla/platform';
import { isFlotillaError } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { type NodeId, tcp } from '@flotilla/raft';
import { fromEventLoop, generatedTape, World } from '@flotilla/sim';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../limits.ts';
import type { PeerChannels } from './peer-channels.ts';
import { PeerPort } from './peer-port.ts';

const patienceMs = 30_000;
const one = 1 as NodeId;
const two = 2 as NodeId;

function text(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

function refuseOthers(connection: Connection): void {
  connection.destroy();
}

/** Two members that ask each other, in a world that can break. */
class Pair {
  readonly world = new World({
    tape: generatedTape(1),
    settings: { giveUpMinMs: 60_000, giveUpMaxMs: 90_000 },
  });
  readonly channels = new Map<NodeId, PeerChannels>();
  readonly heard: string[] = [];
  #platform: Platform | null = null;

  constructor() {
    for (const id of [one, two]) this.#add(id);
    for (const node of this.world.nodes.values()) node.start();
    this.world.run(100);
  }

  #add(id: NodeId): void {
    this.world.addNode(`n${id}`, async (platform) => {
      if (id === one) this.#platform = platform;
      const port = new PeerPort(platform, tcp());
      port.channels.open({
        nodeId: id,
        clusterId: 7n,
        addressOf: (node) => ({ host: `n${node}`, port: 2380 }),
        isPeer: () => true,
      });
      port.channels.handle('/echo', (body, from) => bytes(`${from}: ${text(body)}`));
      port.channels.handle('/large', (body) => new Uint8Array(Number(text(body))).fill(7));
      port.channels.handle('/never', () => new Promise(() => undefined));
      port.channels.handle('/note', (body) => {
        this.heard.push(text(body));
        return new Uint8Array(0);
      });
      await port.transport(platform).listen({ host: '0.0.0.0', port: 2380 }, refuseOthers);
      this.channels.set(id, port.channels);
    });
  }

  /** What member 1 is answered, or the code of its error, with the time that it took. */
  ask(
    path: string,
    body: string,
    timeoutMs: number = patienceMs,
  ): { answer: Uint8Array | string; tookMs: number } {
    const { world } = this;
    const startMs = world.now;
    let answer: Uint8Array | string | null = null;
    const platform = this.#platform as Platform;
    const ask = async (): Promise<void> => {
      try {
        answer = await (this.channels.get(one) as PeerChannels).ask(two, path, bytes(body), timeoutMs);
      } catch (error) {
        answer = isFlotillaError(error) ? error.code : String(error);
      }
    };
    world.after(0, () => platform.spawn('test', ask), world.node('n1').life);
    world.run(60_000, () => answer !== null);
    if (answer === null) throw new Error('it was never answered');
    return { answer, tookMs: world.now - startMs };
  }

  cut(): void {
    const { links } = this.world.network;
    const [a, b] = [this.world.node('n1'), this.world.node('n2')];
    links.cut(a, b);
    links.cut(b, a);
  }
}

function simulated(name: string, act: (pair: Pair) => void): void {
  test(name, () =>
    fromEventLoop(() => {
      const pair = new Pair();
      act(pair);
      expect(pair.world.violation).toBeNull();
      pair.world.end();
    }),
  );
}

describe('in a world that breaks', () => {
  simulated('a peer answers, and knows who asks', (pair) => {
    expect(text(pair.ask('/echo', 'a').answer as Uint8Array)).toBe('1: a');
  });

  simulated('a cut is an error in time, and the same peer answers again after it', (pair) => {
    pair.ask('/echo', 'a');
    pair.cut();
    const during = pair.ask('/echo', 'b', 2_000);
    expect(during.answer).toBe('FLOTILLA_PEER_CALL_FAILED');
    expect(during.tookMs).toBeLessThan(2_100);
    // The connection was given up as silent: nothing waits for the network to say so.
    pair.world.network.links.heal();
    pair.world.run(limits.channelRedialMaxMs);
    expect(text(pair.ask('/echo', 'c').answer as Uint8Array)).toBe('1: c');
  });

  simulated(
    'everything that waits fails as soon as the peer dies, and nothing waits for its time-out',
    (pair) => {
      pair.ask('/echo', 'a');
      pair.world.after(5, () => pair.world.node('n2').crash());
      const { answer, tookMs } = pair.ask('/never', '');
      expect(answer).toBe('FLOTILLA_PEER_CALL_FAILED');
      expect(tookMs).toBeLessThan(100);
    },
  );

  simulated('a peer that cannot be reached is not dialed for each question', (pair) => {
    pair.world.node('n2').crash();
    pair.ask('/echo', 'a');
    const { answer, tookMs } = pair.ask('/echo', 'b');
    expect(answer).toBe('FLOTILLA_PEER_CALL_FAILED');
    expect(tookMs).toBe(0);
  });

  simulated('a large answer leaves room for small ones', (pair) => {
    pair.ask('/echo', 'a');
    pair.world.settings = { ...pair.world.settings, bytesPerMs: 1_000 };
    let large: number | null = null;
    const asker = pair.channels.get(one) as PeerChannels;
    void asker.ask(two, '/large', bytes('4000000'), patienceMs).then(({ length }) => (large = length));
    pair.world.run(100);
    const { tookMs } = pair.ask('/echo', 'b');
    expect(large).toBeNull();
    expect(tookMs).toBeLessThan(1_000);
    pair.world.run(10_000);
    expect(large).toBe(4_000_000);
  });

  simulated('messages arrive in their order, and nobody answers them', (pair) => {
    pair.ask('/echo', 'a');
    const channels = pair.channels.get(one) as PeerChannels;
    for (const word of ['x', 'y', 'z']) channels.tell(two, '/note', bytes(word));
    pair.world.run(50);
    expect(pair.heard).toEqual(['x', 'y', 'z']);
  });

  simulated('no more waits for one peer than may', (pair) => {
    pair.ask('/echo', 'a');
    const channels = pair.channels.get(one) as PeerChannels;
    const waiting = () => channels.ask(two, '/never', new Uint8Array(0), patienceMs).catch(() => undefined);
    for (let i = 0; i < limits.channelQuestions; i += 1) void waiting();
    expect(pair.ask('/echo', 'b').answer).toBe('FLOTILLA_PEER_CALL_FAILED');
  });
});

describe('over real sockets', () => {
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const platform = nodePlatform({
    nodeName: 'n1',
    logger: silent,
    onFatal: (error) => {
      throw error;
    },
  });
  const ports = new Map<NodeId, { port: PeerPort; listener: Listener }>();

  beforeAll(async () => {
    for (const id of [one, two]) {
      const port = new PeerPort(platform, tcp());
      const address = { host: '127.0.0.1', port: 0 };
      const listener = await port.transport(platform).listen(address, refuseOthers);
      ports.set(id, { port, listener });
      port.channels.open({
        nodeId: id,
        clusterId: 7n,
        addressOf: (node) => ports.get(node)?.listener.address ?? null,
        isPeer: (node) => node !== 9,
      });
      port.channels.handle('/echo', (body) => body);
      port.channels.handle('/fails', () => Promise.reject(new Error('no such thing')));
    }
  });

  afterAll(async () => {
    for (const { port, listener } of ports.values()) {
      port.close();
      await listener.close();
    }
  });

  const channelsOf = (id: NodeId): PeerChannels => (ports.get(id) as { port: PeerPort }).port.channels;

  test('questions and answers of any size come through, many at once', async () => {
    const sizes = [0, 1, 100, limits.channelChunkBytes, 3_000_000];
    const answers = await Promise.all(
      sizes.map((size) => {
        const body = new Uint8Array(size).map((_, i) => i);
        return channelsOf(one)
          .ask(two, '/echo', body, patienceMs)
          .then((answer) => Buffer.compare(answer, body));
      }),
    );
    expect(answers).toEqual(sizes.map(() => 0));
  });

  test('what a handler throws, and that there is none, reach the asker', async () => {
    await expect(channelsOf(one).ask(two, '/fails', bytes(''), patienceMs)).rejects.toMatchObject({
      code: 'FLOTILLA_PEER_CALL_FAILED',
      message: expect.stringContaining('no such thing') as string,
    });
    await expect(channelsOf(one).ask(two, '/later', bytes(''), patienceMs)).rejects.toMatchObject({
      code: 'FLOTILLA_PEER_CALL_UNKNOWN',
    });
  });

  test('who is no member, or takes this one for another, is told so', async () => {
    const { listener } = ports.get(two) as { listener: Listener };
    const stranger = (nodeId: number, clusterId: bigint): PeerChannels => {
      const { channels } = new PeerPort(platform, tcp());
      channels.open({
        nodeId: nodeId as NodeId,
        clusterId,
        addressOf: () => listener.address,
        isPeer: () => true,
      });
      return channels;
    };
    const refused = (channels: PeerChannels, node: number, reason: string) =>
      expect(channels.ask(node as NodeId, '/echo', bytes(''), patienceMs)).rejects.toMatchObject({
        message: expect.stringContaining(reason) as string,
      });
    await refused(stranger(9, 7n), 2, 'no member 9');
    await refused(stranger(1, 8n), 2, 'another cluster');
    await refused(stranger(1, 7n), 3, 'it is member 2, not 3');
  });
});
