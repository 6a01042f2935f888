import { FlotillaError, isFlotillaError, messageOf, unreachable } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { decodeMembershipChange } from '../core/membership-codec.ts';
import { applyChange } from '../core/membership.ts';
import type { Configuration, Entry, Index, SnapshotMeta, Term } from '../core/types.ts';
import type { SnapshotSink, SnapshotSource, StateMachine } from '../host/types.ts';
import { framedHead, HeadReader, inChunks } from './chunks.ts';
import { replicaLimits } from './limits.ts';
import { MemberTable } from './member-table.ts';
import { decodeProposal } from './proposal.ts';
import type { SnapshotHeader } from './snapshot-file.ts';
import type { Position, SnapshotFiles } from './snapshot-files.ts';
import type { ReplicaStateMachine, SnapshotContent } from './state-machine.ts';

export interface StateAdapterOptions<Result> {
  readonly platform: Platform;
  readonly machine: ReplicaStateMachine<Result>;
  readonly files: SnapshotFiles;
  /** In force until the log says otherwise. */
  readonly initialConfiguration: Configuration;
  /** Applied entries between two snapshots. */
  readonly snapshotEvery: number;
  /** Of what leaves for a peer: at most what the host sends at once. */
  readonly chunkBytes: number;
  readonly handler: StateAdapterHandler;
}

export interface StateAdapterHandler {
  /** A change of membership, or what the group knows of a member, was applied; or both came with a snapshot. */
  membersChanged(): void;
  /** `taken` here, or `installed` from a peer: durable, and in the second case live. */
  snapshot(origin: 'taken' | 'installed', at: Position, sizeBytes: number): void;
  /** A snapshot cannot be taken: not because the disk is full, which may pass. */
  failed(error: unknown): void;
}

/** What an entry came to: the state machine's own result, or whether a publication was taken. */
export type Applied<Result> =
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'publication'; readonly taken: boolean };

/**
 * Makes a state machine that knows nothing of disks one that the host can rely on: what it holds beyond the last
 * snapshot file is replayed from the log at start.
 *
 * ```text
 *  log ─ entries ─▶ apply ─▶ the user's state machine   every `snapshotEvery` entries ─▶ snapshot file
 *                      └───▶ member table                ▲                                   │
 *  peer ─ chunks ─▶ install ─▶ snapshot file ─ restore ──┘        flushed: the older of two ◀┘
 * ```
 *
 * A snapshot that a peer sends goes to a file first. The state that is there stays whole until all of the new one is
 * durable, so a transfer that is cut off costs nothing.
 */
export class StateAdapter<Result> implements StateMachine<Applied<Result>> {
  readonly members = new MemberTable();
  readonly #options: StateAdapterOptions<Result>;
  #applied: Position = { index: 0 as Index, term: 0 as Term };
  #configuration: Configuration;
  #entriesSince = 0;
  #bytesSince = 0;
  #due: number;
  #taking: Promise<void> | null = null;
  #restoring = false;
  #closed = false;

  private constructor(options: StateAdapterOptions<Result>) {
    this.#options = options;
    this.#configuration = options.initialConfiguration;
    this.#due = options.snapshotEvery;
  }

  /** With the state of the latest snapshot. Rejects when it cannot be read, or when `restore` does. */
  static async open<Result>(options: StateAdapterOptions<Result>): Promise<StateAdapter<Result>> {
    const adapter = new StateAdapter(options);
    const { latest } = options.files;
    if (latest !== null) await adapter.#restore(latest);
    return adapter;
  }

  get applied(): Position {
    return this.#applied;
  }

  get flushed(): Position {
    return this.#options.files.flushed;
  }

  get installed(): SnapshotMeta | null {
    const { latest } = this.#options.files;
    return latest?.received === true ? latest : null;
  }

  /** The configuration as of {@link applied}. */
  get configuration(): Configuration {
    return this.#configuration;
  }

  /** Whether there is a state to look at: not while another one is being put in its place. */
  get readable(): boolean {
    return !this.#restoring;
  }

  apply(entries: readonly Entry[]): readonly Applied<Result>[] {
    const results: Applied<Result>[] = [];
    for (const entry of entries) {
      results.push(this.#applyOne(entry));
      this.#bytesSince += entry.payload.length;
    }
    const last = entries[entries.length - 1];
    if (last !== undefined) this.#applied = { index: last.index, term: last.term };
    this.#entriesSince += entries.length;
    if (this.#entriesSince >= this.#due || this.#bytesSince >= replicaLimits.snapshotEveryBytes) this.#take();
    return results;
  }

  snapshot(): SnapshotSource {
    const { index, term } = this.#applied;
    const head = framedHead(this.members.encode());
    const { machine, chunkBytes } = this.#options;
    const content = machine.snapshot();
    return { index, term, chunks: () => inChunks(head, content, chunkBytes), release: () => undefined };
  }

  async install(meta: SnapshotMeta): Promise<SnapshotSink> {
    const { files, handler } = this.#options;
    const writer = await files.create(meta, meta.configuration, true);
    const head = new HeadReader();
    let judged = false;
    return {
      write: async (chunk) => {
        head.push(chunk);
        // A newer version's snapshot is refused before it takes the place of anything.
        if (!judged && head.head !== null) new MemberTable().decode(head.head);
        judged = head.head !== null;
        await writer.write(chunk);
      },
      finish: async () => {
        if (!judged) throw new FlotillaError('FLOTILLA_SNAPSHOT_DAMAGED', 'a snapshot ends within its head');
        await files.commit(writer);
        await this.#restore(writer.header);
        handler.snapshot('installed', meta, writer.sizeBytes);
        handler.membersChanged();
      },
      abort: () => writer.abort(),
    };
  }

  /** Resolves when nothing is written any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#taking;
  }

  #applyOne(entry: Entry): Applied<Result> {
    const { machine, handler } = this.#options;
    switch (entry.kind) {
      case 'command': {
        const proposal = decodeProposal(entry.payload);
        if (proposal.kind === 'command') {
          const context = { index: entry.index, term: entry.term };
          return { kind: 'result', result: machine.apply(proposal.command, context) };
        }
        const taken = this.members.published(proposal.id, proposal.address, proposal.instance);
        handler.membersChanged();
        return { kind: 'publication', taken };
      }
      case 'membership': {
        this.#changeMembers(entry.payload);
        handler.membersChanged();
        return nothing;
      }
      case 'no-op':
        return nothing;
      default:
        return unreachable(entry.kind);
    }
  }

  #changeMembers(payload: Uint8Array): void {
    const change = decodeMembershipChange(payload);
    this.members.changed(change.steps, change.context);
    const result = applyChange(this.#configuration, change);
    // The core asserts that it does go on from there; a member that joins knows nothing before its first snapshot.
    if (result.ok) this.#configuration = result.configuration;
  }

  /** The view is taken here and now; it is written while entries go on being applied. */
  #take(): void {
    if (this.#taking !== null || this.#closed) return;
    this.#entriesSince = 0;
    this.#bytesSince = 0;
    this.#due = this.#options.snapshotEvery;
    const at = this.#applied;
    const configuration = this.#configuration;
    const head = framedHead(this.members.encode());
    const content = this.#options.machine.snapshot();
    this.#taking = this.#write(at, configuration, head, content).then(
      () => {
        this.#taking = null;
      },
      (error: unknown) => {
        this.#taking = null;
        this.#failed(error);
      },
    );
  }

  async #write(
    at: Position,
    configuration: Configuration,
    head: Uint8Array,
    content: SnapshotContent | Promise<SnapshotContent>,
  ): Promise<void> {
    const { files, handler } = this.#options;
    const writer = await files.create(at, configuration, false);
    try {
      for await (const chunk of inChunks(head, content)) {
        if (this.#closed) break;
        await writer.write(chunk);
        await this.#nextTurn();
      }
    } catch (error) {
      // What is wrong with the file now does not matter beside what was wrong before.
      await writer.abort().catch(() => undefined);
      throw error;
    }
    if (this.#closed) {
      await writer.abort();
      return;
    }
    await files.commit(writer);
    handler.snapshot('taken', at, writer.sizeBytes);
  }

  #failed(error: unknown): void {
    const { platform, handler } = this.#options;
    if (this.#closed) return;
    if (!isFlotillaError(error, 'FLOTILLA_DISK_FULL')) {
      handler.failed(error);
      return;
    }
    // The log keeps everything until a snapshot is there, and the disk may have room again by then.
    platform.log.warn('there is no room for a snapshot', { reason: messageOf(error) });
    this.#due = Math.min(this.#options.snapshotEvery, replicaLimits.snapshotRetryEntries);
  }

  async #restore(header: SnapshotHeader): Promise<void> {
    const { files, machine } = this.#options;
    const reader = await files.open(header);
    this.#restoring = true;
    try {
      const head = new HeadReader();
      await machine.restore(behindHead(reader.chunks(), head));
      if (head.head === null)
        throw new FlotillaError('FLOTILLA_SNAPSHOT_DAMAGED', 'a snapshot without a head');
      this.members.decode(head.head);
    } finally {
      await reader.close();
    }
    this.#restoring = false;
    this.#applied = { index: header.index, term: header.term };
    this.#configuration = header.configuration;
    this.#entriesSince = 0;
    this.#bytesSince = 0;
  }

  /** A large state must not keep the event loop from everything else. */
  #nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.platform.defer(resolve);
    });
  }
}

/** The content of a snapshot, while its head is put aside. */
async function* behindHead(
  chunks: AsyncIterable<Uint8Array>,
  head: HeadReader,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    const content = head.push(chunk);
    if (content.length > 0) yield content;
  }
}

const nothing: Applied<never> = Object.freeze({ kind: 'publication', taken: true });
