import { assert, unreachable } from '@flotilla/platform';
import { compareBytes } from '../bytes.ts';
import { ChangedParts } from '../changed-parts.ts';
import { decodePlain, encodePlain } from '../encoding/plain.ts';
import { orderShard, type RangeChange, type ShardId } from '../shard/shard-entry.ts';
import {
  type ConfigurationChange,
  ConfigurationHistory,
  type ConfigurationStep,
} from './configuration-history.ts';
import { ClusterWishes, everyShard, type Wish, wishPlace } from './cluster-wishes.ts';
import { nodeLives } from './node-life.ts';
import type { ConfigurationRefusal, NodeEntry, NodeState, OrderEntry } from './order-entry.ts';
import { numberedKey, OrderPart, partKey, type WritePart } from './order-parts.ts';
import { ShardMap, type ShardRow } from './shard-map.ts';

/** A node that the cluster knows. */
export interface ClusterNode extends NodeEntry {
  readonly state: NodeState;
  /** The configuration since which it is that. */
  readonly since: number;
}

/** Where a shard's replicas should be. */
export interface Assignment {
  readonly shard: ShardId;
  readonly nodes: readonly number[];
  /** The configuration since which that is wanted. */
  readonly since: number;
}

/** Where in the order's log a change is made. */
export interface ConfigurationPlace {
  readonly index: number;
  /** The frontier. */
  readonly revision: number;
}

/**
 * Who serves which keys, on which nodes, and where that should be: numbered by every change of any of it, and kept with
 * its history. Whoever wants something changed names the configuration that it has looked at, and is refused when what
 * it wants to change is not what it was: so a controller that comes back from the dead does no harm.
 */
export class ClusterConfiguration {
  readonly #history = new ConfigurationHistory();
  readonly #nodes = new Map<number, ClusterNode>();
  readonly #assignments = new Map<ShardId, Assignment>();
  /** The configuration since which a shard's row, or its assignment, is what it is. */
  readonly #since = new Map<ShardId, number>();
  #map: ShardMap;
  readonly #changedNodes = new ChangedParts<number>();
  readonly #changedAssignments = new ChangedParts<ShardId>();
  readonly #changedRows = new ChangedParts<ShardId>();
  readonly #wishes = new ClusterWishes((wish, id) => this.#changedWishes.add(wishPlace(wish, id)));
  readonly #changedWishes = new ChangedParts<number>();
  #presplit: Presplit = { keys: [], since: 0 };
  #presplitChanged = false;

  constructor(map: ShardMap) {
    this.#map = map;
    for (const { shard } of map.rows) this.#changedRows.add(shard);
  }

  get map(): ShardMap {
    return this.#map;
  }

  get number(): number {
    return this.#map.configuration;
  }

  /** The last changes, the oldest first. */
  get changes(): readonly ConfigurationChange[] {
    return this.#history.changes;
  }

  /** The first configuration that {@link at} still knows. */
  get oldest(): number {
    return this.#history.oldest(this.#map);
  }

  /** The map of a configuration; null: it is not there yet, or no longer kept. */
  at(configuration: number): ShardMap | null {
    return this.#history.map(this.#map, configuration);
  }

  /** In the order of their ids; those that have left, too. */
  get nodes(): readonly ClusterNode[] {
    return [...this.#nodes.values()].sort((a, b) => a.node - b.node);
  }

  node(id: number): ClusterNode | null {
    return this.#nodes.get(id) ?? null;
  }

  /** Null: it is as it should be wherever it is. */
  assignment(shard: ShardId): Assignment | null {
    return this.#assignments.get(shard) ?? null;
  }

  get assignments(): Iterable<Assignment> {
    return this.#assignments.values();
  }

  get wishes(): Pick<ClusterWishes, 'get' | 'of'> {
    return this.#wishes;
  }

  /** Keys at which shards shall begin, in ascending order: those at which one does are not among them any more. */
  get presplits(): readonly Uint8Array[] {
    return this.#presplit.keys;
  }

  /** The configuration since which a shard is what it is. */
  since(shard: ShardId): number {
    return this.#since.get(shard) ?? 0;
  }

  // What the log asks for.

  begin(nodes: readonly NodeEntry[], place: ConfigurationPlace): void {
    this.#become(this.#map.renumbered(), { kind: 'begin' }, place);
    for (const entry of nodes) this.#setNode(entry, 'joined', this.number);
  }

  /** Why a range may not change so, with the nodes that the proposal names; null: it may. */
  refusalOf(change: RangeChange, nodes: readonly number[]): ConfigurationRefusal | null {
    if (change.kind === 'merge') return this.#isBeside(change.into, nodes) ? null : 'not-beside';
    return change.shard === orderShard ? this.#nodesRefusal(nodes, []) : null;
  }

  /**
   * Whether most replicas of a shard, and of what is to become of it, have one beside them of those on these nodes: a
   * neighbour that is elsewhere is fetched, and where it is nowhere near its keys would wait for that. None are named:
   * nobody wants to know.
   */
  #isBeside(into: ShardId, nodes: readonly number[]): boolean {
    if (nodes.length === 0) return true;
    const wanted = [this.#map.row(into)?.nodes ?? [], this.#assignments.get(into)?.nodes ?? []];
    return wanted.every((its) => {
      const beside = its.filter((node) => nodes.includes(node)).length;
      return its.length === 0 || beside * 2 > its.length;
    });
  }

  split(
    change: RangeChange & { readonly kind: 'split' },
    child: ShardId,
    nodes: readonly number[],
    place: ConfigurationPlace,
  ): void {
    const { shard, at } = change;
    const row = this.#map.row(shard);
    assert(row !== null, 'a shard that is split is there');
    const of = shard === orderShard ? nodes : row.nodes;
    this.#become(this.#map.split(shard, at, child, of), { kind: 'split', shard, at, child }, place);
    this.#wishes.split(shard, child, this.number);
    if (this.presplits.some((key) => this.#begins(key)))
      this.#wantPresplits(this.presplits, this.#presplit.since);
  }

  merge({ shard, into }: RangeChange & { readonly kind: 'merge' }, place: ConfigurationPlace): void {
    if (this.#assignments.delete(shard)) this.#changedAssignments.add(shard);
    this.#become(this.#map.merge(shard, into), { kind: 'merge', shard, into }, place);
    this.#wishes.merged(shard);
  }

  refuse(change: RangeChange, place: ConfigurationPlace): void {
    this.#become(this.#map.withVersion(change.shard), { kind: 'refused', change }, place);
  }

  members(
    { shard, membership, nodes }: OrderEntry & { readonly kind: 'members' },
    place: ConfigurationPlace,
  ): boolean {
    const row = this.#map.row(shard);
    if (row === null || row.membership >= membership) return false;
    this.#become(this.#map.withMembers(shard, membership, nodes), { kind: 'members', shard, nodes }, place);
    return true;
  }

  /** Null: it is done. */
  changeNode(
    entry: OrderEntry & { readonly kind: 'node' },
    place: ConfigurationPlace,
  ): ConfigurationRefusal | null {
    const { node, state, zone, labels, configuration } = entry;
    const known = this.#nodes.get(node);
    if (known !== undefined && known.since > configuration) return 'stale';
    // Whether the others are enough was looked at there: two that are emptied at once may leave too few.
    if (state === 'draining' && known?.state === 'joined' && this.#hasChanged(configuration)) return 'stale';
    if (known === undefined && state !== 'joined') return 'unknown-node';
    if (known?.state === 'left' && state === 'draining') return 'node-left';
    if (state === 'left' && this.#isInUse(node)) return 'node-in-use';
    nodeLives.fire(known?.state ?? 'unknown', events[state]);
    const row = this.#map.row(orderShard);
    assert(row !== null, 'the order group has a shard of its own');
    // The order's own shard is wherever the order is.
    const others = row.nodes.filter((other) => other !== node);
    const nodes = state === 'left' ? others : [...others, node].sort((a, b) => a - b);
    const map =
      nodes.length === row.nodes.length
        ? this.#map.renumbered()
        : this.#map.withMembers(orderShard, row.membership + 1, nodes);
    this.#become(map, { kind: 'node', node, state }, place);
    this.#setNode({ node, zone, labels }, state, this.number);
    if (state !== 'draining') this.#wishes.set('leaving', node, null, this.number);
    return null;
  }

  /** Null: it is done. */
  assign(
    entry: OrderEntry & { readonly kind: 'assign' },
    place: ConfigurationPlace,
  ): ConfigurationRefusal | null {
    const { shard, nodes, configuration } = entry;
    const row = this.#map.row(shard);
    if (shard === orderShard) return 'order-shard';
    if (row === null) return 'no-such-shard';
    if (this.since(shard) > configuration) return 'stale';
    if (nodes.some((node) => (this.#nodes.get(node)?.since ?? 0) > configuration)) return 'stale';
    const refusal = this.#nodesRefusal(nodes, row.nodes);
    if (refusal !== null) return refusal;
    this.#become(this.#map.renumbered(), { kind: 'assign', shard, nodes }, place);
    this.#assignments.set(shard, { shard, nodes, since: this.number });
    this.#changedAssignments.add(shard);
    return null;
  }

  /** Null: it is done. */
  wish(
    entry: OrderEntry & { readonly kind: 'wish' },
    place: ConfigurationPlace,
  ): ConfigurationRefusal | null {
    const { wish, id, value, configuration } = entry;
    if ((this.#wishes.get(wish, id)?.since ?? 0) > configuration) return 'stale';
    const refusal = this.#wishRefusal(entry);
    if (refusal !== null) return refusal;
    this.#become(this.#map.renumbered(), { kind: 'wish', wish, id, value }, place);
    this.#wishes.set(wish, id, value, this.number);
    return null;
  }

  /** Null: it is done. */
  presplit(
    { keys, configuration }: OrderEntry & { readonly kind: 'presplit' },
    place: ConfigurationPlace,
  ): ConfigurationRefusal | null {
    if (this.#presplit.since > configuration) return 'stale';
    if (keys.some((key, i) => compareBytes(keys[i - 1] ?? noKey, key) >= 0)) return 'bad-value';
    this.#become(this.#map.renumbered(), { kind: 'presplit', keys: keys.length }, place);
    this.#wantPresplits(keys, this.number);
    return null;
  }

  #wantPresplits(keys: readonly Uint8Array[], since: number): void {
    this.#presplit = { keys: keys.filter((key) => !this.#begins(key)), since };
    this.#presplitChanged = true;
  }

  #begins(key: Uint8Array): boolean {
    return compareBytes(this.#map.ofKey(key).span.from, key) === 0;
  }

  #wishRefusal({
    wish,
    id,
    value,
    configuration,
  }: OrderEntry & { readonly kind: 'wish' }): ConfigurationRefusal | null {
    if (wish === 'leaving') {
      const node = this.#nodes.get(id) ?? null;
      if (node === null) return 'unknown-node';
      if (node.state === 'left') return 'node-left';
      // A wish that comes late, when the node has joined again since, or drains for somebody else.
      return value !== null && (node.since > configuration || node.state === 'joined') ? 'stale' : null;
    }
    if (wish === 'replicas' && id === everyShard) return value === null || value < 1 ? 'bad-value' : null;
    if (this.#map.row(id) === null) return 'no-such-shard';
    if (id === orderShard && wish !== 'kept') return 'order-shard';
    if (wish === 'replicas') return value !== null && value < 1 ? 'bad-value' : null;
    if (wish === 'kept' || value === null) return null;
    // One that was given up, or came to nothing, is not taken up again by a late copy.
    if (this.since(id) > configuration || this.since(value) > configuration) return 'stale';
    return this.#map.allows({ kind: 'merge', shard: id, into: value }) ? null : 'no-neighbours';
  }

  /** `present`: nodes that may stay although they are being emptied. */
  #nodesRefusal(nodes: readonly number[], present: readonly number[]): ConfigurationRefusal | null {
    if (nodes.length === 0 || new Set(nodes).size !== nodes.length) return 'bad-nodes';
    for (const node of nodes) {
      const state = this.#nodes.get(node)?.state;
      if (state === undefined) return 'unknown-node';
      if (state === 'left') return 'node-left';
      if (state === 'draining' && !present.includes(node)) return 'node-draining';
    }
    return null;
  }

  /** Whether a node has come, or gone, since. */
  #hasChanged(configuration: number): boolean {
    return [...this.#nodes.values()].some(({ since }) => since > configuration);
  }

  #isInUse(node: number): boolean {
    const has = ({ shard, nodes }: Pick<ShardRow, 'shard' | 'nodes'>): boolean =>
      shard !== orderShard && nodes.includes(node);
    return this.#map.rows.some(has) || [...this.#assignments.values()].some(has);
  }

  #setNode({ node, zone, labels }: NodeEntry, state: NodeState, since: number): void {
    this.#nodes.set(node, { node, zone, labels, state, since });
    this.#changedNodes.add(node);
  }

  #become(map: ShardMap, step: ConfigurationStep, place: ConfigurationPlace): void {
    const before = this.#map;
    this.#map = map;
    this.#record(step, before, place);
  }

  #record(step: ConfigurationStep, from: ShardMap, { index, revision }: ConfigurationPlace): void {
    const configuration = this.number;
    const shards = shardsOf(step);
    const rowsOf = (map: ShardMap): ShardRow[] =>
      shards.flatMap((shard) => {
        const row = map.row(shard);
        return row === null ? [] : [row];
      });
    const [before, after] = [rowsOf(from), rowsOf(this.#map)];
    for (const shard of shards) {
      this.#changedRows.add(shard);
      if (this.#map.row(shard) === null) this.#since.delete(shard);
      else this.#since.set(shard, configuration);
    }
    this.#history.add({ configuration, index, revision, step, before, after });
  }

  // Its records.

  flush(write: WritePart, everything: boolean): void {
    const rows = everything ? this.#map.rows.map(({ shard }) => shard) : this.#changedRows.take();
    for (const shard of rows) {
      const row = this.#map.row(shard);
      const record = row === null ? null : encodePlain({ row, since: this.since(shard) });
      write(numberedKey(OrderPart.ROW, shard), record);
    }
    for (const id of everything ? this.#nodes.keys() : this.#changedNodes.take()) {
      write(numberedKey(OrderPart.NODE, id), encodePlain(this.#nodes.get(id)));
    }
    for (const shard of everything ? this.#assignments.keys() : this.#changedAssignments.take()) {
      const assignment = this.#assignments.get(shard);
      write(
        numberedKey(OrderPart.ASSIGNMENT, shard),
        assignment === undefined ? null : encodePlain(assignment),
      );
    }
    for (const place of everything ? this.#wishes.places() : this.#changedWishes.take()) {
      const wish = this.#wishes.at(place);
      write(numberedKey(OrderPart.WISH, place), wish === null ? null : encodePlain(wish));
    }
    if (everything ? this.#presplit.since > 0 : this.#presplitChanged) {
      write(partKey(OrderPart.PRESPLIT), encodePlain(this.#presplit));
    }
    if (!everything) this.#presplitChanged = false;
    this.#history.flush(write, everything);
  }

  static restored(number: number, stored: StoredConfiguration): ClusterConfiguration {
    const rows = stored.rows.map((record) => decodePlain<StoredRow>(record));
    const configuration = new ClusterConfiguration(
      new ShardMap(
        rows.map(({ row }) => row),
        number,
      ),
    );
    configuration.#changedRows.take();
    for (const { row, since } of rows) if (since > 0) configuration.#since.set(row.shard, since);
    for (const record of stored.nodes) {
      const node = decodePlain<ClusterNode>(record);
      configuration.#nodes.set(node.node, node);
    }
    for (const record of stored.assignments) {
      const assignment = decodePlain<Assignment>(record);
      configuration.#assignments.set(assignment.shard, assignment);
    }
    for (const record of stored.wishes) configuration.#wishes.restore(decodePlain<Wish>(record));
    if (stored.presplit !== null) configuration.#presplit = decodePlain<Presplit>(stored.presplit);
    for (const record of stored.changes) configuration.#history.restore(record);
    return configuration;
  }
}

/** Records of each kind, in the order of their keys. */
export interface StoredConfiguration {
  readonly rows: readonly Uint8Array[];
  readonly nodes: readonly Uint8Array[];
  readonly assignments: readonly Uint8Array[];
  readonly changes: readonly Uint8Array[];
  readonly wishes: readonly Uint8Array[];
  /** Null: none was ever wanted. */
  readonly presplit: Uint8Array | null;
}

interface Presplit {
  readonly keys: readonly Uint8Array[];
  /** The configuration since which they are wanted. */
  readonly since: number;
}

const noKey = new Uint8Array(0);

interface StoredRow {
  readonly row: ShardRow;
  readonly since: number;
}

const events = { joined: 'join', draining: 'drain', left: 'leave' } as const;

/** Whose rows a step may have changed. */
function shardsOf(step: ConfigurationStep): readonly ShardId[] {
  switch (step.kind) {
    case 'split':
      return [step.shard, step.child];
    case 'merge':
      return [step.shard, step.into];
    case 'refused':
      return [step.change.shard];
    case 'members':
    case 'assign':
      return [step.shard];
    case 'node':
      return [orderShard];
    case 'begin':
    case 'wish':
    case 'presplit':
      return [];
    default:
      return unreachable(step);
  }
}
