import { randomUUID } from 'node:crypto';
import {
  checkLinearizability,
  describeVerdict,
  History,
  keyValueModel,
  type KeyValueOperation,
  type KeyValueResult,
} from '@flotilla/check';
import { type Logger, type Platform, type Random, seededRandom } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { type RpcChannel, RpcError } from '@flotilla/wire';
import { type ClientWire, reliableWire, unreliableWire } from '../../../simulation/scenarios/client-wire.ts';
import { type ClientHome, KvClient } from '../../../simulation/scenarios/kv-client.ts';
import type { Measure } from '../../../simulation/scenarios/lab-result.ts';
import { LabStopped } from '../../../simulation/scenarios/lab-stopped.ts';
import { ShardOperator } from '../../../simulation/scenarios/sharded/shard-operator.ts';
import type {
  LabChange,
  LabConfiguration,
  LabNode,
  ShardedLab,
  ShardedLabOptions,
} from '../../../simulation/scenarios/sharded/sharded-lab.ts';
import { LabSight } from './lab-sight.ts';
import type { Outside } from './outside.ts';

const labLimits = {
  /** A machine that starts so many processes at once is busy with that. */
  bootMs: 180_000,
  commandMs: 120_000,
  queryMs: 5_000,
  clientsMs: 10_000,
  convergenceMs: 60_000,
} as const;
/** Nodes that only order. */
const orderers = 3;

interface ProcessNode extends LabNode {
  /** Of its process. Node ids number the members by name, and so follow it. */
  readonly index: number;
}

/**
 * {@link ShardedLab} over real processes: killed with -9, and cut off by the proxies that they reach each other through.
 * The script, its clients and the operator run in this thread, everything else {@link Outside} of it.
 */
export class ProcessShardedLab implements ShardedLab, ClientHome {
  readonly history = new History<KeyValueOperation, KeyValueResult>(() => performance.now());
  readonly sessionPrefix = `${randomUUID()}.`;
  readonly memberNames: readonly string[];
  readonly shards: number;
  readonly wire: ClientWire;
  readonly tape: ClientHome['tape'];
  readonly #options: ShardedLabOptions;
  readonly #outside: Outside;
  readonly #platform: Platform;
  readonly #operator: ShardOperator;
  readonly #nodes: readonly ProcessNode[];
  readonly #patience: number;
  readonly #clients: KvClient[] = [];
  readonly #measures = new Map<string, Measure>();
  readonly #asked: (() => Promise<void>)[] = [];
  readonly #down = new Set<string>();
  readonly #cut = new Set<string>();
  #failure: string | null = null;
  /** What was seen before says nothing of what a script waits for now. */
  #sinceMs = 0;
  #waits = false;

  /** `patience`: 1, or more on a machine that is busy with something else. */
  constructor(outside: Outside, options: ShardedLabOptions, seed: number, patience: number) {
    this.#outside = outside;
    this.#options = options;
    this.#patience = patience;
    this.shards = options.shards;
    this.wire = options.unreliable === true ? unreliableWire : reliableWire;
    const random: Random = seededRandom(seed);
    this.tape = {
      choose: (count) => random.below(count),
      chance: (numerator, denominator) => random.below(denominator) < numerator,
    };
    this.#nodes = placesOf(options).map((place, index) => ({ ...place, index }));
    this.memberNames = this.#nodes.map(({ name }) => name);
    this.#platform = {
      ...nodePlatform({
        nodeName: 'clients',
        logger: silent,
        onFatal: (error) => this.failed(error.message),
      }),
      // Of the script's thread, whose event loop waits with the script.
      timer: (delayMs, _name, ring) => outside.after(delayMs, ring),
    };
    this.#operator = new ShardOperator({
      channels: this.#nodes.map(({ index }) => outside.channel(index)),
      pause: (durationMs) => new Promise((resolve) => outside.after(durationMs, resolve)),
    });
  }

  // Time.

  get now(): number {
    return performance.now();
  }

  sleep(durationMs: number): void {
    this.#outside.until(durationMs, () => this.#failure !== null);
    this.#stopIfFailed();
  }

  until(durationMs: number, condition: () => boolean): boolean {
    this.#sinceMs = this.#outside.now;
    this.#waits = true;
    const holds = this.#outside.until(durationMs, () => this.#failure !== null || condition());
    this.#waits = false;
    this.#stopIfFailed();
    return holds;
  }

  within(what: string, limitMs: number, condition: () => boolean): void {
    const beginMs = this.now;
    if (!this.until(limitMs * this.#patience, condition)) this.#fail(`${what}: not within ${limitMs} ms`);
    this.measure(what, this.now - beginMs, limitMs, 'ms');
  }

  draw(bound: number, label: string): number {
    return this.tape.choose(bound, label);
  }

  /** What was measured, and of each its worst value. */
  get worst(): readonly Measure[] {
    return [...this.#measures.values()];
  }

  measure(what: string, value: number, limit: number, unit: string): void {
    const worst = this.#measures.get(what);
    if (worst === undefined || value > worst.value) this.#measures.set(what, { what, value, limit, unit });
    const allowed = unit === 'ms' ? limit * this.#patience : limit;
    if (value > allowed) this.#fail(`${what}: ${Math.round(value)} ${unit}, at most ${limit} allowed`);
  }

  expect(fine: boolean, message: string): void {
    if (!fine) this.#fail(message);
  }

  keyOf(shard: number, name = 'key'): string {
    return `${cutOf(shard)}/${name}`;
  }

  // Its beginning and its end.

  boot(joined: readonly number[]): void {
    const { snapshotEvery = null, unreliable = false } = this.#options;
    const flags = [
      `--snapshot-count=${snapshotEvery ?? 1_000_000}`,
      ...(snapshotEvery === null ? [] : ['--snapshot-catchup-entries=1']),
      `--election-timeout=${1_000 * this.#patience}`,
      `--heartbeat-interval=${100 * this.#patience}`,
    ];
    // The network is as it shall be once everybody is there.
    const options = { members: this.#nodes.length, flags, network: 'reliable' } as const;
    this.#outside.command({ kind: 'begin', options }, labLimits.bootMs * this.#patience);
    this.#act(async (operator) => {
      await operator.begin(this.#groupSize);
      for (const node of this.#nodes) {
        if (joined.includes(node.group)) await operator.join(operated(node));
      }
      for (let shard = this.shards - 1; shard >= 0; shard -= 1) await operator.split(cutOf(shard));
    });
    this.#require(labLimits.bootMs, 'every shard serves', () => {
      const sight = this.#sight;
      return sight !== null && sight.isEven && sight.isQuiet;
    });
    if (unreliable) this.#command({ kind: 'network', network: 'unreliable' });
  }

  finish(): void {
    this.cutOff([]);
    this.start(this.#nodes);
    this.#require(labLimits.convergenceMs, 'every replica is where it should be', () => this.isSettled);
    this.#command({ kind: 'judge', withinMs: labLimits.convergenceMs * this.#patience });
    const { verdict } = checkLinearizability(keyValueModel, this.history.calls);
    this.expect(verdict.outcome === 'ok', describeVerdict(verdict));
    this.#stopIfFailed();
  }

  // The courses' operations, and others.

  join(groups: readonly number[], through?: LabNode): LabChange {
    const nodes = this.#nodes.filter(({ group }) => groups.includes(group));
    return this.#change(
      (operator) => each(nodes, (node) => operator.join(operated(node), this.#placeOf(through))),
      (sight) => sight.isEven && groups.every((group) => sight.joined.includes(group)),
    );
  }

  leave(groups: readonly number[], through?: LabNode): LabChange {
    const nodes = this.#nodes.filter(({ group }) => groups.includes(group));
    return this.#change(
      (operator) => each(nodes, (node) => operator.leave(operated(node), this.#placeOf(through))),
      (sight) => sight.isEven && groups.every((group) => sight.hasLeft(group)),
    );
  }

  move(shard: number, group: number, through?: LabNode): LabChange {
    const [target] = this.#nodes.filter((node) => node.group === group);
    return this.#change(
      (operator) => operator.move(cutOf(shard), operated(target as ProcessNode), this.#placeOf(through)),
      (sight) => sight.holder(shard) === group && sight.isQuiet,
      false,
    );
  }

  query(number = -1, through?: LabNode): LabConfiguration | null {
    const places = through === undefined ? this.#reachable : [this.#processNode(through).index];
    let told: LabConfiguration | null = null;
    let isOver = false;
    this.#run(async (operator) => {
      for (let attempt = 0; told === null && !isOver; attempt += 1) {
        const at = places[attempt % places.length] ?? 0;
        try {
          told = await operator.query(at, number, this.#cuts, (node) => this.#groupOf(node), this.#groupSize);
        } catch (error) {
          if (!(error instanceof RpcError)) throw error;
          if (error.message.includes('no-such-configuration')) break;
        }
        if (told === null) await new Promise<void>((resolve) => this.#outside.after(20, resolve));
      }
      isOver = true;
    });
    this.until(labLimits.queryMs * this.#patience, () => isOver);
    isOver = true;
    return told;
  }

  split(key: string, through?: LabNode): LabChange {
    const place = this.#placeOf(through);
    return this.#change(
      (operator) => operator.split(key, place),
      () => true,
    );
  }

  merge(key: string, through?: LabNode): LabChange {
    const place = this.#placeOf(through);
    return this.#change(
      (operator) => operator.merge(key, place),
      () => true,
    );
  }

  get isSettled(): boolean {
    return this.#sight?.isQuiet === true;
  }

  replayChanges(): void {
    for (const again of this.#asked) this.#run(() => again());
  }

  // Faults.

  nodes(group: number): readonly LabNode[] {
    return this.#nodes.filter((node) => node.group === group);
  }

  get controller(): LabNode | null {
    // A script that only looks, and does not wait, wants to know of now.
    if (!this.#waits) this.until(labLimits.queryMs, () => this.#sight !== null);
    if (this.#sight === null) return null;
    const { sight } = this.#outside;
    const leader = sight?.leader ?? null;
    const node = leader === null ? null : (this.#nodes[leader] as ProcessNode);
    return node === null || this.#down.has(node.name) || this.#cut.has(node.name) ? null : node;
  }

  crash(nodes: readonly LabNode[]): void {
    const running = nodes.filter(({ name }) => !this.#down.has(name));
    for (const { name } of running) this.#down.add(name);
    this.#command({ kind: 'kill', members: running.map((node) => this.#processNode(node).index) });
  }

  /** They serve then. */
  start(nodes: readonly LabNode[]): void {
    const asked = nodes.filter(({ name }) => this.#down.has(name));
    this.#command({ kind: 'start', members: asked.map((node) => this.#processNode(node).index) });
    for (const { name } of asked) this.#down.delete(name);
  }

  cutOff(nodes: readonly LabNode[]): void {
    this.#cut.clear();
    for (const { name } of nodes) this.#cut.add(name);
    const members = nodes.map((node) => this.#processNode(node).index);
    this.#outside.cut(members);
    this.#command({ kind: 'cut', members });
  }

  get storedBytes(): number {
    throw new Error('what a process stores is not seen from outside: scenario 59 is one for the simulator');
  }

  // Clients.

  client(body: (client: KvClient) => Promise<void>): KvClient {
    const client = new KvClient(this, this.#clients.length + 1, body);
    this.#clients.push(client);
    client.main(this.#platform).catch((error: unknown) => this.failed(String((error as Error).stack)));
    return client;
  }

  clientsEnd(limitMs: number = labLimits.clientsMs): void {
    this.within('clients end', limitMs, () => this.#clients.every(({ finished }) => finished));
  }

  open(_platform: Platform, name: string): RpcChannel {
    return this.#outside.channel(this.memberNames.indexOf(name));
  }

  failed(message: string): void {
    this.#failure ??= message;
  }

  // Within.

  get #groupSize(): number {
    return this.#options.nodesOfAGroup ?? 3;
  }

  get #cuts(): readonly string[] {
    return Array.from({ length: this.shards }, (_, shard) => cutOf(shard));
  }

  #groupOf(node: number): number {
    return this.#nodes[node - 1]?.group ?? 0;
  }

  /** Null: nothing was seen since the script began to wait. */
  get #sight(): LabSight | null {
    const { sight } = this.#outside;
    if (sight === null || sight.beganMs < this.#sinceMs) return null;
    const groupOf = (node: number): number => this.#groupOf(node);
    return new LabSight(sight, { groupOf, groupSize: this.#groupSize, cuts: this.#cuts });
  }

  get #reachable(): readonly number[] {
    return this.#nodes.flatMap(({ name, index }) =>
      this.#down.has(name) || this.#cut.has(name) ? [] : [index],
    );
  }

  #processNode(node: LabNode): ProcessNode {
    return this.#nodes.find(({ name }) => name === node.name) as ProcessNode;
  }

  #placeOf(through: LabNode | undefined): number {
    return through === undefined
      ? this.draw(orderers, 'node that is asked')
      : this.#processNode(through).index;
  }

  #change(
    ask: (operator: ShardOperator) => Promise<void>,
    isSo: (sight: LabSight) => boolean,
    mustEnd = true,
  ): LabChange {
    let ended = false;
    let refused: string | null = null;
    const once = async (): Promise<void> => {
      try {
        await ask(this.#operator);
        ended = true;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        refused ??= error.message;
      }
    };
    this.#run(once);
    this.#asked.push(once);
    const isDone = (): boolean => {
      const sight = this.#sight;
      return (ended || !mustEnd) && sight !== null && isSo(sight);
    };
    return {
      get isDone() {
        return isDone();
      },
      get refused() {
        return refused;
      },
    };
  }

  /** Does it to its end. */
  #act(action: (operator: ShardOperator) => Promise<void>): void {
    let isOver = false;
    this.#run(async (operator) => {
      await action(operator);
      isOver = true;
    });
    this.#require(labLimits.bootMs, 'the operator is done', () => isOver);
  }

  #run(action: (operator: ShardOperator) => Promise<void>): void {
    action(this.#operator).catch((error: unknown) => this.failed(String((error as Error).stack)));
  }

  #command(command: Parameters<Outside['command']>[0]): void {
    this.#outside.command(command, labLimits.commandMs * this.#patience);
    this.#stopIfFailed();
  }

  /** For what no course has a number for. */
  #require(limitMs: number, what: string, condition: () => boolean): void {
    if (!this.until(limitMs * this.#patience, condition)) this.#fail(`${what}: not within ${limitMs} ms`);
  }

  #fail(message: string): never {
    const waiting = this.#clients.filter(({ finished }) => !finished).length;
    const down = `down: ${[...this.#down].join()}; cut off: ${[...this.#cut].join()}`;
    this.#failure = `${message}; ${waiting} clients are waiting; ${down}; seen: ${JSON.stringify(this.#outside.sight)}`;
    throw new LabStopped(this.#failure);
  }

  #stopIfFailed(): void {
    if (this.#failure !== null) throw new LabStopped(this.#failure);
  }
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Shard 0 keeps what is before the first of them. */
function cutOf(shard: number): string {
  return String.fromCharCode('b'.charCodeAt(0) + shard);
}

function placesOf({ groups, nodesOfAGroup = 3 }: ShardedLabOptions): LabNode[] {
  const sizes = [orderers, ...Array.from({ length: groups }, () => nodesOfAGroup)];
  return sizes.flatMap((size, group) =>
    Array.from({ length: size }, (_, i) => ({
      name: group === 0 ? `o${i + 1}` : `g${group}n${i + 1}`,
      group,
    })),
  );
}

function operated({ index, group }: ProcessNode): { readonly id: number; readonly group: number } {
  return { id: index + 1, group };
}

async function each(nodes: readonly ProcessNode[], ask: (node: ProcessNode) => Promise<void>): Promise<void> {
  await Promise.all(nodes.map(ask));
}
