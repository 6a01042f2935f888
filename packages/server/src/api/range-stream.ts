import type { Platform } from '@flotilla/platform';
import { checkRangeRequest, isStreamable } from '@flotilla/store';
import {
  KV,
  type Method,
  type RangeRequest,
  type RangeStreamResponse,
  RpcError,
  type ServerStream,
  serverStream,
  Status,
} from '@flotilla/wire';
import type { Backend } from '../member/backend.ts';
import { requireLeaderIfAsked } from './leader.ts';
import { taken } from './reading-client.ts';

/** `RangeStream`: the pieces of a range, put together as protobuf merges messages, are what `Range` answers. */
export function rangeStreamMethod(backend: Backend, platform: Platform): Method {
  return serverStream(KV.methods.RangeStream, (request, stream) => serve(backend, platform, request, stream));
}

async function serve(
  backend: Backend,
  platform: Platform,
  request: RangeRequest,
  stream: ServerStream<never, RangeStreamResponse>,
): Promise<void> {
  requireLeaderIfAsked(backend, stream);
  checkRangeRequest(request);
  if (!isStreamable(request)) throw notStreamable;
  if (!request.serializable) await backend.readBarrier();
  backend.requireState();
  backend.access.requireRange(stream, request);
  for await (const piece of backend.rangePieces(request)) {
    const header = piece.header === null ? null : backend.stamp(piece.header);
    if (!stream.write({ rangeResponse: { ...piece, header } })) await taken(platform, stream);
    if (stream.cancelled !== null) throw stream.cancelled;
  }
}

/** Clients fall back to `Range` on the code. */
const notStreamable = new RpcError(
  Status.UNIMPLEMENTED,
  'etcdserver: RangeStream supports neither custom sort orders nor revision filters',
);
