import { readFileSync } from 'node:fs';
import { nodePlatform } from '@flotilla/platform/node';
import { FlotillaError, isFlotillaError } from '@flotilla/platform';
import type { Address, Connection, ConnectionHandler, Platform } from '@flotilla/platform';
import { transportConformance } from '@flotilla/raft/conformance';
import type { ConformanceCase, TransportBed } from '@flotilla/raft/conformance';
import { tcp, tls } from '@flotilla/raft';
import type { Credentials, NodeId, Transport, TransportFactory } from '@flotilla/raft';
import { fromEventLoop, generatedTape, World } from '@flotilla/sim';
import { describe, expect, it } from 'vitest';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const names = transportConformance(() => {
  throw new Error('only the names are asked for');
}).map(({ name }) => name);

function loopbackBed(factoryOf: (id: NodeId) => TransportFactory): TransportBed {
  const member = (id: number): TransportBed['members'][0] => {
    const platform = nodePlatform({
      nodeName: `n${id}`,
      logger: silent,
      onFatal: (error) => {
        throw error;
      },
    });
    const transport = factoryOf(id as NodeId)(platform);
    return { id: id as NodeId, platform, transport, address: { host: '127.0.0.1', port: 0 } };
  };
  return { members: [member(1), member(2)] };
}

function caseNamed(cases: readonly ConformanceCase[], name: string): ConformanceCase {
  const found = cases.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no case «${name}»`);
  return found;
}

function credentials(name: string): Credentials {
  const read = (file: string): string =>
    readFileSync(new URL(`certificates/${file}.pem`, import.meta.url), 'utf8');
  return { certificate: read(name), key: read(`${name}-key`), ca: read('ca') };
}

describe('over TCP', () => {
  for (const { name, run } of transportConformance(() => loopbackBed(() => tcp()))) it(name, run);
});

describe('over TLS', () => {
  const bed = (): TransportBed => loopbackBed((id) => tls(credentials(`member-${id}`)));
  for (const { name, run } of transportConformance(bed)) it(name, run);
});

describe('over the simulated network', () => {
  it.each(names)('%s', (name) => inSimulation(name, (platform) => tcp()(platform)));
});

/** Runs a case between two simulated machines, in simulated time. */
function inSimulation(name: string, factory: TransportFactory): Promise<void> {
  return fromEventLoop(() => {
    const world = new World({ tape: generatedTape(1) });
    const platforms: Platform[] = [];
    const nodes = [1, 2].map((id) => world.addNode(`n${id}`, (platform) => void platforms.push(platform)));
    for (const node of nodes) node.start();
    world.run(10);
    const bed = (): TransportBed => {
      const member = (id: 1 | 2): TransportBed['members'][0] => {
        const platform = platforms[id - 1] as Platform;
        const address = { host: `n${id}`, port: 0 };
        return { id: id as NodeId, platform, transport: factory(platform), address };
      };
      return { members: [member(1), member(2)] };
    };
    let outcome: { readonly error: unknown } | null = null;
    world.after(0, () => {
      void caseNamed(transportConformance(bed), name)
        .run()
        .then(
          () => (outcome = { error: null }),
          (error: unknown) => (outcome = { error }),
        );
    });
    world.run(60_000, () => outcome !== null);
    const { violation } = world;
    world.end();
    if (violation !== null) throw new Error(`${violation.name}: ${violation.message}`);
    expect(outcome).toEqual({ error: null });
  });
}

/** A transport that does one thing wrong, for each case that must notice. */
interface Flaw {
  readonly what: string;
  readonly caught: string;
  readonly connection?: (connection: Connection) => Connection;
  readonly transport?: (transport: Transport, platform: Platform) => Transport;
}

/** A connection of which single methods can be replaced. */
function altered(connection: Connection, changes: Partial<Connection>): Connection {
  return {
    remote: connection.remote,
    identity: connection.identity,
    protocol: connection.protocol,
    get bufferedBytes() {
      return connection.bufferedBytes;
    },
    start: (handler) => connection.start(handler),
    write: (bytes) => connection.write(bytes),
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    close: () => connection.close(),
    destroy: () => connection.destroy(),
    ...changes,
  };
}

/** Changes what the owner hears. */
function hearing(
  change: (handler: ConnectionHandler) => Partial<ConnectionHandler>,
): (connection: Connection) => Connection {
  return (connection) =>
    altered(connection, {
      start: (handler) =>
        connection.start({
          data: (chunk) => handler.data(chunk),
          drained: () => handler.drained(),
          closed: (error) => handler.closed(error),
          ...change(handler),
        }),
    });
}

const flaws: readonly Flaw[] = [
  {
    what: 'swaps the halves of what is written',
    caught: 'bytes arrive whole and in order, both ways at once',
    connection: (connection) =>
      altered(connection, {
        write: (bytes) => {
          connection.write(bytes.slice(bytes.length >> 1));
          return connection.write(bytes.slice(0, bytes.length >> 1));
        },
      }),
  },
  {
    what: 'throws away what comes before the owner is ready',
    caught: 'what is written before the other side has started waits for it',
    connection: (connection) => {
      let owner: ConnectionHandler | null = null;
      connection.start({
        data: (chunk) => owner?.data(chunk),
        drained: () => owner?.drained(),
        closed: (error) => owner?.closed(error),
      });
      return altered(connection, {
        start: (handler) => {
          owner = handler;
        },
      });
    },
  },
  {
    what: 'hands out one buffer again and again',
    caught: 'a chunk that was handed over is never touched again',
    connection: (connection) => {
      const buffer = new Uint8Array(1 << 20);
      return hearing((handler) => ({
        data: (chunk) => {
          buffer.set(chunk);
          handler.data(buffer.subarray(0, chunk.length));
        },
      }))(connection);
    },
  },
  {
    what: 'hands out its first connection for every other',
    caught: 'connections at the same time are kept apart',
    transport: (transport) => {
      let first: Promise<Connection> | null = null;
      return { ...transport, connect: (...call) => (first ??= transport.connect(...call)) };
    },
  },
  {
    what: 'forgets what is buffered when it closes',
    caught: 'close sends what is buffered, and both sides hear of an orderly end',
    connection: (connection) => altered(connection, { close: () => connection.destroy() }),
  },
  {
    what: 'says twice that it is closed',
    caught: 'closed comes once, and nothing after it',
    connection: hearing((handler) => ({
      closed: (error) => {
        handler.closed(error);
        handler.closed(error);
      },
    })),
  },
  {
    what: 'tells its owner of the end from inside close',
    caught: 'closed comes once, and nothing after it',
    connection: (connection) => {
      let owner: ConnectionHandler | null = null;
      return altered(connection, {
        start: (handler) => {
          owner = handler;
          connection.start({ ...handler, data: (chunk) => handler.data(chunk), closed: () => undefined });
        },
        close: () => {
          connection.close();
          owner?.closed(null);
        },
      });
    },
  },
  {
    what: 'does nothing when it is destroyed',
    caught: 'destroy cuts the stream, and both sides hear of it',
    connection: (connection) => altered(connection, { destroy: () => connection.pause() }),
  },
  {
    what: 'does not tell a late owner of the end',
    caught: 'a stream that was cut before its owner started tells the owner then',
    connection: (connection) => {
      let ended = false;
      let owner: ConnectionHandler | null = null;
      connection.start({
        data: (chunk) => owner?.data(chunk),
        drained: () => owner?.drained(),
        closed: (error) => {
          ended = true;
          owner?.closed(error);
        },
      });
      return altered(connection, {
        start: (handler) => {
          if (!ended) owner = handler;
        },
      });
    },
  },
  {
    what: 'throws when it is written to after the end',
    caught: 'a write after the end goes nowhere and hurts nobody',
    connection: (connection) => {
      let closed = false;
      return altered(connection, {
        close: () => {
          closed = true;
          connection.close();
        },
        write: (bytes) => {
          if (closed) throw new Error('write after end');
          return connection.write(bytes);
        },
      });
    },
  },
  {
    what: 'never says that a buffer is empty again',
    caught: 'a reader that does not read holds the writer up',
    connection: hearing(() => ({ drained: () => undefined })),
  },
  {
    what: 'goes on reading while it is paused',
    caught: 'a paused reader hears nothing, and loses nothing',
    connection: (connection) => altered(connection, { pause: () => undefined }),
  },
  {
    what: 'never gives up where nobody listens',
    caught: 'nobody at the address is said so, in time',
    transport: (transport) => ({
      ...transport,
      connect: (...call) => transport.connect(...call).catch(() => new Promise<Connection>(() => undefined)),
    }),
  },
  {
    what: 'takes another address when one is taken',
    caught: 'an address that is taken is said to be',
    transport: (transport) => ({
      ...transport,
      listen: (address, accept) =>
        transport.listen(address, accept).catch((error: unknown) => {
          if (!isFlotillaError(error, 'FLOTILLA_ADDRESS_IN_USE')) throw error;
          return transport.listen({ ...address, port: 0 }, accept);
        }),
    }),
  },
  {
    what: 'goes on listening after it was closed',
    caught: 'a closed listener frees its address and keeps its connections',
    transport: (transport) => ({
      ...transport,
      listen: async (address: Address, accept) => {
        const listener = await transport.listen(address, accept);
        leftOver.push(listener);
        return { address: listener.address, close: async () => undefined };
      },
    }),
  },
  {
    what: 'takes everybody for anybody',
    caught: 'authenticate, where there is one, takes the member at the other end and no other',
    transport: (transport) => ({ ...transport, authenticate: () => undefined }),
  },
];

const leftOver: { close(): Promise<void> }[] = [];

function flawed(flaw: Flaw): TransportBed {
  const bed = loopbackBed(() => (platform) => {
    const sound = tcp()(platform);
    const change = flaw.connection ?? ((connection: Connection) => connection);
    const transport: Transport = {
      listen: (address, accept) => sound.listen(address, (connection) => accept(change(connection))),
      connect: async (address, options) => change(await sound.connect(address, options)),
    };
    return flaw.transport?.(transport, platform) ?? transport;
  });
  return { ...bed, patienceMs: 300 };
}

describe('a transport that', () => {
  it.each(flaws)('$what is caught by «$caught»', async (flaw) => {
    const { run } = caseNamed(
      transportConformance(() => flawed(flaw)),
      flaw.caught,
    );
    try {
      const failure = await run().then(
        () => null,
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(FlotillaError);
      expect(failure).toMatchObject({ code: 'FLOTILLA_CONFORMANCE' });
    } finally {
      for (const listener of leftOver.splice(0)) await listener.close();
    }
  });

  it('breaks any rule is known: every case of the kit has such a one', () => {
    const caught = new Set(flaws.map((flaw) => flaw.caught));
    expect(names.filter((name) => !caught.has(name))).toEqual([]);
  });
});
