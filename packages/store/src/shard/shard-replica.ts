import { assert } from '@flotilla/platform';
import {
  applyChange,
  configurationOf,
  decodeMembershipChange,
  emptyConfiguration,
  groupOrigin,
} from '@flotilla/raft';
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
import { readSum } from '../hash/read-sum.ts';
import type { SumAt } from '../hash/state-sum.ts';
import { decodeInstalled, encodeInstalled } from '../installed-snapshot.ts';
import type { LogPosition } from '../mvcc/meta.ts';
import type { StateSummary } from '../mvcc/state.ts';
import type {
  PartState,
  SharedShardStore,
  ShardInstall,
  StoredShard,
  StorePart,
} from '../node-store/node-store.ts';
import { ShardRowName } from '../node-store/shard-rows.ts';
import type { KeySpan } from './key-span.ts';
import type { NeighbourNeed, ReplicaParts } from './replica-parts.ts';
import { ReplicaCompaction } from './replica-compaction.ts';
import { ReplicaRows } from './replica-rows.ts';
import type { ShardEffect, ShardEntry, ShardId } from './shard-entry.ts';
import { decodeShardEntry, mayNeedNeighbour } from './shard-entry-codec.ts';
import { type InstallTarget, ShardSnapshotSink } from './shard-install.ts';
import { ShardMachine } from './shard-machine.ts';
import {
  decodeInstallNote,
  decodeShardRecord,
  encodeInstallNote,
  encodeShardRecord,
} from './shard-record.ts';
import type { GroupConfigurations } from './shard-record.ts';
import { ShardSnapshot } from './shard-snapshot.ts';
import type { ShardSnapshotHeader } from './shard-snapshot.ts';
import { TakenNeighbours } from './taken-neighbours.ts';

interface Position {
  readonly index: Index;
  readonly term: Term;
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
  readonly #rows: ReplicaRows;
  readonly #taken = new TakenNeighbours();
  readonly #compaction: ReplicaCompaction;
  #waitsFor: NeighbourNeed | null = null;
  /** An install was begun and did not end: a mark is stored in place of the state. */
  #isMarked = false;
  #isApplying = false;

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
    const machine = ShardMachine.open(replica.#rows.opened(rows), opened, parts.access, parts.bounds);
    replica.#live({ store: opened, machine }, true);
    replica.#compaction.schedule();
    return replica;
  }

  /** One that waits for a snapshot. Nothing of it is stored before that comes. */
  static empty(parts: ReplicaParts, shard: ShardId): ShardReplica {
    return new ShardReplica(parts, shard, configurationsOf(emptyConfiguration));
  }

  /**
   * The child of a split. `configuration`: who begins its group. A node that should have one, and had no parent to split,
   * gets what it begins with in a snapshot.
   */
  static spawn(parts: ReplicaParts, child: ShardMachine, configuration: Configuration): ShardReplica {
    const replica = new ShardReplica(parts, child.shard, configurationsOf(configuration));
    replica.#applied = groupOrigin;
    replica.#installed = { ...groupOrigin, configuration };
    replica.#live({ machine: child, store: child.store as SharedShardStore });
    return replica;
  }

  private constructor(parts: ReplicaParts, shard: ShardId, configurations: GroupConfigurations) {
    this.id = shard;
    this.#parts = parts;
    this.#rows = new ReplicaRows(shard);
    this.#compaction = new ReplicaCompaction(parts.platform, parts.store, () =>
      this.isReady ? this.#state : null,
    );
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

  // What it sums up to.

  /** Sums of its keys to compare with those of other replicas, the oldest first; empty while they are not known. */
  get sums(): readonly SumAt[] {
    const sum = this.isReady ? this.store.keys.sum : null;
    if (sum === null || sum.value === null) return [];
    return [...sum.marks, { index: this.#applied.index, sum: sum.value }];
  }

  /** Reads all keys, with pauses, and tells whether they are what was applied. Null: not known. */
  async verify(): Promise<boolean | null> {
    const sum = this.isReady ? this.store.keys.sum : null;
    if (sum === null) return null;
    const isOver = (): boolean => !this.isReady || this.store.keys.sum !== sum;
    return await readSum(this.#parts.platform, sum, this.store.keys.layers, isOver);
  }

  // The log.

  apply(entries: readonly Entry[]): readonly (readonly ShardEffect[])[] {
    assert(this.#installing === null, 'nothing is applied while a snapshot is being installed');
    assert(!this.#ended, 'what has ended holds every entry');
    const results = entries.map((entry) => {
      this.#isApplying = true;
      const effects = this.#applyEntry(entry);
      this.#isApplying = false;
      return effects;
    });
    const { store } = this.#parts;
    store.changed(this.id);
    store.schedule();
    this.#compaction.schedule();
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
    this.store.keys.sum?.applied(index);
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
    const flushed = this.#taken.add(drained.#rows.none, drained.#taken, this.#applied.index);
    observer.absorbed(this, drained, flushed);
  }

  #spawn(machine: ShardMachine): void {
    // In the middle of a joint change those that go are on their way out: they have no child, and must not be needed.
    const { voters, learners } = this.#configurations.present;
    const child = ShardReplica.spawn(this.#parts, machine, configurationOf(voters, learners));
    this.#parts.observer.spawned(child, this);
  }

  // The store.

  #freeze(): PartState {
    assert(!this.#isApplying, 'a commit is made between two entries');
    const { machine, store } = this.#present;
    const configurations = this.#configurations;
    const applied = this.#applied;
    const record = encodeShardRecord({ applied, configurations });
    const rows = [store.row(), this.#rows.row(ShardRowName.STATE, record), ...this.#rows.changed(machine)];
    const installed = this.#installed;
    // What was installed is forgotten with the first entry that is stored after it.
    if (installed !== null) {
      const isOver = applied.index > installed.index;
      rows.push(this.#rows.row(ShardRowName.INSTALLED, isOver ? null : encodeInstalled(installed)));
    }
    return { applied, rows: [...rows, ...this.#taken.rows] };
  }

  #flushedThrough(applied: LogPosition): void {
    // A flush may complete after a snapshot has replaced what it was of.
    if (applied.index <= this.#flushed.index) return;
    this.#flushed = applied as Position;
    if (this.#installed !== null && applied.index > this.#installed.index) this.#installed = null;
    this.#taken.flushed(this.#flushed.index);
  }

  /**
   * Shard 0 has taken it over, with an entry of group 0 that is applied now: what is stored of it, and of those that it has
   * taken over itself, goes with that one. Resolves when a crash brings none of them back.
   */
  takenByOrder(): Promise<void> {
    assert(!this.#ended, 'a replica ends once');
    this.#ended = true;
    this.#parts.store.drop(this.#part);
    this.#parts.store.dropRows([...this.#rows.none, ...this.#taken.rows]);
    return this.#takenForGood();
  }

  /** This node has no part in the shard any more: its rows go. Resolves when its keys may be claimed again. */
  async remove(): Promise<void> {
    assert(!this.#ended, 'a replica ends once');
    this.#ended = true;
    const state = this.#state;
    if (state !== null) {
      await this.#storeNow();
      this.#state = null;
      this.#parts.store.drop(this.#part);
      await this.#parts.store.removeShard(state.store);
    } else if (this.#isMarked) await this.#parts.store.forgetShard(this.id);
    await this.#takenForGood();
  }

  /** Whoever waits for the end of a neighbour that it has taken over waits for nothing else of it. */
  async #takenForGood(): Promise<void> {
    // Others may be in the middle of an entry.
    await Promise.resolve();
    await this.#parts.store.flushNow();
    this.#taken.settle();
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

  get #present(): ReplicaState {
    assert(this.#state !== null, 'a replica without a state is not asked for it');
    return this.#state;
  }

  /** `isStored`: as it is. */
  #live(state: ReplicaState, isStored = false): void {
    const { store } = this.#parts;
    this.#state = state;
    if (isStored) store.addStored(this.#part);
    else store.add(this.#part);
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
      hasRoom: ({ span }) => this.#hasRoom(span),
      begin: (header) => this.#giveWay(header),
      finish: (install, header, summary) => this.#replace(meta, install, header, summary),
      aborted: () => {
        this.#installing = null;
        this.#compaction.schedule();
      },
    };
    return Promise.resolve(new ShardSnapshotSink(this.#parts.platform, target));
  }

  /** Without a state of its own, it may not be the only one here of its shard: a child may be on its way out. */
  #hasRoom(span: KeySpan): boolean {
    return !this.#ended && this.#parts.store.hasRoom(span, this.#state === null ? null : this.id);
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
      this.#rows.row(ShardRowName.STATE, record),
      this.#rows.row(ShardRowName.INSTALLED, encodeInstalled(meta)),
      ...this.#rows.replaced(records),
    ]);
    // Not before the rows are there: what is pending is evaluated on them.
    const machine = ShardMachine.open(records, store, access, bounds);
    this.#applied = applied;
    this.#flushed = applied;
    this.#taken.flushed(applied.index);
    this.#installed = meta;
    this.#installing = null;
    this.#waitsFor = null;
    this.#isMarked = false;
    this.#configurations = configurations;
    this.#live({ store, machine }, true);
    this.#compaction.schedule();
    this.#parts.observer.restored(this);
  }
}

interface ReplicaState {
  readonly machine: ShardMachine;
  readonly store: SharedShardStore;
}

const nowhere: Position = { index: 0 as Index, term: 0 as Term };
const noEffects: readonly ShardEffect[] = [];

function configurationsOf(initial: Configuration): GroupConfigurations {
  return { initial, present: initial };
}
