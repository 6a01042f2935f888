import type { Address, Connection, Listener, Platform } from '@flotilla/platform';
import type { Transport, TransportFactory } from '@flotilla/raft';

/** Listens at `more` addresses, too, wherever it is asked to listen: `--listen-peer-urls` may be several. */
export function alsoAt(factory: TransportFactory, more: readonly Address[]): TransportFactory {
  return (platform) => {
    const inner = factory(platform);
    const transport: Transport = {
      listen: (address, accept) => listenAtAll(platform, inner, [address, ...more], accept),
      connect: (address, options) => inner.connect(address, options),
    };
    if (inner.authenticate === undefined) return transport;
    return { ...transport, authenticate: (connection, peer) => inner.authenticate?.(connection, peer) };
  };
}

async function listenAtAll(
  platform: Platform,
  transport: Transport,
  addresses: readonly Address[],
  accept: (connection: Connection) => void,
): Promise<Listener> {
  const listeners: Listener[] = [];
  // Accepted at one address while the next is still being opened: nobody may hear of it before it is sure that all are.
  let early: Connection[] | null = [];
  try {
    for (const address of addresses) {
      listeners.push(
        await transport.listen(address, (connection) => {
          if (early === null) accept(connection);
          else early.push(connection);
        }),
      );
    }
  } catch (error) {
    for (const connection of early) connection.destroy();
    await Promise.all(listeners.map((listener) => listener.close()));
    throw error;
  }
  const waiting = early;
  early = null;
  // The caller has its listener first, as with one address.
  platform.defer(() => {
    for (const connection of waiting) accept(connection);
  });
  return {
    address: (listeners[0] as Listener).address,
    close: async () => {
      await Promise.all(listeners.map((listener) => listener.close()));
    },
  };
}
