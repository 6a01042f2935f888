import { isFlotillaError, messageOf, unreachable } from '@flotilla/platform';
import type { ConfigurationRefusal } from '@flotilla/store';
import { RpcError, Status } from '@flotilla/wire';

/** What operators are refused with: `flotilla: CODE: what is wrong, and what would have been right`. docs/shards.md. */
export const shardRefusals = {
  'not-sharded': Status.FAILED_PRECONDITION,
  'already-sharded': Status.FAILED_PRECONDITION,
  stale: Status.ABORTED,
  superseded: Status.ABORTED,
  'no-such-shard': Status.NOT_FOUND,
  'no-such-node': Status.NOT_FOUND,
  'no-such-configuration': Status.OUT_OF_RANGE,
  'bad-request': Status.INVALID_ARGUMENT,
  'bad-key': Status.INVALID_ARGUMENT,
  'no-neighbours': Status.FAILED_PRECONDITION,
  'order-shard': Status.FAILED_PRECONDITION,
  indivisible: Status.FAILED_PRECONDITION,
  'holds-replica': Status.FAILED_PRECONDITION,
  'holds-none': Status.FAILED_PRECONDITION,
  'last-replica': Status.FAILED_PRECONDITION,
  'too-few-nodes': Status.FAILED_PRECONDITION,
  'node-draining': Status.FAILED_PRECONDITION,
  'node-left': Status.FAILED_PRECONDITION,
  'node-silent': Status.FAILED_PRECONDITION,
  'node-in-use': Status.FAILED_PRECONDITION,
  'no-leader': Status.UNAVAILABLE,
  unanswered: Status.UNAVAILABLE,
} as const satisfies Readonly<Record<string, Status>>;

export type ShardRefusal = keyof typeof shardRefusals;

export function shardRefusal(refusal: ShardRefusal, text: string): RpcError {
  return new RpcError(shardRefusals[refusal], `flotilla: ${refusal}: ${text}`);
}

/** What the nodes of a cluster could not do in time, for whoever asked for it. */
export function answered(error: unknown): unknown {
  if (!isFlotillaError(error) || error instanceof RpcError) return error;
  return shardRefusal(
    'unanswered',
    `${messageOf(error)} (${error.code}): look what became of it, and try again`,
  );
}

/** What the order has refused, to whoever asked for it. `what`: the shard or the node, in words. */
export function refusedByOrder(
  reason: ConfigurationRefusal,
  what: string,
  asked: number,
  now: number,
): RpcError {
  switch (reason) {
    case 'stale':
      return shardRefusal(
        'stale',
        `${what} has changed since configuration ${asked}; it is ${now} now: look again`,
      );
    case 'no-such-shard':
      return shardRefusal('no-such-shard', `${what} is not there any more`);
    case 'bad-nodes':
      return shardRefusal('bad-request', `${what} cannot be on the same node twice, nor on none`);
    case 'unknown-node':
      return shardRefusal('no-such-node', `${what}: a node is not known; one that is a member can join`);
    case 'node-left':
      return shardRefusal('node-left', `${what}: a node has left; it can join again`);
    case 'node-draining':
      return shardRefusal('node-draining', `${what}: a node is draining; choose one that has joined`);
    case 'node-in-use':
      return shardRefusal('node-in-use', `${what} has replicas, or shall get some; drain it first`);
    case 'order-shard':
      return shardRefusal('order-shard', `${what} is the order group's own: it is on every node and stays`);
    case 'no-neighbours':
      return shardRefusal('no-neighbours', `${what}: only shards that have a border in common can be merged`);
    case 'not-beside':
      return shardRefusal(
        'no-neighbours',
        `${what} has moved away from the shard that was to be merged: try again`,
      );
    case 'bad-value':
      return shardRefusal('bad-request', `${what}: the number must be 1 or more`);
    default:
      return unreachable(reason);
  }
}
