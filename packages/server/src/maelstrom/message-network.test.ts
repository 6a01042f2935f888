import { type Connection, type Platform, seededRandom } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import { tcp } from '@flotilla/raft';
import { transportConformance, type TransportBed } from '@flotilla/raft/conformance';
import { fromEventLoop, generatedTape, World } from '@flotilla/sim';
import { describe, expect, it } from 'vitest';
import { limits } from './limits.ts';
import { MessageNetwork } from './message-network.ts';
import type { StreamMessage } from './stream-message.ts';

/** What becomes of each message between the two nodes. */
interface Wire {
  readonly lossPerMille: number;
  readonly duplicatePerMille: number;
  readonly delayMaxMs: number;
}

const sound: Wire = { lossPerMille: 0, duplicatePerMille: 0, delayMaxMs: 0 };
const wires: Readonly<Record<string, Wire>> = {
  'that is sound': sound,
  'that reorders them': { ...sound, delayMaxMs: 40 },
  'that loses every fifth and doubles every fifth': {
    lossPerMille: 200,
    duplicatePerMille: 200,
    delayMaxMs: 20,
  },
};

/** Two nodes of a simulated world whose messages go over a wire that a test may cut. */
class TwoNodes {
  readonly world: World;
  readonly networks: readonly [MessageNetwork, MessageNetwork];
  readonly platforms: Platform[] = [];
  isCut = false;
  sent = 0;
  readonly #wire: Wire;
  readonly #random;

  constructor(wire: Wire, seed: number) {
    this.#wire = wire;
    this.#random = seededRandom(seed);
    this.world = new World({ tape: generatedTape(seed) });
    const nodes = ['a', 'b'].map((name) =>
      this.world.addNode(name, (platform) => void this.platforms.push(platform)),
    );
    for (const node of nodes) node.start();
    this.world.run(10);
    this.networks = [this.#network(0), this.#network(1)];
  }

  bed(): TransportBed {
    const member = (index: 0 | 1): TransportBed['members'][0] => {
      const platform = this.platforms[index] as Platform;
      const transport = tcp()({ ...platform, network: this.networks[index] });
      return { id: (index + 1) as NodeId, platform, transport, address: { host: hosts[index], port: 0 } };
    };
    return { members: [member(0), member(1)], patienceMs: 60_000 };
  }

  #network(index: 0 | 1): MessageNetwork {
    const other = (1 - index) as 0 | 1;
    return new MessageNetwork({
      platform: this.platforms[index] as Platform,
      host: hosts[index],
      nodes: new Map([
        ['a', 'n1'],
        ['b', 'n2'],
      ]),
      send: (_node, body) => {
        this.sent += 1;
        const copies = this.#draw(this.#wire.lossPerMille)
          ? 0
          : this.#draw(this.#wire.duplicatePerMille)
            ? 2
            : 1;
        for (let copy = 0; copy < copies; copy += 1) this.#carry(`n${index + 1}`, other, body);
      },
    });
  }

  #carry(from: string, to: 0 | 1, body: StreamMessage): void {
    if (this.isCut) return;
    // As it is on a pipe: text.
    const text = JSON.stringify(body);
    const delayMs = this.#random.float() * this.#wire.delayMaxMs;
    this.world.after(delayMs, () => {
      if (!this.isCut) this.networks[to].receive(from, JSON.parse(text) as Record<string, unknown>);
    });
  }

  #draw(perMille: number): boolean {
    return this.#random.below(1000) < perMille;
  }
}

/** Runs what waits for simulated time, in simulated time. */
function between(wire: Wire, scenario: (nodes: TwoNodes) => Promise<void>): Promise<void> {
  return fromEventLoop(() => {
    const nodes = new TwoNodes(wire, 1);
    let outcome: { readonly error: unknown } | null = null;
    nodes.world.after(0, () => {
      void scenario(nodes).then(
        () => (outcome = { error: null }),
        (error: unknown) => (outcome = { error }),
      );
    });
    nodes.world.run(600_000, () => outcome !== null);
    const { violation } = nodes.world;
    nodes.world.end();
    expect(violation).toBeNull();
    expect(outcome).toEqual({ error: null });
  });
}

const hosts = ['a', 'b'] as const;

const names = transportConformance(() => {
  throw new Error('only the names are asked for');
}).map(({ name }) => name);

for (const [what, wire] of Object.entries(wires)) {
  describe(`streams over messages on a wire ${what}`, () => {
    it.each(names)('%s', (name) =>
      between(wire, async (nodes) => {
        await transportConformance(() => nodes.bed())
          .find((found) => found.name === name)
          ?.run();
      }),
    );
  });
}

describe('a partition', () => {
  it('that is short loses nothing; one that lasts loses the stream, at both ends', () =>
    between(sound, async (nodes) => {
      const { near, far, ends, heard } = await openStream(nodes);
      near.write(Uint8Array.of(1, 2, 3));
      nodes.isCut = true;
      await pause(nodes, limits.silenceMs / 2);
      nodes.isCut = false;
      await pause(nodes, 2 * limits.resendMaxMs);
      expect(heard).toEqual([1, 2, 3]);
      nodes.isCut = true;
      near.write(Uint8Array.of(4));
      far.write(Uint8Array.of(5));
      await pause(nodes, 2 * limits.silenceMs);
      expect(ends.map((error) => (error as { code?: string } | null)?.code)).toEqual([
        'FLOTILLA_CONNECTION_RESET',
        'FLOTILLA_CONNECTION_RESET',
      ]);
    }));

  it('in which nobody has anything to say goes unnoticed', () =>
    between(sound, async (nodes) => {
      const { near, ends, heard } = await openStream(nodes);
      nodes.isCut = true;
      await pause(nodes, 10 * limits.silenceMs);
      nodes.isCut = false;
      near.write(Uint8Array.of(7));
      await pause(nodes, limits.resendMaxMs);
      expect([heard, ends]).toEqual([[7], []]);
    }));

  it('makes dialing fail in time', () =>
    between(sound, async (nodes) => {
      nodes.isCut = true;
      const [network] = nodes.networks;
      const dialed = network.connect({ host: 'b', port: 1 }, { timeoutMs: 500 });
      await expect(dialed).rejects.toMatchObject({ code: 'FLOTILLA_CONNECT_FAILED' });
    }));
});

describe('a stream over messages', () => {
  it('that is idle says nothing', () =>
    between(sound, async (nodes) => {
      await openStream(nodes);
      await pause(nodes, 1_000);
      const { sent } = nodes;
      await pause(nodes, 60_000);
      expect(nodes.sent).toBe(sent);
    }));

  it('whose messages are malformed, or of a stranger, goes on', () =>
    between(sound, async (nodes) => {
      const { near, heard } = await openStream(nodes);
      const [, network] = nodes.networks;
      for (const body of [
        { type: 'stream_data' },
        { type: 'stream_data', stream: 'x', at: -1, bytes: 'AA==', upTo: 0 },
        { type: 'stream_open', stream: 'x', port: 'http' },
        { type: 'stream_no_such', stream: 'x' },
      ]) {
        network.receive('n1', body);
      }
      network.receive('n9', { type: 'stream_open', stream: 'x', port: 1 });
      near.write(Uint8Array.of(1));
      await pause(nodes, 1_000);
      expect(heard).toEqual([1]);
    }));
});

interface OpenStream {
  readonly near: Connection;
  readonly far: Connection;
  readonly heard: number[];
  /** How the ends closed, in their order. */
  readonly ends: (Error | null)[];
}

async function openStream(nodes: TwoNodes): Promise<OpenStream> {
  const heard: number[] = [];
  const ends: (Error | null)[] = [];
  const [dialer, host] = nodes.networks;
  const accepted: Connection[] = [];
  const handler = {
    data: (chunk: Uint8Array) => void heard.push(...chunk),
    drained: () => undefined,
    closed: (error: Error | null) => void ends.push(error),
  };
  const { address } = await host.listen({ host: 'b', port: 0 }, {}, (connection) => {
    accepted.push(connection);
    connection.start(handler);
  });
  const near = await dialer.connect(address, { timeoutMs: 1_000 });
  near.start(handler);
  return { near, far: accepted[0] as Connection, heard, ends };
}

function pause(nodes: TwoNodes, delayMs: number): Promise<void> {
  return new Promise((resolve) => (nodes.platforms[0] as Platform).timer(delayMs, 'test', resolve));
}
