import { assert, FlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import type { SnapshotSink } from '@flotilla/raft';
import { liveBytesOf, SnapshotIntake } from '../snapshot-frames.ts';
import type { StateSummary } from '../mvcc/state.ts';
import type { ShardInstall } from '../node-store/node-store.ts';
import { readShardHeader, type ShardSnapshotHeader } from './shard-snapshot.ts';

/** Whose state is replaced. */
export interface InstallTarget {
  /** Whether nobody else on this node has keys of the snapshot. */
  hasRoom(header: ShardSnapshotHeader): boolean;
  /** Gives up what there was. */
  begin(header: ShardSnapshotHeader): Promise<ShardInstall>;
  finish(install: ShardInstall, header: ShardSnapshotHeader, summary: StateSummary): Promise<void>;
  /** Nothing comes of it. What there was is as it was, unless it was given up. */
  aborted(): void;
}

/**
 * Takes in a snapshot of a shard. Nothing is touched before its header is there: until then the state stays as it was,
 * and what another replica of this node still claims keys of is refused with `FLOTILLA_SNAPSHOT_BUSY`, to come again.
 */
export class ShardSnapshotSink implements SnapshotSink {
  readonly #target: InstallTarget;
  readonly #intake: SnapshotIntake<ShardSnapshotHeader>;
  #install: ShardInstall | null = null;
  #liveBytes = 0;

  constructor(platform: Platform, target: InstallTarget) {
    this.#target = target;
    this.#intake = new SnapshotIntake(platform, 'shard', readShardHeader);
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (const part of this.#intake.push(chunk)) {
      const install = await this.#begun();
      this.#liveBytes += liveBytesOf(part);
      await install.write(part.table, part.entries);
    }
    if (this.#intake.header !== null) await this.#begun();
  }

  async finish(): Promise<void> {
    const header = this.#intake.finish();
    const { revision, compactRevision } = header;
    // Nothing came that compaction would have to remove.
    const compactedThrough = Math.max(compactRevision, 0);
    const summary = { revision, compactRevision, compactedThrough, liveBytes: this.#liveBytes };
    await this.#target.finish(await this.#begun(), header, summary);
  }

  async abort(): Promise<void> {
    await this.#install?.abort();
    this.#target.aborted();
  }

  async #begun(): Promise<ShardInstall> {
    if (this.#install !== null) return this.#install;
    const { header } = this.#intake;
    assert(header !== null, 'the header comes before everything else');
    if (!this.#target.hasRoom(header)) {
      throw new FlotillaError(
        'FLOTILLA_SNAPSHOT_BUSY',
        'another replica of this node has keys of the snapshot, and must change or go first',
      );
    }
    this.#install = await this.#target.begin(header);
    return this.#install;
  }
}
