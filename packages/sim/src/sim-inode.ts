import { limits } from './limits.ts';
import { SparseBytes } from './sparse-bytes.ts';
import type { Tape } from './tape.ts';

const { sectorBytes } = limits;

/**
 * What was written between two syncs: for each sector that changed, its content before. Lists of layers, oldest first,
 * say for every sector which contents a crash may bring back.
 */
interface Layer {
  readonly before: Map<number, Uint8Array | null>;
  readonly sizeBefore: number;
}

export interface CrashLoss {
  lost: number;
  torn: number;
}

/** A file's content: what programs read, and what of it would survive a crash. */
export class SimInode {
  readonly bytes = new SparseBytes();
  #layers: Layer[] = [{ before: new Map(), sizeBefore: 0 }];
  /**
   * Sectors whose sync failed. The kernel marks such pages clean, so a later sync that succeeds says nothing about
   * them: only writing them again does (fsyncgate).
   */
  #doomed: Layer | null = null;

  write(position: number, content: Uint8Array): void {
    const { before } = this.#top();
    const last = Math.floor((position + content.length - 1) / sectorBytes);
    for (let sector = Math.floor(position / sectorBytes); sector <= last; sector += 1) {
      if (!before.has(sector)) before.set(sector, this.bytes.sector(sector));
    }
    this.bytes.write(position, content);
  }

  truncate(size: number): void {
    const { before } = this.#top();
    for (const sector of this.bytes.writtenSectorsFrom(size)) {
      if (!before.has(sector)) before.set(sector, this.bytes.sector(sector));
    }
    this.bytes.resize(size);
  }

  /** Marks what a sync that starts now covers. Give the answer to {@link syncDone} or {@link syncFailed}. */
  syncStarts(): object {
    const covered = this.#top();
    this.#layers.push({ before: new Map(), sizeBefore: this.bytes.size });
    return covered;
  }

  syncDone(covered: object): void {
    for (const layer of this.#take(covered)) {
      for (const sector of layer.before.keys()) this.#doomed?.before.delete(sector);
    }
  }

  syncFailed(covered: object): void {
    for (const layer of this.#take(covered)) {
      this.#doomed ??= { before: new Map(), sizeBefore: layer.sizeBefore };
      for (const [sector, content] of layer.before) {
        if (!this.#doomed.before.has(sector)) this.#doomed.before.set(sector, content);
      }
    }
  }

  get unsyncedSectors(): number {
    let count = this.#doomed?.before.size ?? 0;
    for (const layer of this.#layers) count += layer.before.size;
    return count;
  }

  /** Draws what a crash leaves of every unsynced sector, and of the size. Afterwards what is there is durable. */
  crash(tape: Tape, loss: CrashLoss): void {
    const layers = this.#doomed === null ? this.#layers : [this.#doomed, ...this.#layers];
    if (layers.some((layer) => layer.before.size > 0 || layer.sizeBefore !== this.bytes.size)) {
      const mode = tape.choose(4, 'crash: unsynced sectors kept, lost, lost singly, torn singly');
      if (mode > 0) this.#lose(layers, mode, tape, loss);
    }
    this.#doomed = null;
    this.#layers = [{ before: new Map(), sizeBefore: this.bytes.size }];
  }

  /** From the newest layer to the oldest: a sector that keeps a newer content cannot go back to an older one. */
  #lose(layers: readonly Layer[], mode: number, tape: Tape, loss: CrashLoss): void {
    const settled = new Set<number>();
    let sizeSettled = false;
    for (const layer of [...layers].reverse()) {
      for (const [sector, content] of layer.before) {
        if (settled.has(sector)) continue;
        const fate = mode === 1 ? 1 : tape.choose(mode, 'crash: one sector kept, lost, torn');
        if (fate === 0) settled.add(sector);
        else if (fate === 1) {
          this.bytes.restoreSector(sector, content);
          loss.lost += 1;
        } else {
          settled.add(sector);
          this.#tear(sector, content, tape);
          loss.torn += 1;
        }
      }
      if (!sizeSettled && layer.sizeBefore !== this.bytes.size) {
        if (mode === 1 || tape.choose(2, 'crash: size kept, lost') === 1) this.bytes.size = layer.sizeBefore;
        else sizeSettled = true;
      }
    }
    // Zeros what lies beyond the end, as the file system does when it recovers the size.
    this.bytes.resize(this.bytes.size);
  }

  /** The first part of a torn sector is new and the rest is old. */
  #tear(sector: number, old: Uint8Array | null, tape: Tape): void {
    const torn = this.bytes.sector(sector) ?? new Uint8Array(sectorBytes);
    const from = 1 + tape.choose(sectorBytes - 1, 'crash: torn at');
    if (old === null) torn.fill(0, from);
    else torn.set(old.subarray(from), from);
    this.bytes.restoreSector(sector, torn);
  }

  #top(): Layer {
    return this.#layers.at(-1) as Layer;
  }

  /** Removes the layers that a sync covers: a sync of later writes covers all earlier ones too. */
  #take(covered: object): Layer[] {
    const position = this.#layers.findIndex((layer) => layer === covered);
    return position < 0 ? [] : this.#layers.splice(0, position + 1);
  }
}
