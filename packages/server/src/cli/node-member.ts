import type { Logger } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { openLmdb } from '@flotilla/store/lmdb';
import { listenHttp2 } from '@flotilla/wire/node';
import type { Configuration } from '../configuration/configuration.ts';
import { Member } from '../member/member.ts';
import { nodeAuth } from '../node/auth/auth-adapters.ts';
import { memberTls } from '../node/tls/member-tls.ts';
import { processFacts } from '../node/process-metrics.ts';
import { discovered } from './discovered.ts';
import { httpListener } from './http-adapter.ts';
import { takeOver } from './takeover.ts';

/** A member of this process: Node's platform, LMDB, and gRPC over `node:http2`. */
export async function startNodeMember(
  given: Configuration,
  logger: Logger,
  onFatal: (error: Error) => void,
  onRemoved?: () => void,
): Promise<Member> {
  const platform = nodePlatform({ nodeName: given.name, logger, onFatal });
  await takeOver(platform, given);
  const configuration = await discovered(platform, given);
  const tls = memberTls(configuration, logger);
  return await Member.start({
    platform,
    configuration,
    onFatal,
    process: processFacts(),
    ...(onRemoved === undefined ? {} : { onRemoved }),
    auth: await nodeAuth(configuration),
    peerTransport: tls.peer,
    openStorage: (directory, tables) => Promise.resolve(openLmdb(directory, tables)),
    listen: ({ http, secure, ...options }) =>
      listenHttp2({
        ...options,
        ...(secure && tls.client !== null ? { tls: tls.client.source, refuse: tls.client.refuse } : {}),
        rejected: ({ host, port }, reason) => {
          logger.warn('rejected connection on client endpoint', { remote: `${host}:${port}`, reason });
        },
        http: httpListener(http),
        // What is no RpcError is a bug of ours: the client gets UNKNOWN, the log says where it came from.
        handlerFailed: (error, path) => {
          logger.error('a request failed unexpectedly', { path, error: stackOf(error) });
        },
      }),
  });
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
