import { assert } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { applyChange, decodeMembershipChange, emptyConfiguration } from '@flotilla/raft';
import type {
  Configuration,
  Entry,
  Index,
  SnapshotMeta,
  SnapshotSink,
  SnapshotSource,
  StateMachine,
  Term,
} from '@flotilla/raft';
import { bytesToString } from '../bytes.ts';
import { decodeInstalled, encodeInstalled } from '../installed-snapshot.ts';
import { limits } from '../limits.ts';
import type { LogPosition } from '../mvcc/meta.ts';
import type { StateSummary } from '../mvcc/state.ts';
import type {
  MetaRow,
  NodeStore,
  PartState,
  SharedShardStore,
  ShardInstall,
  StoredShard,
  StorePart,
} from '../node-store/node-store.ts';
import { ShardRowName, shardRowsOf } from '../node-store/shard-rows.ts';
import type { ShardEffect, ShardEntry, ShardId } from './shard-entry.ts';
import { decodeShardEntry, mayNeedNeighbour } from './shard-entry-codec.ts';
import { type InstallTarget, ShardSnapshotSink } from './shard-install.ts';
import { type ShardBounds, ShardMachine } from './shard-machine.ts';
import {
  decodeInstallNote,
  decodeShardRecord,
  encodeInstallNote,
  encodeShardRecord,
} from './shard-record.ts';
import type { GroupConfigurations } from './shard-record.ts';
import { ShardPart } from './shard-parts.ts';
import { ShardSnapshot } from './shard-snapshot.ts';
import type { ShardSnapshotHeader } from './shard-snapshot.ts';
import type { ShardAccess } from './shard-store.ts';

interface Position {
  readonly index: Index;
  readonly term: Term;
}

/** An entry of a shard's log that a replica has applied. */
export interface ReplicaApplied extends Position {
  /** Null: it says nothing to the shard, as what a leader begins its term with. */
  readonly entry: ShardEntry | null;
  /** In the order in which they came about. */
  readonly effects: readonly ShardEffect[];
}

/**
 * The node that a replica is on. Called in the middle of applying, so that what is done here is in the same commit:
 * nothing here may apply, commit or read by a barrier.
 */
export interface ReplicaObserver {
  applied(replica: ShardReplica, applied: ReplicaApplied): void;
  /**
   * A child has begun where its parent was split, and is stored with it. Its group is to be opened with
   * {@link ShardReplica.initialConfiguration}. A node that takes no part in it, or has a replica already, removes it.
   */
  spawned(child: ShardReplica, parent: ShardReplica): void;
  /**
   * The replica has taken over a neighbour, which is none any more: its group is to be closed. `flushed`: when a crash
   * does not bring it back; only then may its log go, since a replay before that needs it. It does not resolve any more
   * when the replica is removed first.
   */
  absorbed(replica: ShardReplica, drained: ShardReplica, flushed: Promise<void>): void;
  /** A snapshot has put another state in the place of the one before, if there was one. */
  restored(replica: ShardReplica): void;
}

/** A neighbour that has drained, with everything that was said to it up to an index of the order. */
export interface NeighbourNeed {
  readonly drained: ShardId;
  readonly upTo: number;
}

export interface ReplicaParts {
  readonly platform: Platform;
  readonly store: NodeStore;
  readonly observer: ReplicaObserver;
  /** Opens what the `encode` of a shard's access has written. */
  readonly access: (encoded: Uint8Array) => ShardAccess;
  /** Another replica of this node; null: there is none. */
  readonly neighbour: (shard: ShardId) => ShardReplica | null;
  readonly bounds?: ShardBounds;
}

/**
 * A shard as Raft's state machine: applies its log to a {@link ShardMachine} over the store that all replicas of the node
 * share. As with a database, what is applied runs ahead of what is stored, and a commit has each replica after some entry
 * of its log; what several replicas did in one turn (a split, a merge) is in one commit.
 *
 * ```
 *   entries ─▶ decode ─▶ machine ─▶ effects ─▶ node: answers, votes, child, neighbour taken over
 *                          │
 *                          └─▶ rows of its span ─┐
 *   position, machine, configuration ────────────┴─▶ one commit of the node
 * ```
 */
export class ShardReplica implements StateMachine<readonly ShardEffect[]> {
  readonly id: ShardId;
  readonly #parts: ReplicaParts;
  /** What the node's store sees of it. */
  readonly #part: StorePart;
  /** Null: there is no state. */
  #state: ReplicaState | null = null;
  #configurations: GroupConfigurations;
  #applied: Position = nowhere;
  #flushed: Position = nowhere;
  #installed: SnapshotMeta | null = null;
  /** What the snapshot that is coming in is of. */
  #installing: SnapshotMeta | null = null;
  /** Handed over to a neighbour, or removed. */
  #ended = false;
  /** Names of the rows that the machine has in META. */
  readonly #stored = new Map<string, Uint8Array>();
  /** Neighbours that were taken over, until that survives a crash. */
  #taken: TakenNeighbour[] = [];
  #compactionDue = false;
  #waitsFor: NeighbourNeed | null = null;
  /** An install was begun and did not end: a mark is stored in place of the state. */
  #isMarked = false;

  /**
   * Those that were stored when the store was opened; what was being removed then is none. Throws
   * `FLOTILLA_STORAGE_VERSION`.
   */
  static openAll(parts: ReplicaParts): ShardReplica[] {
    return parts.store.stored
      .filter(({ mark }) => mark?.kind !== 'removing')
      .map((stored) => ShardReplica.open(parts, stored));
  }

  /** One that was stored. Throws `FLOTILLA_STORAGE_VERSION`. */
  static open(parts: ReplicaParts, { shard, rows, mark }: StoredShard): ShardReplica {
    if (mark !== null) {
      const marked = new ShardReplica(parts, shard, configurationsOf(decodeInstallNote(mark.note)));
      marked.#isMarked = true;
      return marked;
    }
    const row = (name: number): Uint8Array | null =>
      rows.find((one) => one.name.length === 1 && one.name[0] === name)?.value ?? null;
    const record = row(ShardRowName.STATE);
    const store = row(ShardRowName.STORE);
    const installed = row(ShardRowName.INSTALLED);
    assert(store !== null && record !== null, 'what is stored of a replica is whole');
    const { applied, configurations } = decodeShardRecord(record);
    const replica = new ShardReplica(parts, shard, configurations);
    replica.#applied = applied as Position;
    replica.#flushed = applied as Position;
    replica.#installed = installed === null ? null : decodeInstalled(installed);
    const opened = parts.store.openShard(shard, store);
    const records = rows.filter(({ name }) => (name[0] as number) >= ShardPart.CORE);
    for (const { name } of records) replica.#stored.set(bytesToString(name), name);
    const pairs = records.map(({ name, value }) => [name, value] as const);
    const machine = ShardMachine.open(pairs, opened, parts.access, parts.bounds);
    replica.#live({ store: opened, machine });
    replica.#scheduleCompaction();
    return replica;
  }

  /** One that waits for a snapshot. Nothing of it is stored before that comes. */
  static empty(parts: ReplicaParts, shard: ShardId): ShardReplica {
    return new ShardReplica(parts, shard, configurationsOf(emptyConfiguration));
  }

  /** The child of a split. `configuration`: who begins its group. */
  static spawn(parts: ReplicaParts, child: ShardMachine, configuration: Configuration): ShardReplica {
    const replica = new ShardReplica(parts, child.shard, configurationsOf(configuration));
    replica.#live({ machine: child, store: child.store as SharedShardStore });
    return replica;
  }

  private constructor(parts: ReplicaParts, shard: ShardId, configurations: GroupConfigurations) {
    this.id = shard;
    this.#parts = parts;
    this.#configurations = configurations;
    this.#part = {
      id: shard,
      freeze: () => this.#freeze(),
      flushed: (applied) => this.#flushedThrough(applied),
    };
  }

  // What is known of it.

  get applied(): Position {
    return this.#applied;
  }

  get flushed(): Position {
    return this.#flushed;
  }

  get installed(): SnapshotMeta | null {
    return this.#installed;
  }

  /** Its log may begin with the first entry, and what that was applied to is gone. */
  get stateMissing(): boolean {
    return this.#state === null;
  }

  /** Whether there is a state to be read, see {@link ShardReplica.machine}. */
  get isReady(): boolean {
    return this.#state !== null && !this.#ended && this.#installing === null;
  }

  /** What the entry that is held waits for: that neighbour, complete, on this node. Null: nothing is held. */
  get waitsFor(): NeighbourNeed | null {
    return this.#waitsFor;
  }

  /** Not to be kept: a snapshot puts another in its place. */
  get machine(): ShardMachine {
    return this.#present.machine;
  }

  get store(): SharedShardStore {
    return this.#present.store;
  }

  /** What its group is to be opened with, at every start. */
  get initialConfiguration(): Configuration {
    return this.#configurations.initial;
  }

  /** As of what is applied. */
  get configuration(): Configuration {
    return this.#configurations.present;
  }

  /** Handed over or removed: it is nothing any more, whatever its group still does. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  // The log.

  apply(entries: readonly Entry[]): readonly (readonly ShardEffect[])[] {
    assert(this.#installing === null, 'nothing is applied while a snapshot is being installed');
    assert(!this.#ended, 'what has ended holds every entry');
    const results = entries.map((entry) => this.#applyEntry(entry));
    const { store } = this.#parts;
    store.changed(this.id);
    store.schedule();
    this.#scheduleCompaction();
    return results;
  }

  holds(entry: Entry): boolean {
    if (this.#ended) return true;
    if (entry.kind !== 'command' || !mayNeedNeighbour(entry.payload)) return false;
    // What comes before it may change what it needs.
    if (entry.index !== this.#applied.index + 1) return true;
    const decoded = decodeShardEntry(entry.payload);
    const isMissing = this.#neighbourFor(decoded) === 'missing';
    this.#waitsFor = isMissing ? this.machine.needs(decoded) : null;
    return isMissing;
  }

  #applyEntry({ index, term, kind, payload }: Entry): readonly ShardEffect[] {
    assert(index === this.#applied.index + 1, 'entries are applied one after the other, each once');
    const { machine } = this.#present;
    const entry = this.#entryOf(kind, payload);
    const drained = entry === null ? null : this.#neighbourFor(entry);
    assert(drained !== 'missing', 'an entry is held until its neighbour is complete');
    const effects = entry === null ? noEffects : machine.apply(entry, index, drained?.machine ?? null);
    this.#applied = { index, term };
    if (drained !== null) this.#take(drained);
    for (const effect of effects) if (effect.kind === 'split') this.#spawn(effect.child);
    this.#parts.observer.applied(this, { index, term, entry, effects });
    return effects;
  }

  /** Null: it says nothing to the shard. */
  #entryOf(kind: Entry['kind'], payload: Uint8Array): ShardEntry | null {
    if (kind === 'command') return decodeShardEntry(payload);
    if (kind !== 'membership') return null;
    const { initial, present } = this.#configurations;
    const result = applyChange(present, decodeMembershipChange(payload));
    if (result.ok) this.#configurations = { initial, present: result.configuration };
    // Counted, so that every replica says the same.
    return { kind: 'members', membership: this.machine.epoch.membership + 1 };
  }

  /** Who must be taken over with the entry; null: nobody. */
  #neighbourFor(entry: ShardEntry): ShardReplica | 'missing' | null {
    const needs = this.#present.machine.needs(entry);
    if (needs === null) return null;
    const neighbour = this.#parts.neighbour(needs.drained);
    const isThere = neighbour !== null && !neighbour.#ended && neighbour.#isComplete(needs.upTo);
    return isThere ? neighbour : 'missing';
  }

  #isComplete(upTo: number): boolean {
    return this.#installing === null && this.#state !== null && this.#state.machine.isComplete(upTo);
  }

  #take(drained: ShardReplica): void {
    const { store, observer } = this.#parts;
    store.drop(drained.#part);
    drained.#ended = true;
    let flushed = (): void => undefined;
    const durable = new Promise<void>((resolve) => {
      flushed = resolve;
    });
    const { index } = this.#applied;
    // What that one had taken over, and not stored yet, comes with it.
    this.#taken.push(...drained.#taken.map((taken) => ({ ...taken, index })));
    this.#taken.push({ rows: drained.#noRows, index, flushed });
    observer.absorbed(this, drained, durable);
  }

  #spawn(machine: ShardMachine): void {
    const child = ShardReplica.spawn(this.#parts, machine, this.#configurations.present);
    this.#parts.observer.spawned(child, this);
  }

  // The store.

  #freeze(): PartState {
    const { machine, store } = this.#present;
    const configurations = this.#configurations;
    const applied = this.#applied;
    const record = encodeShardRecord({ applied, configurations });
    const rows: MetaRow[] = [store.row(), this.#row(ShardRowName.STATE, record)];
    rows.push(...this.#machineRows(machine, this.#stored.size === 0));
    const installed = this.#installed;
    // What was installed is forgotten with the first entry that is stored after it.
    if (installed !== null && applied.index > installed.index) {
      rows.push(this.#row(ShardRowName.INSTALLED, null));
    }
    for (const { rows: gone } of this.#taken) rows.push(...gone);
    return { applied, rows };
  }

  /** What of the machine is not stored as it is. */
  #machineRows(machine: ShardMachine, everything: boolean): MetaRow[] {
    const rows: MetaRow[] = [];
    machine.flush((name, value) => {
      if (value === null) this.#stored.delete(bytesToString(name));
      else this.#stored.set(bytesToString(name), name);
      rows.push({ key: shardRowKeyOf(this.id, name), value });
    }, everything);
    return rows;
  }

  /** Takes away everything that is stored of it. */
  get #noRows(): MetaRow[] {
    const own = Object.values(ShardRowName).map((name) => Uint8Array.of(name));
    return [...own, ...this.#stored.values()].map((name) => ({
      key: shardRowKeyOf(this.id, name),
      value: null,
    }));
  }

  #flushedThrough(applied: LogPosition): void {
    // A flush may complete after a snapshot has replaced what it was of.
    if (applied.index <= this.#flushed.index) return;
    this.#flushed = applied as Position;
    if (this.#installed !== null && applied.index > this.#installed.index) this.#installed = null;
    this.#releaseTaken(applied.index as Index);
  }

  /** The neighbours that were taken over up to this entry do not come back. */
  #releaseTaken(through: Index): void {
    const over = this.#taken.filter(({ index }) => index <= through);
    this.#taken = this.#taken.filter(({ index }) => index > through);
    for (const { flushed } of over) flushed();
  }

  /** Shard 0 has taken it over, with an entry of group 0 that is applied now: what is stored of it goes with that one. */
  takenByOrder(): void {
    assert(!this.#ended, 'a replica ends once');
    this.#ended = true;
    this.#parts.store.drop(this.#part);
    this.#parts.store.dropRows(this.#noRows);
  }

  /** This node has no part in the shard any more: its rows go. Resolves when its keys may be claimed again. */
  async remove(): Promise<void> {
    assert(!this.#ended, 'a replica ends once');
    this.#ended = true;
    const state = this.#state;
    if (state === null) {
      if (this.#isMarked) await this.#parts.store.forgetShard(this.id);
      return;
    }
    await this.#storeNow();
    this.#state = null;
    this.#parts.store.drop(this.#part);
    await this.#parts.store.removeShard(state.store);
  }

  /**
   * Another's rows may be in the same commit as what this one is now: a child's, or none of a neighbour that was taken
   * over. So it is stored before it goes.
   */
  async #storeNow(): Promise<void> {
    // Others may be in the middle of an entry.
    await Promise.resolve();
    await this.#parts.store.commitNow();
  }

  #row(name: number, value: Uint8Array | null): MetaRow {
    return { key: shardRowKeyOf(this.id, Uint8Array.of(name)), value };
  }

  get #present(): ReplicaState {
    assert(this.#state !== null, 'a replica without a state is not asked for it');
    return this.#state;
  }

  #live(state: ReplicaState): void {
    this.#state = state;
    this.#parts.store.add(this.#part);
  }

  /** History that nobody may read goes in its own time. */
  #scheduleCompaction(delayMs: number = limits.shardCompactionDelayMs): void {
    if (this.#compactionDue || !this.#mayCompact) return;
    this.#compactionDue = true;
    this.#parts.platform.timer(delayMs, 'shard-compaction', () => {
      this.#compactionDue = false;
      if (!this.#mayCompact) return;
      const { store } = this.#parts;
      // The disk is behind: compaction can wait, it only makes more work for it.
      if (!store.overloaded) this.store.compact(limits.compactionSliceEvents);
      store.changed(this.id);
      store.schedule();
      this.#scheduleCompaction(limits.compactionPauseMs);
    });
  }

  get #mayCompact(): boolean {
    if (this.#state === null || this.#ended || this.#installing !== null) return false;
    const { machine, store } = this.#state;
    return machine.mayCompact && store.keys.compactedThrough < store.keys.compactRevision;
  }

  // Snapshots.

  snapshot(): SnapshotSource {
    const { machine, store } = this.#present;
    return new ShardSnapshot(this.#parts.platform, machine, store, this.#applied);
  }

  /** What there is stays until the header of the snapshot is here. */
  install(meta: SnapshotMeta): Promise<SnapshotSink> {
    assert(meta.index >= this.#applied.index, 'a snapshot is not installed over newer state');
    this.#installing = meta;
    const target: InstallTarget = {
      hasRoom: ({ span }) => !this.#ended && this.#parts.store.hasRoom(span, this.id),
      begin: (header) => this.#giveWay(header),
      finish: (install, header, summary) => this.#replace(meta, install, header, summary),
    };
    return Promise.resolve(new ShardSnapshotSink(this.#parts.platform, target));
  }

  async #giveWay({ span }: ShardSnapshotHeader): Promise<ShardInstall> {
    const { store } = this.#parts;
    const old = this.#state;
    if (old !== null) await this.#storeNow();
    store.drop(this.#part);
    this.#state = null;
    this.#isMarked = true;
    const note = encodeInstallNote(this.#configurations.initial);
    return store.install(this.id, span, old?.store ?? null, note);
  }

  async #replace(
    meta: SnapshotMeta,
    install: ShardInstall,
    { records }: ShardSnapshotHeader,
    summary: StateSummary,
  ): Promise<void> {
    const applied = { index: meta.index, term: meta.term };
    const configurations = { initial: this.#configurations.initial, present: meta.configuration };
    const record = encodeShardRecord({ applied, configurations });
    const { access, bounds } = this.#parts;
    const store = await install.finish(summary, (made) => [
      made.row(),
      this.#row(ShardRowName.STATE, record),
      this.#row(ShardRowName.INSTALLED, encodeInstalled(meta)),
      ...records.map(([name, value]) => ({ key: shardRowKeyOf(this.id, name), value })),
    ]);
    this.#stored.clear();
    for (const [name] of records) this.#stored.set(bytesToString(name), name);
    // Not before the rows are there: what is pending is evaluated on them.
    const machine = ShardMachine.open(records, store, access, bounds);
    this.#applied = applied;
    this.#flushed = applied;
    this.#releaseTaken(applied.index);
    this.#installed = meta;
    this.#installing = null;
    this.#waitsFor = null;
    this.#isMarked = false;
    this.#configurations = configurations;
    this.#live({ store, machine });
    this.#scheduleCompaction();
    this.#parts.observer.restored(this);
  }
}

interface ReplicaState {
  readonly machine: ShardMachine;
  readonly store: SharedShardStore;
}

interface TakenNeighbour {
  /** Of what was stored of it. */
  readonly rows: readonly MetaRow[];
  /** Of the entry with which it was taken over. */
  readonly index: Index;
  readonly flushed: () => void;
}

const nowhere: Position = { index: 0 as Index, term: 0 as Term };
const noEffects: readonly ShardEffect[] = [];

function configurationsOf(initial: Configuration): GroupConfigurations {
  return { initial, present: initial };
}

function shardRowKeyOf(shard: ShardId, name: Uint8Array): Uint8Array {
  const prefix = shardRowsOf(shard);
  const key = new Uint8Array(prefix.length + name.length);
  key.set(prefix);
  key.set(name, prefix.length);
  return key;
}
