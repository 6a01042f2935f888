import {
  callUnary,
  Maintenance,
  Nodes,
  type NodeInfo,
  type RpcChannel,
  type Shard,
  ShardReplicaRole,
  Shards,
  StatusRequest,
} from '@flotilla/wire';
import type { MemberProcess } from '../process-cluster.ts';

const callMs = 2_000;

/** What can be seen of a cluster from outside, as one of its members tells it. */
export interface ClusterSight {
  /** When it was looked at first, of the clock that all threads share. */
  readonly beganMs: number;
  readonly configuration: number;
  /** In the order of their keys. */
  readonly shards: readonly SeenShard[];
  /** Those that have left are not among them. */
  readonly nodes: readonly SeenNode[];
  /** Index of the member that leads the order group; null: nobody does. */
  readonly leader: number | null;
}

export interface SeenShard {
  readonly id: number;
  readonly start: string;
  readonly voters: readonly number[];
  /** Nobody comes or goes, it has a leader, and nothing is being done with it. */
  readonly isQuiet: boolean;
}

export interface SeenNode {
  readonly node: number;
  readonly state: string;
  /** Null: it is of none. */
  readonly group: string | null;
  readonly leaving: boolean;
}

/** Null: not sharded, or nobody answers. `members`: those that run and can be reached. */
export async function look(members: readonly MemberProcess[]): Promise<ClusterSight | null> {
  const beganMs = Date.now();
  const [leader, told] = await Promise.all([leaderOf(members), ask(members)]);
  if (told === null) return null;
  return { beganMs, leader, ...told };
}

type Told = Pick<ClusterSight, 'configuration' | 'shards' | 'nodes'>;

async function ask(members: readonly MemberProcess[]): Promise<Told | null> {
  for (const { channel } of members) {
    try {
      return await askOne(channel);
    } catch {
      // The next one may be luckier.
    }
  }
  return null;
}

async function askOne(channel: RpcChannel): Promise<Told | null> {
  const patience = { timeoutMs: callMs };
  const [list, { nodes }] = await Promise.all([
    callUnary(channel, Shards.methods.List, {}, patience),
    callUnary(channel, Nodes.methods.List, {}, patience),
  ]);
  if (list.configuration === 0) return null;
  return {
    configuration: list.configuration,
    shards: list.shards.map(seenShard),
    nodes: nodes.map(seenNode),
  };
}

function seenShard({ shard, start, replicas, leader, underWay }: Shard): SeenShard {
  const isPlaced = replicas.every(({ role, leaving }) => role === ShardReplicaRole.VOTER && !leaving);
  return {
    id: shard,
    start: Buffer.from(start).toString(),
    voters: replicas.filter(({ role }) => role === ShardReplicaRole.VOTER).map(({ node }) => node),
    isQuiet: leader !== 0 && underWay === '' && (shard === 0 || isPlaced),
  };
}

function seenNode({ node, state, labels, leaving }: NodeInfo): SeenNode {
  const group = labels.find(({ name }) => name === 'group')?.value ?? null;
  return { node, state, group, leaving };
}

/** Who leads group 0 according to itself, in the highest term. */
async function leaderOf(members: readonly MemberProcess[]): Promise<number | null> {
  const views = await Promise.all(
    members.map(async ({ index, channel }) => {
      try {
        const status = await callUnary(channel, Maintenance.methods.Status, StatusRequest.create(), {
          timeoutMs: callMs,
        });
        return status.leader === status.header?.memberId ? { index, term: Number(status.raftTerm) } : null;
      } catch {
        return null;
      }
    }),
  );
  let found: { readonly index: number; readonly term: number } | null = null;
  for (const view of views) if (view !== null && view.term > (found?.term ?? -1)) found = view;
  return found?.index ?? null;
}
