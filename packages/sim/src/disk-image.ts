import type { CrashLoss, SimInode } from './sim-inode.ts';
import type { Tape } from './tape.ts';

/** How names were before an operation that is not durable yet. */
type Undo = readonly (readonly [path: string, before: SimInode | null])[];

/** What a fault does to the disk while it lasts. */
export interface DiskFaults {
  /** Writes that need new space fail. */
  full: boolean;
  /** Syncs take this many times longer. */
  slowFactor: number;
  /** Syncs do not complete before this time of the world. */
  stalledUntil: number;
  /** So many of the next syncs fail. */
  failingSyncs: number;
  /** So many of the next writes fail. */
  failingWrites: number;
  /** Crash at this operation from now on, counted from 1; 0: never. */
  crashAtOperation: number;
}

function noFaults(): DiskFaults {
  return {
    full: false,
    slowFactor: 1,
    stalledUntil: 0,
    failingSyncs: 0,
    failingWrites: 0,
    crashAtOperation: 0,
  };
}

/** One machine's disk. It outlives processes; {@link DiskImage.crash} decides what a power cut leaves of it. */
export class DiskImage {
  readonly inodes = new Map<string, SimInode>();
  readonly directories = new Set<string>(['', '.', '/']);
  readonly locks = new Set<string>();
  faults: DiskFaults = noFaults();
  /** Operations since the machine exists. */
  operations = 0;
  readonly #tape: Tape;
  /** By directory: name changes since its last sync, in order. */
  readonly #pending = new Map<string, Undo[]>();

  constructor(tape: Tape) {
    this.#tape = tape;
  }

  /** Changes names in a directory. They survive a crash for sure only after {@link syncNames}. */
  rename(changes: readonly (readonly [path: string, after: SimInode | null])[], directory: string): void {
    const undo: Undo = changes.map(([path]) => [path, this.inodes.get(path) ?? null]);
    let pending = this.#pending.get(directory);
    if (pending === undefined) {
      pending = [];
      this.#pending.set(directory, pending);
    }
    pending.push(undo);
    this.#set(changes);
  }

  /** How many name changes of a directory a sync that starts now covers. */
  pendingNames(directory: string): number {
    return this.#pending.get(directory)?.length ?? 0;
  }

  syncNames(directory: string, count: number): void {
    this.#pending.get(directory)?.splice(0, count);
  }

  /** The process is gone, and with it its locks. The faults that were armed for it go too. */
  lifeEnded(): void {
    this.locks.clear();
    this.faults.crashAtOperation = 0;
    this.faults.failingSyncs = 0;
    this.faults.failingWrites = 0;
  }

  healed(): void {
    this.faults = noFaults();
  }

  /**
   * A crash of the machine. Of each directory's unsynced name changes the last few are undone (file systems journal
   * them in order); unsynced sectors are each kept, lost or torn.
   *
   * @returns what was lost, in words.
   */
  crash(): string {
    let names = 0;
    for (const pending of this.#pending.values()) {
      const undone = this.#tape.choose(pending.length + 1, 'crash: name changes undone');
      for (let i = 0; i < undone; i += 1) this.#set(pending.pop() ?? []);
      names += undone;
      pending.length = 0;
    }
    const loss: CrashLoss = { lost: 0, torn: 0 };
    const seen = new Set<SimInode>();
    for (const inode of this.inodes.values()) {
      if (seen.has(inode)) continue;
      seen.add(inode);
      inode.crash(this.#tape, loss);
    }
    return lossInWords(names, loss);
  }

  #set(changes: readonly (readonly [path: string, inode: SimInode | null])[]): void {
    for (const [path, inode] of changes) {
      if (inode === null) this.inodes.delete(path);
      else this.inodes.set(path, inode);
    }
  }
}

function lossInWords(names: number, { lost, torn }: CrashLoss): string {
  const parts: string[] = [];
  if (lost > 0) parts.push(`${lost} unsynced sectors lost`);
  if (torn > 0) parts.push(`${torn} torn`);
  if (names > 0) parts.push(`${names} unsynced name changes undone`);
  return parts.length === 0 ? 'nothing lost' : parts.join(', ');
}
