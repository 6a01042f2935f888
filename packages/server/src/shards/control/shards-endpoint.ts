import { RpcError, ShardListResponse, toJson } from '@flotilla/wire';
import type { HttpEndpoint } from '../../api/http.ts';
import type { ShardAdministration } from '../../api/shards.ts';
import { methodNotAllowed } from '../../http/exchange.ts';
import { httpStatusOf } from '../../gateway/failure.ts';

/** `GET /shards`: what `flotilla shard list` lists, as JSON. With auth on it is asked through the gateway, by root. */
export function shardsEndpoint(
  administration: Pick<ShardAdministration, 'list'>,
  isOpen: () => boolean,
): HttpEndpoint {
  return {
    handle({ method }, path) {
      if (path !== '/shards') return null;
      if (method !== 'GET') return Promise.resolve(methodNotAllowed);
      if (!isOpen()) {
        const body = `${JSON.stringify({ error: 'auth is on: ask POST /flotilla/v1/shards/list as root' })}\n`;
        return Promise.resolve({ status: 403, headers, body });
      }
      return answer(administration);
    },
  };
}

async function answer(
  administration: Pick<ShardAdministration, 'list'>,
): Promise<{ readonly status: number; readonly headers: typeof headers; readonly body: string }> {
  try {
    const listing = { header: null, ...(await administration.list()) };
    return { status: 200, headers, body: `${toJson(ShardListResponse, listing)}\n` };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return {
      status: httpStatusOf(error.status),
      headers,
      body: `${JSON.stringify({ error: error.message })}\n`,
    };
  }
}

const headers = { 'content-type': 'application/json' };
