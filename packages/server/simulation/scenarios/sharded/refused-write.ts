import { encodeShardEntry, type ShardRow } from '@flotilla/store';
import { PutRequest } from '@flotilla/wire';
import { decodeSubmitAnswer, encodeMessage, paths } from '../../../src/shards/node-messages.ts';
import type { ShardNode } from '../../../src/shards/types.ts';
import { bytesOf } from '../kv-client.ts';

const patience = { timeoutMs: 2_000 };

/**
 * Hands a node a write of a shard, as another node would that has an old map: to one without a replica as it is, to one
 * with a replica for the range as it was a version before. Whether it is refused for just that.
 */
export async function isRefused(node: ShardNode, { shard, range }: ShardRow, key: string): Promise<boolean> {
  const name = 'somebody with an old map';
  await node.propose({ kind: 'open-session', name, owner: '' }, patience);
  const session = node.order?.sessionOf(name) ?? 0;
  const isElsewhere = node.replica(shard) === null;
  const entry = encodeShardEntry({
    kind: 'request',
    origin: { session, request: shard, floor: 1 },
    user: null,
    range: isElsewhere ? range : range - 1,
    write: { kind: 'put', request: PutRequest.create({ key: bytesOf(key), value: bytesOf('refused') }) },
    absent: [],
  });
  const body = encodeMessage({ shard, entry, timeoutMs: patience.timeoutMs });
  const answer = decodeSubmitAnswer(await node.ask(node.nodeId, paths.submit, body, patience));
  if (isElsewhere) return answer.kind === 'elsewhere';
  return answer.kind === 'reply' && answer.reply.kind === 'refused' && answer.reply.reason === 'epoch';
}
