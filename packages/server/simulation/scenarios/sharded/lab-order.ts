import { type OrderMachine, orderShard, type ShardMachine, type ShardRow } from '@flotilla/store';
import type { Member } from '../../../src/member/member.ts';
import { groupOf as groupNameOf } from '../../../src/shards/node-groups.ts';
import { holderOf } from './shard-operator.ts';

export interface LabPlaces {
  readonly groupOf: (node: number) => number;
  readonly groupSize: number;
  /** First keys of the courses' shards. */
  readonly cuts: readonly string[];
}

/** What the nodes of a lab have of shards at one moment, seen from inside. */
export class LabOrder {
  readonly order: OrderMachine;
  readonly #members: readonly Member[];
  readonly #places: LabPlaces;
  /** By their first keys. */
  #rows: ReadonlyMap<string, ShardRow> | null = null;

  private constructor(order: OrderMachine, members: readonly Member[], places: LabPlaces) {
    this.order = order;
    this.#members = members;
    this.#places = places;
  }

  /** As whoever has come furthest has it; null: nobody has an order. */
  static of(members: readonly Member[], places: LabPlaces): LabOrder | null {
    let latest: OrderMachine | null = null;
    for (const { shards } of members) {
      const { order } = shards;
      if (order !== null && (latest === null || order.index > latest.index)) latest = order;
    }
    return latest === null ? null : new LabOrder(latest, members, places);
  }

  /** By the courses' number. */
  row(shard: number): ShardRow | null {
    this.#rows ??= new Map(this.order.map.rows.map((row) => [Buffer.from(row.span.from).toString(), row]));
    return this.#rows.get(this.#places.cuts[shard] as string) ?? null;
  }

  holder(shard: number): number | null {
    const row = this.row(shard);
    return row === null ? null : holderOf(row.nodes, this.#places.groupOf, this.#places.groupSize);
  }

  /** Where it is, or is wanted. */
  target(shard: number): number | null {
    const row = this.row(shard);
    const assigned = row === null ? null : this.order.configuration.assignment(row.shard);
    const nodes = assigned?.nodes ?? row?.nodes ?? [];
    return holderOf(nodes, this.#places.groupOf, this.#places.groupSize);
  }

  get joined(): readonly number[] {
    const counts = new Map<number, number>();
    for (const { node, state, labels } of this.order.configuration.nodes) {
      if (state !== 'joined' || groupNameOf(labels) === null) continue;
      const group = this.#places.groupOf(node);
      counts.set(group, (counts.get(group) ?? 0) + 1);
    }
    const whole = [...counts].filter(([, count]) => count === this.#places.groupSize);
    return whole.map(([group]) => group).sort((a, b) => a - b);
  }

  hasLeft(group: number): boolean {
    return this.order.configuration.nodes.every(
      ({ node, state, labels }) =>
        this.#places.groupOf(node) !== group || state === 'left' || groupNameOf(labels) === null,
    );
  }

  isLeaving(group: number): boolean {
    return this.order.configuration.nodes.every(
      ({ node, state, labels }) =>
        this.#places.groupOf(node) !== group || state !== 'joined' || groupNameOf(labels) === null,
    );
  }

  isCutAt(key: string): boolean {
    return this.order.map.rows.some(({ span }) => Buffer.from(span.from).toString() === key);
  }

  /** Whether any replica of the shard has the key. */
  has(shard: number, key: string): boolean {
    const row = this.row(shard);
    return this.#replicas(row?.shard ?? 0).some((machine) => {
      return machine !== null && keysOf(machine).some((text) => text.startsWith(`${key}=`));
    });
  }

  /** Every shard is with one group that has joined, wanted nowhere else, and no group has two more than another. */
  get isEven(): boolean {
    const { joined } = this;
    const counts = new Map(joined.map((group) => [group, 0]));
    for (let shard = 0; shard < this.#places.cuts.length; shard += 1) {
      const holder = this.holder(shard);
      if (holder === null || !counts.has(holder) || this.target(shard) !== holder) return false;
      counts.set(holder, (counts.get(holder) ?? 0) + 1);
    }
    return Math.max(...counts.values()) <= Math.min(...counts.values()) + 1;
  }

  /** Nothing is under way, and every replica is where the order wants it. */
  get isQuiet(): boolean {
    const { configuration } = this.order;
    if ([...configuration.wishes.of('leaving')].length > 0) return false;
    if ([...configuration.wishes.of('merge')].length > 0) return false;
    return this.order.map.rows.every((row) => row.shard === orderShard || this.#isPlaced(row));
  }

  /** Everybody has applied everything, and nothing waits. */
  get isConverged(): boolean {
    if (!this.isQuiet || this.#members.some(({ shards }) => shards.order?.index !== this.order.index))
      return false;
    return this.order.map.rows.every(({ shard }) =>
      this.#replicas(shard).every((machine) => machine !== null && this.#isDone(machine)),
    );
  }

  /** What replicas of one shard say differently; null: nothing. */
  get difference(): string | null {
    for (const { shard } of this.order.map.rows) {
      const states = this.#replicas(shard).map((machine) => (machine === null ? 'none' : stateOf(machine)));
      const other = states.find((state) => state !== states[0]);
      if (other !== undefined) return `replicas of shard ${shard} differ:\n${states[0]}\n${other}`;
    }
    return null;
  }

  describe(): string {
    const { configuration } = this.order;
    const rows = this.order.map.rows.map(({ shard, span, nodes }) => {
      const wanted = configuration.assignment(shard)?.nodes ?? null;
      const target = wanted === null || wanted.join() === nodes.join() ? '' : ` to ${wanted.join('+')}`;
      const leads =
        this.#members.find(({ shards }) => shards.replica(shard)?.leads)?.shards.nodeId ?? 'nobody';
      return `${shard} from ${Buffer.from(span.from).toString()} on ${nodes.join('+')}${target} led by ${leads}`;
    });
    const nodes = configuration.nodes.map(
      ({ node, state, labels }) => `${node} ${state} ${groupNameOf(labels) ?? ''}`,
    );
    return `configuration ${configuration.number}: ${rows.join(', ')}; nodes ${nodes.join(', ')}`;
  }

  #isPlaced({ shard, nodes }: ShardRow): boolean {
    const wanted = this.order.configuration.assignment(shard)?.nodes ?? nodes;
    if (wanted.join() !== nodes.join() || nodes.length !== this.#places.groupSize) return false;
    const holders = this.#members.filter(({ shards }) => shards.held(shard) !== null);
    const names = holders.map(({ shards }) => shards.nodeId as number).sort((a, b) => a - b);
    if (names.join() !== [...nodes].sort((a, b) => a - b).join()) return false;
    return (
      holders.some(({ shards }) => shards.held(shard)?.leads === true) &&
      holders.every(({ shards }) => {
        const held = shards.held(shard);
        return (
          held !== null &&
          held.isReady &&
          held.machine.barrier === null &&
          held.configuration.votersOutgoing.length === 0
        );
      })
    );
  }

  #replicas(shard: number): (ShardMachine | null)[] {
    return this.#members.flatMap(({ shards }) => {
      const replica = shards.replica(shard);
      if (replica === null) return [];
      return [replica.isReady ? replica.machine : null];
    });
  }

  #isDone(machine: ShardMachine): boolean {
    if (machine.barrier !== null || !machine.isDrained) return false;
    return machine.ordered >= (this.order.lastFact(machine.shard, this.order.index) ?? 0);
  }
}

function stateOf(machine: ShardMachine): string {
  const { span, epoch, ordered, known, numbered, seq, life } = machine;
  const ends = [span.from, span.to ?? new Uint8Array(0)].map((end) => Buffer.from(end).toString());
  const told = { ends, range: epoch.range, ordered, known, numbered, seq, life };
  const memory = Buffer.from(machine.encode()).toString('base64');
  return JSON.stringify({ ...told, memory, keys: keysOf(machine) });
}

function keysOf(machine: ShardMachine): readonly string[] {
  const { keys } = machine.store;
  keys.settle();
  const found: string[] = [];
  const cursor = keys.layers.scanLatest({ from: machine.span.from, to: machine.span.to, reverse: false });
  for (; cursor.key !== null; cursor.advance()) {
    const { value, modRevision, version } = cursor.value;
    found.push(
      `${Buffer.from(cursor.key).toString()}=${Buffer.from(value).toString()}@${modRevision}.${version}`,
    );
  }
  return found;
}
