import { isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import { countPage, decodePlain, encodePlain, type ShardId } from '@flotilla/store';
import { limits } from '../../limits.ts';
import type { NodeStatus, ShardReport } from './cluster-state.ts';
import { LoadMeter } from './load-meter.ts';
import type { ControlNode, LedShard, LocalShards } from './local-shards.ts';
import { middleKey } from './middle-key.ts';
import type { Heard } from './observed-state.ts';

/** What nodes ask each other about their shards, by path. Sent: a path never changes its meaning. */
export const controlPaths = {
  report: '/control/report',
  middle: '/control/middle',
  transfer: '/control/transfer',
} as const;

/** What one node says of itself and of the shards that it leads. */
interface NodeReport {
  /** For how long it has been up. */
  readonly upMs: number;
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly shards: readonly ShardReport[];
}

interface TransferMessage {
  readonly shard: ShardId;
  readonly to: number;
}

const nothing = new Uint8Array(0);

/** Answers for this node. */
export function answerControl(platform: Platform, node: ControlNode, local: LocalShards): void {
  const writes = new LoadMeter(limits.loadWindowMs);
  const startedMs = platform.now();
  const led = (shard: ShardId): LedShard | null => {
    for (const its of local.led()) if (its.shard === shard) return its;
    return null;
  };
  node.handle(controlPaths.report, () => {
    const shards = [...local.led()].map((shard) => reportOf(node.nodeId, shard, writes, platform.now()));
    writes.keepOnly(new Set(shards.map(({ shard }) => shard)));
    return encodePlain({
      upMs: Math.round(platform.now() - startedMs),
      ...local.space,
      shards,
    } satisfies NodeReport);
  });
  node.handle(controlPaths.middle, (body) => {
    const { shard } = decodePlain<{ readonly shard: ShardId }>(body);
    const machine = led(shard)?.machine;
    return (machine === undefined ? null : middleKey(machine.store.keys, machine.span)) ?? nothing;
  });
  node.handle(controlPaths.transfer, async (body) => {
    const { shard, to } = decodePlain<TransferMessage>(body);
    await local.transferLeader(shard, to, { timeoutMs: limits.controlStepCallMs });
    return nothing;
  });
}

function reportOf(leader: number, led: LedShard, writes: LoadMeter, nowMs: number): ShardReport {
  const { shard, term, members, machine } = led;
  const { keys } = machine.store;
  const count = countPage(keys, machine.span, keys.revision);
  return {
    shard,
    leader,
    term,
    range: machine.epoch.range,
    voters: members.voters,
    outgoing: members.votersOutgoing,
    learners: members.learners,
    draining: machine.barrier !== null,
    bytes: Math.max(0, Math.round(keys.liveBytes)),
    keys: count,
    writes: Math.round(writes.rate(shard, machine.seq, nowMs)),
    reads: 0,
    hotKey: false,
    divisible: count > 1,
  };
}

/** Asks a leader where its shard has its middle; null: nowhere, or it leads it no more. */
export async function askMiddle(
  node: ControlNode,
  leader: number,
  shard: ShardId,
): Promise<Uint8Array | null> {
  const patience = { timeoutMs: limits.controlStepCallMs };
  const key = await node.ask(leader as NodeId, controlPaths.middle, encodePlain({ shard }), patience);
  return key.length === 0 ? null : key;
}

export async function askTransfer(
  node: ControlNode,
  leader: number,
  shard: ShardId,
  to: number,
): Promise<void> {
  const patience = { timeoutMs: limits.controlStepCallMs };
  await node.ask(
    leader as NodeId,
    controlPaths.transfer,
    encodePlain({ shard, to } satisfies TransferMessage),
    patience,
  );
}

type HeardNode = Pick<NodeStatus, 'live' | 'sinceMs' | 'usedBytes' | 'capacityBytes'>;

/** Asks all nodes what they lead. Who does not answer is silent. */
export class ShardReports implements Heard {
  readonly #platform: Platform;
  readonly #node: ControlNode;
  #nodes = new Map<number, HeardNode>();
  #shards = new Map<ShardId, ShardReport>();
  readonly #answeredMs = new Map<number, number>();
  #asking: Promise<void> | null = null;

  constructor(platform: Platform, node: ControlNode) {
    this.#platform = platform;
    this.#node = node;
  }

  get nowMs(): number {
    return this.#platform.now();
  }

  node(node: number): HeardNode {
    return this.#nodes.get(node) ?? { live: false, sinceMs: this.nowMs, usedBytes: 0, capacityBytes: 0 };
  }

  report(shard: ShardId): ShardReport | null {
    return this.#shards.get(shard) ?? null;
  }

  /** Whoever asks in the same moment shares the answers. */
  ask(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #ask(): Promise<void> {
    const { order } = this.#node;
    if (order === null) return;
    const ids = order.configuration.nodes.filter(({ state }) => state !== 'left').map(({ node }) => node);
    const answers = await Promise.all(ids.map(async (id) => [id, await this.#askNode(id)] as const));
    const shards = new Map<ShardId, ShardReport>();
    const nodes = new Map<number, HeardNode>();
    for (const [id, answer] of answers) {
      nodes.set(id, this.#heard(id, answer));
      for (const report of answer?.shards ?? []) {
        const known = shards.get(report.shard);
        // One that has not heard of its successor believes that it leads still.
        if (known === undefined || known.term < report.term) shards.set(report.shard, report);
      }
    }
    this.#nodes = nodes;
    this.#shards = shards;
  }

  async #askNode(id: number): Promise<NodeReport | null> {
    const patience = { timeoutMs: limits.controlReportMs };
    try {
      return decodePlain<NodeReport>(
        await this.#node.ask(id as NodeId, controlPaths.report, nothing, patience),
      );
    } catch (error) {
      if (isFlotillaError(error, 'FLOTILLA_STOPPED')) throw error;
      this.#platform.log.debug('a node does not say what it leads', { node: id, reason: messageOf(error) });
      return null;
    }
  }

  #heard(id: number, report: NodeReport | null): HeardNode {
    const before = this.#nodes.get(id);
    if (report !== null) this.#answeredMs.set(id, this.nowMs);
    // One answer that is late does not make a node silent: much would be moved about for nothing.
    const live = this.nowMs - (this.#answeredMs.get(id) ?? -Infinity) < limits.nodeSilentMs;
    // One that is heard of for the first time was there before; one that comes back may go again.
    const firstMs = this.nowMs - (before === undefined ? (report?.upMs ?? 0) : 0);
    const sinceMs = before?.live === live ? before.sinceMs : firstMs;
    return {
      live,
      sinceMs,
      usedBytes: report?.usedBytes ?? before?.usedBytes ?? 0,
      capacityBytes: report?.capacityBytes ?? before?.capacityBytes ?? 0,
    };
  }
}
