import { randomUUID } from 'node:crypto';
import type { Logger, TlsOptions } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { openHttp2Channel } from '@flotilla/wire/node';
import { Client } from '../client.ts';
import type { ClientOptions } from '../client.ts';
import type { ClientWorld } from '../platform.ts';

export interface ConnectOptions extends Partial<ClientOptions> {
  /** For `https` endpoints: the authority that signed the servers' certificates, and the client's own certificate. */
  readonly tls?: Partial<TlsOptions>;
}

/**
 * A client of a Flotilla or etcd cluster, over gRPC. Nothing is sent before it is first used.
 *
 * @example
 * const client = connect('http://127.0.0.1:2379');
 * const client = connect(['https://a:2379', 'https://b:2379'], { tls: { ca }, auth: { user, password } });
 */
export function connect(endpoints: string | readonly string[], options: ConnectOptions = {}): Client {
  const { tls, ...others } = options;
  const urls = typeof endpoints === 'string' ? endpoints.split(',') : endpoints;
  return new Client(nodeWorld(tls), { ...others, endpoints: urls });
}

function nodeWorld(tls: Partial<TlsOptions> | undefined): ClientWorld {
  return {
    platform: nodePlatform({
      nodeName: 'client',
      logger: silent,
      // A bug in a callback must not pass unnoticed: Node ends the process, or tells its listeners.
      onFatal: (error) => {
        process.nextTick(() => {
          throw error;
        });
      },
    }),
    open: (endpoint) => openHttp2Channel({ endpoints: [endpoint], ...(tls === undefined ? {} : { tls }) }),
    uniqueId: () => randomUUID().replaceAll('-', ''),
  };
}

const nothing = (): void => {};
const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
