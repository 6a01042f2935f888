import {
  callUnary,
  type MethodDescriptor,
  openStream,
  type RpcChannel,
  RpcError,
  type ShardChange,
  ShardController,
  type ShardHistoryResponse,
  type ShardProgress,
  Shards,
  Status,
} from '@flotilla/wire';
import { bytesOf } from '../kv-client.ts';
import type { LabConfiguration } from './sharded-lab.ts';

/** Where an operator lives: in a simulated world, or beside real processes. */
export interface OperatorHome {
  /** One to each node of the cluster. */
  readonly channels: readonly RpcChannel[];
  pause(durationMs: number): Promise<void>;
}

/** A node as the operator names it to the cluster. */
export interface OperatedNode {
  readonly id: number;
  /** 0: it belongs to none. */
  readonly group: number;
}

const callMs = 2_000;
/** A change is looked on for so long by one node, which may be cut off, and is then asked for at the next: that harms nothing. */
const changeMs = 2_000;
const pauseMs = 50;

type Ask<Answer> = (channel: RpcChannel) => Promise<Answer>;

/**
 * Whoever changes who serves what, by the names that the courses have for it, over the public API. What was not
 * answered is asked for again, through the next node; what is refused for good is thrown.
 */
export class ShardOperator {
  readonly #home: OperatorHome;
  readonly #histories = new Map<number, ShardHistoryResponse>();

  constructor(home: OperatorHome) {
    this.#home = home;
  }

  /** Makes the cluster sharded, with one shard. */
  async begin(replicas: number): Promise<void> {
    await this.#untilTaken(0, (channel) => {
      return follow(channel, Shards.methods.Begin, { shards: 1, keys: [], replicas });
    }).catch((error: unknown) => {
      if (!/already-sharded/.test(String(error))) throw error;
    });
  }

  /** Cuts the keys from this one on off the shard that has them. */
  async split(key: string, first = 0): Promise<void> {
    await this.#untilTaken(first, async (channel) => {
      const shard = await shardOf(channel, key);
      if (shard.start === key) return;
      await follow(channel, Shards.methods.Split, { shard: shard.id, key: bytesOf(key), configuration: 0 });
    });
  }

  /** The part of the key space behind this key goes back to what is before it. */
  async merge(key: string, first = 0): Promise<void> {
    await this.#untilTaken(first, async (channel) => {
      const shard = await shardOf(channel, key);
      if (shard.start !== key) return;
      await follow(channel, Shards.methods.Merge, { shard: shard.id, into: shard.before, configuration: 0 });
    });
  }

  async join({ id: node, group }: OperatedNode, first = 0): Promise<void> {
    const labels = group === 0 ? [] : [{ name: 'group', value: String(group) }];
    const request = { node, zone: '', labels, configuration: 0 };
    await this.#untilTaken(first, (channel) =>
      callUnary(channel, ShardController.methods.Join, request, { timeoutMs: callMs }),
    );
  }

  async leave({ id: node }: OperatedNode, first = 0): Promise<void> {
    await this.#untilTaken(first, (channel) =>
      follow(channel, ShardController.methods.Leave, { node, configuration: 0 }),
    );
  }

  /** The whole shard, to the group of that node. */
  async move(key: string, { id: to }: OperatedNode, first = 0): Promise<void> {
    await this.#untilTaken(first, async (channel) => {
      const { id: shard } = await shardOf(channel, key);
      await follow(channel, ShardController.methods.Move, { shard, from: 0, to, configuration: 0 });
    }).catch((error: unknown) => {
      // Asked for again, it is there, or on its way.
      if (!/holds-replica/.test(String(error))) throw error;
    });
  }

  /** Asked of one node. `cuts`: first keys of the courses' shards. */
  async query(
    at: number,
    number: number,
    cuts: readonly string[],
    groupOf: (node: number) => number,
    groupSize: number,
  ): Promise<LabConfiguration> {
    const channel = this.#home.channels[at] as RpcChannel;
    const patience = { timeoutMs: callMs };
    const told = await callUnary(channel, ShardController.methods.Query, { configuration: number }, patience);
    const { configuration } = told;
    const changes = (await this.#historyOf(at, configuration)).filter(
      (change) => change.configuration <= configuration && change.kind === 'node',
    );
    const shards = cuts.map((cut) => {
      const place = told.shards.find(({ start }) => textOf(start) === cut);
      return place === undefined ? null : holderOf(place.nodes, groupOf, groupSize);
    });
    return {
      number: configuration,
      groups: joinedGroups(
        changes.map(({ text }) => text),
        groupOf,
        groupSize,
      ),
      shards,
    };
  }

  /** As that node tells it. It only gets longer: what was told is not asked for again. */
  async #historyOf(at: number, configuration: number): Promise<readonly ShardChange[]> {
    let known = this.#histories.get(at);
    if (known === undefined || known.configuration < configuration) {
      const channel = this.#home.channels[at] as RpcChannel;
      const request = { shard: -1, limit: 0 };
      known = await callUnary(channel, Shards.methods.History, request, { timeoutMs: callMs });
      this.#histories.set(at, known);
    }
    return known.changes;
  }

  async #untilTaken<Answer>(first: number, ask: Ask<Answer>): Promise<Answer> {
    const { channels } = this.#home;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await ask(channels[(first + attempt) % channels.length] as RpcChannel);
      } catch (error) {
        if (!(error instanceof RpcError) || isFinal(error)) throw error;
      }
      await this.#home.pause(pauseMs);
    }
  }
}

/** To its end. */
async function follow<Request>(
  channel: RpcChannel,
  method: MethodDescriptor<Request, ShardProgress, 'server-stream'>,
  request: Request,
): Promise<void> {
  const stream = openStream(channel, method, { timeoutMs: changeMs });
  stream.write(request);
  stream.end();
  let progress = await stream.read();
  while (progress !== null && !progress.finished) progress = await stream.read();
  if (progress === null) throw new RpcError(Status.UNAVAILABLE, 'the stream ended before the change did');
}

async function shardOf(
  channel: RpcChannel,
  key: string,
): Promise<{ readonly id: number; readonly start: string; readonly before: number }> {
  const request = { configuration: -1 };
  const { shards } = await callUnary(channel, ShardController.methods.Query, request, { timeoutMs: callMs });
  const place = shards.filter(({ start }) => textOf(start) <= key).length - 1;
  const found = shards[place];
  if (found === undefined) throw new RpcError(Status.UNAVAILABLE, 'there are no shards yet');
  return { id: found.shard, start: textOf(found.start), before: shards[place - 1]?.shard ?? -1 };
}

/** Another try may be luckier. */
function isFinal({ status, message }: RpcError): boolean {
  if (/superseded/.test(message)) return true;
  return !retried.includes(status);
}

const retried: readonly number[] = [
  Status.UNAVAILABLE,
  Status.DEADLINE_EXCEEDED,
  Status.CANCELLED,
  Status.RESOURCE_EXHAUSTED,
  Status.ABORTED,
];

function textOf(key: Uint8Array): string {
  return new TextDecoder().decode(key);
}

/** The group that has the shard, as many of its nodes as decide; null: none has, or not only one. */
export function holderOf(
  nodes: readonly number[],
  groupOf: (node: number) => number,
  groupSize: number,
): number | null {
  const holders = new Set(nodes.map(groupOf));
  const [holder] = holders;
  return holders.size !== 1 || holder === undefined || nodes.length * 2 <= groupSize ? null : holder;
}

/** From what became of their nodes, in the words of the history. */
function joinedGroups(
  texts: readonly string[],
  groupOf: (node: number) => number,
  groupSize: number,
): readonly number[] {
  const joined = new Set<number>();
  for (const text of texts) {
    const match = /^node (\d+) (has joined|has left|drains)$/.exec(text);
    if (match === null) throw new Error(`the history says of a node: ${text}`);
    if (match[2] === 'has joined') joined.add(Number(match[1]));
    else joined.delete(Number(match[1]));
  }
  const counts = new Map<number, number>();
  for (const node of joined) counts.set(groupOf(node), (counts.get(groupOf(node)) ?? 0) + 1);
  const whole = [...counts].filter(([group, count]) => group !== 0 && count === groupSize);
  return whole.map(([group]) => group).sort((a, b) => a - b);
}
