import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { FlotillaError, isFlotillaError } from '../errors.ts';
import { diskError, systemCode } from './disk-error.ts';

/** Together longer than a program takes to start, and too short to be noticed by whoever is really locked out. */
const claimAttempts = 6;
const claimPauseMs = 20;

/**
 * Takes an exclusive lock on the file at `path`, which is created when it is missing. The answer releases it.
 *
 * Node has no `flock`, and a file with a process id in it goes stale: two starters that both find a dead owner can both
 * take over. So the lock is the name of an abstract Unix socket made of the file's device and inode: the kernel gives
 * it to one process only, takes it back when that process ends however it ends, and nothing has to be cleaned up. The
 * open descriptor keeps the inode number from being given to another file meanwhile; the process id in the file is for
 * people. The name is seen by one network namespace: containers that share a directory but no network are not kept
 * apart. Other systems than Linux have no abstract sockets; there the socket lies beside the file.
 */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  const descriptor = openLockFile(path);
  try {
    const server = await claimPatiently(path, nameOf(path, descriptor));
    writeOwner(descriptor);
    let released: Promise<void> | null = null;
    return () => (released ??= release(server, descriptor));
  } catch (cause) {
    closeSync(descriptor);
    throw cause;
  }
}

function openLockFile(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (cause) {
    throw diskError(`open the lock file ${path}`, cause);
  }
}

function nameOf(path: string, descriptor: number): string {
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  return process.platform === 'linux' ? `\0flotilla-lock-${dev}-${ino}` : `${path}.socket`;
}

/**
 * A program that another thread of this process is starting has all our descriptors until it runs, so a lock that was
 * just released can seem to be held for some milliseconds.
 */
async function claimPatiently(path: string, name: string): Promise<Server> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await claim(path, name);
    } catch (error) {
      if (attempt === claimAttempts || !isFlotillaError(error, 'FLOTILLA_DISK_LOCKED')) throw error;
      await new Promise((resolve) => setTimeout(resolve, claimPauseMs));
    }
  }
}

function claim(path: string, name: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (cause) => {
      reject(
        systemCode(cause) === 'EADDRINUSE'
          ? new FlotillaError('FLOTILLA_DISK_LOCKED', `${path} is locked by ${ownerIn(path)}`, { cause })
          : diskError(`lock ${path}`, cause),
      );
    });
    server.listen({ path: name, exclusive: true }, () => resolve(server));
    // The lock must not keep a process alive that has nothing else to do.
    server.unref();
  });
}

function writeOwner(descriptor: number): void {
  ftruncateSync(descriptor, 0);
  writeSync(descriptor, `${process.pid}\n`, 0);
}

function ownerIn(path: string): string {
  const text = readFileSync(path, 'latin1').trim();
  return /^\d+$/.test(text) ? `process ${text}` : 'another process';
}

function release(server: Server, descriptor: number): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      closeSync(descriptor);
      resolve();
    });
  });
}
