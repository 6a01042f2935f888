import type { TransportFactory } from './types.ts';

/**
 * Plain TCP, the default. Whoever reaches the port and knows the cluster id may speak as any member: use it where the
 * network is trusted, and {@link tls} everywhere else.
 *
 * @example
 * const host = await createHost({ ...options, transport: tcp() });
 */
export function tcp(): TransportFactory {
  return ({ network }) => ({
    listen: (address, accept) => network.listen(address, {}, accept),
    connect: (address, { timeoutMs }) => network.connect(address, { timeoutMs }),
  });
}
