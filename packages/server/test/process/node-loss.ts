import {
  callUnary,
  KV,
  PutRequest,
  RangeRequest,
  type RangeResponse,
  RpcError,
  ShardReplicaRole,
} from '@flotilla/wire';
import { splitKeys } from '../../simulation/transactions/key-spread.ts';
import { type MemberProcess, pause, type ProcessCluster } from './process-cluster.ts';
import { listShards } from './shard-calls.ts';

/** One try: what is asked of a node that was just lost is asked again, elsewhere. */
const tryMs = 1_000;
const restMs = 20;
const backMsMax = 60_000;
export const replicas = 3;

/** From the loss of a node until a shard has taken a write, and answered a read, that began after it. */
export interface ShardBack {
  readonly key: string;
  readonly writeMs: number;
  readonly readMs: number;
  /** What was said instead, with the member that said it. */
  readonly refusals: readonly string[];
}

/** A key of each shard that a cluster began with. */
export function keysOfShards(shards: number): readonly string[] {
  return ['a', ...splitKeys(shards)].map((cut) => `${cut}/loss`);
}

/**
 * Of a process that is killed everybody hears at once, since its connections break; of one that is stopped nobody hears
 * anything any more, as of a machine without power.
 */
export type Loss = 'killed' | 'stopped';

/** Loses a node and asks for every shard through those that are left, until all of them serve. */
export async function loseNode(
  cluster: ProcessCluster,
  victim: MemberProcess,
  loss: Loss,
  keys: readonly string[],
  value: string,
): Promise<readonly ShardBack[]> {
  const others = cluster.members.filter((member) => member !== victim);
  if (loss === 'killed') await cluster.kill(victim);
  else cluster.freeze(victim);
  const begin = performance.now();
  return await Promise.all(
    keys.map(async (key, i) => {
      const refusals: string[] = [];
      const refused = (text: string): void => {
        refusals.push(`${(performance.now() - begin).toFixed(0)} ms ${text}`);
      };
      const write = async ({ channel }: MemberProcess): Promise<void> => {
        const request = PutRequest.create({ key: Buffer.from(key), value: Buffer.from(value) });
        await callUnary(channel, KV.methods.Put, request, { timeoutMs: tryMs });
      };
      await untilAnswered(others, i, write, refused);
      const writeMs = performance.now() - begin;
      await expectValue(others, i + 1, key, value, refused);
      return { key, writeMs, readMs: performance.now() - begin, refusals };
    }),
  );
}

/** Linearizable. */
export async function expectValue(
  members: readonly MemberProcess[],
  first: number,
  key: string,
  value: string,
  refused: (text: string) => void = () => undefined,
): Promise<void> {
  const request = RangeRequest.create({ key: Buffer.from(key) });
  const read = ({ channel }: MemberProcess): Promise<RangeResponse> =>
    callUnary(channel, KV.methods.Range, request, { timeoutMs: tryMs });
  const { kvs } = await untilAnswered(members, first, read, refused);
  const found = kvs[0] === undefined ? null : Buffer.from(kvs[0].value).toString();
  if (found !== value) throw new Error(`${key} is ${found} and not ${value}`);
}

async function untilAnswered<Answer>(
  members: readonly MemberProcess[],
  first: number,
  ask: (member: MemberProcess) => Promise<Answer>,
  refused: (text: string) => void,
): Promise<Answer> {
  const end = performance.now() + backMsMax;
  for (let attempt = 0; ; attempt += 1) {
    const member = members[(first + attempt) % members.length] as MemberProcess;
    try {
      return await ask(member);
    } catch (error) {
      if (!(error instanceof RpcError) || performance.now() > end) throw error;
      refused(`n${member.index + 1}: ${error.message}`);
    }
    await pause(restMs);
  }
}

/** Resolves when every shard has all its replicas on other nodes than this one; null: never. Answers after how long. */
export async function replicated(
  members: readonly MemberProcess[],
  without: number | null,
  limitMs: number,
): Promise<number | null> {
  const begin = performance.now();
  while (performance.now() - begin < limitMs) {
    for (const { channel } of members) {
      try {
        const { shards } = await listShards(channel);
        const isWhole = shards.every(({ shard, replicas: its, underWay }) => {
          // The order's own is on every node.
          if (shard === 0) return true;
          const voters = its.filter(({ role, node }) => role === ShardReplicaRole.VOTER && node !== without);
          return voters.length === replicas && its.length === replicas && underWay === '';
        });
        if (isWhole) return performance.now() - begin;
        break;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
      }
    }
    await pause(200);
  }
  return null;
}
