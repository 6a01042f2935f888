/**
 * Files, with exactly the durability that POSIX gives: bytes are durable after {@link DiskFile.sync}, names (create,
 * rename, unlink) after {@link Disk.syncDirectory} of their directory. Whatever was not synced may be kept, lost or
 * torn by a crash, each 512-byte sector on its own.
 *
 * Paths are strings with `/` between parts. Every operation fails with a `FlotillaError` whose code is one of
 * `FLOTILLA_DISK_NOT_FOUND`, `FLOTILLA_DISK_EXISTS`, `FLOTILLA_DISK_FULL`, `FLOTILLA_DISK_PERMISSION`,
 * `FLOTILLA_DISK_LOCKED`, `FLOTILLA_DISK_IO`, and whose message names the file.
 */
export interface Disk {
  /** `create` fails when the file exists, `read` and `write` when it does not; `write` reads too. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile>;
  /** Names (not paths) in a directory, sorted by code unit. */
  list(directory: string): Promise<readonly string[]>;
  exists(path: string): Promise<boolean>;
  /** Creates the directory and its parents, durably; fine when it is there. */
  makeDirectory(path: string): Promise<void>;
  /** Atomic: the new name is the old file or the new one, never a mixture. */
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** How much more may be written where the directory is, in bytes. */
  freeBytes(directory: string): Promise<number>;
  /**
   * Takes an exclusive lock that dies with the process, so that no two members share a data directory. Rejects with
   * `FLOTILLA_DISK_LOCKED`. The answer releases it.
   */
  lock(path: string): Promise<() => Promise<void>>;
}

export interface DiskFile {
  readonly path: string;
  /** In bytes. */
  size(): number;
  /** Up to `length` bytes from `position`; shorter only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
  /**
   * Writes all of `bytes` at `position` or throws. Synchronous on purpose: it copies into the page cache (about 4 µs
   * for 4 KiB); only {@link DiskFile.sync} waits for the device.
   */
  write(position: number, bytes: Uint8Array): void;
  truncate(size: number): Promise<void>;
  /**
   * Makes everything written so far durable (`fdatasync`). After a failed sync the state of the file is unknown and
   * must not be trusted again: the caller stops its process, it never retries (fsyncgate, PostgreSQL 2018).
   */
  sync(): Promise<void>;
  close(): Promise<void>;
}
