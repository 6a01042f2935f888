import type { Platform } from '@flotilla/platform';
import type { RpcChannel } from '@flotilla/wire';

/** What the client needs of the world; the simulator gives it another one. */
export interface ClientWorld {
  readonly platform: Pick<Platform, 'now' | 'timer' | 'random'>;
  /** A channel to one endpoint. */
  readonly open: (endpoint: string) => RpcChannel;
  /** 32 hexadecimal digits that nobody else draws: sessions and leases are named with them. */
  readonly uniqueId: () => string;
}
