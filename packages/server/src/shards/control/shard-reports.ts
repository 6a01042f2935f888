import { isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import {
  countPage,
  decodePlain,
  encodePlain,
  holdsKey,
  type KeySpan,
  type ShardId,
  type ShardMachine,
} from '@flotilla/store';
import { limits } from '../../limits.ts';
import type { NodeStatus, ShardReport } from './cluster-state.ts';
import { compareKeys } from './compare-keys.ts';
import { LoadMeter } from './load-meter.ts';
import type { ControlNode, LedShard, LocalShards } from './local-shards.ts';
import { middleKey } from './middle-key.ts';
import type { Heard } from './observed-state.ts';
import { WriteSamples } from './write-samples.ts';

/** What nodes ask each other about their shards, by path. Sent: a path never changes its meaning. */
export const controlPaths = {
  report: '/control/report',
  middle: '/control/middle',
  transfer: '/control/transfer',
} as const;

/** What one node says of itself and of the shards that it leads. */
interface NodeReport {
  /** For how long it has been up, and whether it had no shard when it came: then nobody has lost anything by it. */
  readonly upMs: number;
  readonly isNew?: boolean;
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly shards: readonly ShardReport[];
}

interface MiddleMessage {
  readonly shard: ShardId;
  /** Of keys, unless said. */
  readonly of?: 'keys' | 'writes';
}

interface TransferMessage {
  readonly shard: ShardId;
  readonly to: number;
}

const nothing = new Uint8Array(0);

/** Answers for this node. */
export function answerControl(platform: Platform, node: ControlNode, local: LocalShards): void {
  const writes = new LoadMeter(limits.loadWindowMs);
  const counts = new KeyCounts(platform);
  const hotKeys = new HotKeys(platform);
  const startedMs = platform.now();
  const samples = new WriteSamples(platform.random.fork('write-samples'), () => platform.now());
  node.onApplied(({ shard, entry }) => {
    if (node.replica(shard)?.leads === true) samples.applied(shard, entry);
  });
  const led = (shard: ShardId): LedShard | null => {
    for (const its of local.led()) if (its.shard === shard) return its;
    return null;
  };
  node.handle(controlPaths.report, () => {
    const shards = [...local.led()].map((its) => {
      const isHotKey = hotKeys.of(its.machine, () => samples.middle(its.shard, its.machine.span).isHotKey);
      return reportOf(node.nodeId, its, counts.of(its.machine), writes, isHotKey, platform.now());
    });
    const ids = new Set(shards.map(({ shard }) => shard));
    writes.keepOnly(ids);
    samples.keepOnly(ids);
    return encodePlain({
      upMs: Math.round(platform.now() - startedMs),
      isNew: local.isNew,
      ...local.space,
      shards,
    } satisfies NodeReport);
  });
  node.handle(controlPaths.middle, (body) => {
    const { shard, of } = decodePlain<MiddleMessage>(body);
    const machine = led(shard)?.machine;
    if (machine === undefined) return nothing;
    const { span } = machine;
    const byWrites = of === 'writes' ? samples.middle(shard, span).key : null;
    const isInside = byWrites !== null && holdsKey(span, byWrites) && compareKeys(byWrites, span.from) > 0;
    return (isInside ? byWrites : middleKey(machine.store.keys, span)) ?? nothing;
  });
  node.handle(controlPaths.transfer, async (body) => {
    const { shard, to } = decodePlain<TransferMessage>(body);
    await local.transferLeader(shard, to, { timeoutMs: limits.heirPatienceMs });
    return nothing;
  });
}

interface Counted {
  readonly revision: number;
  readonly span: KeySpan;
  readonly count: number;
  readonly atMs: number;
}

/** How many keys shards have, counted anew where something was written: most are at rest. Many are not counted often. */
class KeyCounts {
  readonly #platform: Platform;
  readonly #known = new WeakMap<ShardMachine, Counted>();

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  of(machine: ShardMachine): number {
    const { span } = machine;
    const { keys } = machine.store;
    const { revision } = keys;
    const known = this.#known.get(machine);
    const atMs = this.#platform.now();
    if (known !== undefined && known.span === span) {
      const isNew = known.count > limits.countedOftenKeys && atMs - known.atMs < limits.countAgainMs;
      if (isNew || known.revision === revision) return known.count;
    }
    const count = countPage(keys, span, revision);
    this.#known.set(machine, { revision, span, count, atMs });
    return count;
  }
}

/** Whether one key carries a shard's load: found out once a second, however often it is asked for. */
class HotKeys {
  readonly #platform: Platform;
  readonly #known = new WeakMap<ShardMachine, { readonly isHotKey: boolean; readonly atMs: number }>();

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  of(machine: ShardMachine, look: () => boolean): boolean {
    const known = this.#known.get(machine);
    const atMs = this.#platform.now();
    if (known !== undefined && atMs - known.atMs < limits.countAgainMs) return known.isHotKey;
    const isHotKey = look();
    this.#known.set(machine, { isHotKey, atMs });
    return isHotKey;
  }
}

function reportOf(
  leader: number,
  led: LedShard,
  count: number,
  writes: LoadMeter,
  isHotKey: boolean,
  nowMs: number,
): ShardReport {
  const { shard, term, members, machine } = led;
  const { keys } = machine.store;
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
    hotKey: isHotKey,
    divisible: count > 1,
  };
}

/** Asks a leader where its shard has its middle, of keys or of writes; null: nowhere, or it leads it no more. */
export async function askMiddle(
  node: ControlNode,
  leader: number,
  shard: ShardId,
  of: 'keys' | 'writes',
): Promise<Uint8Array | null> {
  const patience = { timeoutMs: limits.controlStepCallMs };
  const body = encodePlain({ shard, of } satisfies MiddleMessage);
  const key = await node.ask(leader as NodeId, controlPaths.middle, body, patience);
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

/** Asks all nodes what they lead. Who does not answer is silent, and hardly waited for until it does. */
export class ShardReports implements Heard {
  readonly #platform: Platform;
  readonly #node: ControlNode;
  #nodes = new Map<number, HeardNode>();
  #shards = new Map<ShardId, ShardReport>();
  readonly #answeredMs = new Map<number, number>();
  /** Since when those did not answer that were asked last. */
  readonly #silentMs = new Map<number, number>();
  readonly #askedNodes = new Map<number, Promise<NodeReport | null>>();
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
    const answers = await this.#askNodes(ids);
    const shards = new Map<ShardId, ShardReport>();
    const nodes = new Map<number, HeardNode>();
    for (const id of ids) {
      const answer = answers.get(id) ?? null;
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

  /** Who cannot be heard, or was silent a moment ago, does not hold up what is to be done about all others. */
  async #askNodes(ids: readonly number[]): Promise<ReadonlyMap<number, NodeReport>> {
    const answers = new Map<number, NodeReport>();
    let stopped: unknown = null;
    const isSilent = (id: number): boolean =>
      !this.#node.hears(id) || this.nowMs - (this.#silentMs.get(id) ?? -Infinity) < limits.nodeSilentMs;
    const [silent, others] = [ids.filter(isSilent), ids.filter((id) => !isSilent(id))];
    const askAll = async (nodes: readonly number[]): Promise<void> => {
      try {
        await Promise.all(
          nodes.map(async (id) => {
            const answer = await this.#askOnce(id);
            if (answer !== null) answers.set(id, answer);
          }),
        );
      } catch (error) {
        stopped = error;
      }
    };
    const late = askAll(silent);
    await askAll(others);
    if (silent.length > 0) await this.#within(late, limits.controlSilentMs);
    if (stopped !== null) throw stopped;
    return answers;
  }

  #within(task: Promise<void>, timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#platform.timer(timeoutMs, 'shard-reports', resolve);
      void task.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #askOnce(id: number): Promise<NodeReport | null> {
    const before = this.#askedNodes.get(id);
    if (before !== undefined) return before;
    const asked = this.#askNode(id).finally(() => this.#askedNodes.delete(id));
    this.#askedNodes.set(id, asked);
    return asked;
  }

  async #askNode(id: number): Promise<NodeReport | null> {
    const patience = { timeoutMs: limits.controlReportMs };
    try {
      const answer = await this.#node.ask(id as NodeId, controlPaths.report, nothing, patience);
      this.#silentMs.delete(id);
      return decodePlain<NodeReport>(answer);
    } catch (error) {
      if (isFlotillaError(error, 'FLOTILLA_STOPPED')) throw error;
      this.#silentMs.set(id, this.nowMs);
      this.#platform.log.debug('a node does not say what it leads', { node: id, reason: messageOf(error) });
      return null;
    }
  }

  #heard(id: number, report: NodeReport | null): HeardNode {
    const before = this.#nodes.get(id);
    const isFirst = !this.#answeredMs.has(id);
    if (report !== null) this.#answeredMs.set(id, this.nowMs);
    // One answer that is late does not make a node silent: much would be moved about for nothing.
    const live = this.nowMs - (this.#answeredMs.get(id) ?? -Infinity) < limits.nodeSilentMs;
    // One that is heard of for the first time was there before; one that comes back may go again, unless it is new.
    const upMs = report?.upMs ?? 0;
    const hasRestarted = upMs <= this.nowMs - (before?.sinceMs ?? this.nowMs);
    const isNew = report?.isNew === true && (isFirst || hasRestarted);
    const firstMs = isNew ? -Infinity : this.nowMs - (isFirst ? upMs : 0);
    const sinceMs = before?.live === live ? before.sinceMs : firstMs;
    return {
      live,
      sinceMs,
      usedBytes: report?.usedBytes ?? before?.usedBytes ?? 0,
      capacityBytes: report?.capacityBytes ?? before?.capacityBytes ?? 0,
    };
  }
}
