import type { SimInode } from '../../sim-inode.ts';
import type { ProgramRuntime } from '../runtime.ts';

interface FileFacts {
  readonly number: number;
  readonly bornMs: number;
  changedMs: number;
}

/** By file: what a simulated disk itself has no use for. Gone with its run. */
const facts = new WeakMap<SimInode, FileFacts>();

/** What `stat` answers. Owners and modes are always the same: one user has everything. */
export class FileStats {
  readonly dev = 1;
  readonly nlink = 1;
  readonly uid = 0;
  readonly gid = 0;
  readonly rdev = 0;
  readonly blksize = 4096;
  readonly mode: number;
  readonly ino: number;
  readonly size: number;
  readonly blocks: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;
  readonly atime: Date;
  readonly mtime: Date;
  readonly ctime: Date;
  readonly birthtime: Date;
  readonly #isFile: boolean;

  private constructor(isFile: boolean, size: number, { number, bornMs, changedMs }: FileFacts) {
    this.#isFile = isFile;
    this.mode = isFile ? 0o100_644 : 0o40_755;
    this.ino = number;
    this.size = size;
    this.blocks = Math.ceil(size / 512);
    this.atimeMs = this.mtimeMs = this.ctimeMs = changedMs;
    this.birthtimeMs = bornMs;
    this.atime = this.mtime = this.ctime = new Date(changedMs);
    this.birthtime = new Date(bornMs);
  }

  static ofFile(inode: SimInode): FileStats {
    return new FileStats(true, inode.bytes.size, facts.get(inode) ?? { number: 2, bornMs: 0, changedMs: 0 });
  }

  static ofDirectory(path: string): FileStats {
    return new FileStats(false, 4096, { number: 1_000_000 + path.length, bornMs: 0, changedMs: 0 });
  }

  /** Notes that a file has changed just now, by the clock of its machine. */
  static changed(inode: SimInode, runtime: ProgramRuntime): void {
    const nowMs = runtime.platform.wallClock();
    const known = facts.get(inode);
    if (known === undefined)
      facts.set(inode, { number: runtime.world.events, bornMs: nowMs, changedMs: nowMs });
    else known.changedMs = nowMs;
  }

  isFile(): boolean {
    return this.#isFile;
  }

  isDirectory(): boolean {
    return !this.#isFile;
  }

  isSymbolicLink(): boolean {
    return false;
  }

  isFIFO(): boolean {
    return false;
  }

  isSocket(): boolean {
    return false;
  }

  isBlockDevice(): boolean {
    return false;
  }

  isCharacterDevice(): boolean {
    return false;
  }
}

/** An entry of `readdir(…, { withFileTypes: true })`. */
export class FileEntry {
  readonly name: string;
  readonly parentPath: string;
  readonly path: string;
  readonly #isFile: boolean;

  constructor(name: string, parentPath: string, isFile: boolean) {
    this.name = name;
    this.parentPath = parentPath;
    this.path = parentPath;
    this.#isFile = isFile;
  }

  isFile(): boolean {
    return this.#isFile;
  }

  isDirectory(): boolean {
    return !this.#isFile;
  }

  isSymbolicLink(): boolean {
    return false;
  }
}
