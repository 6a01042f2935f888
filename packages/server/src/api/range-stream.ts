import type { Platform } from '@flotilla/platform';
import { checkRangeRequest, isFiltered, isStreamable } from '@flotilla/store';
import {
  KV,
  type Method,
  type RangeRequest,
  type RangeResponse,
  type RangeStreamResponse,
  RpcError,
  type ServerStream,
  serverStream,
  SortOrder,
  SortTarget,
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
  if (!isInDefaultOrder(request)) throw noSorting;
  if (isFiltered(request)) throw noFilters;
  if (!request.serializable) await backend.readBarrier();
  backend.requireState();
  backend.access.requireRange(stream, request);
  for await (const piece of piecesOf(backend, request)) {
    const header = piece.header === null ? null : backend.stamp(piece.header);
    if (!stream.write({ rangeResponse: { ...piece, header } })) await taken(platform, stream);
    if (stream.cancelled !== null) throw stream.cancelled;
  }
}

/** Of another target than the key without an order etcd sorts each piece; here they are sorted all together. */
async function* piecesOf(backend: Backend, request: RangeRequest): AsyncIterable<RangeResponse> {
  if (isStreamable(request)) yield* backend.rangePieces(request);
  else yield await backend.range(request);
}

function isInDefaultOrder({ sortTarget, sortOrder }: RangeRequest): boolean {
  return sortOrder === SortOrder.NONE || (sortTarget === SortTarget.KEY && sortOrder === SortOrder.ASCEND);
}

/** Clients fall back to `Range` on the code. The texts have no prefix in etcd either. */
const noSorting = new RpcError(Status.UNIMPLEMENTED, 'RangeStream does not support custom sort orders');
const noFilters = new RpcError(Status.UNIMPLEMENTED, 'RangeStream does not support revision filters');
