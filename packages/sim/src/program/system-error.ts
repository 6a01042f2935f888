import { constants } from 'node:os';
import { isFlotillaError } from '@flotilla/platform';
import type { ErrorCode } from '@flotilla/platform';

const texts = {
  EACCES: 'permission denied',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'address not available',
  EBADF: 'bad file descriptor',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EEXIST: 'file already exists',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  EINVAL: 'invalid argument',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EPERM: 'operation not permitted',
  EPIPE: 'broken pipe',
  ETIMEDOUT: 'connection timed out',
} as const;

export type SystemErrorCode = keyof typeof texts;

export interface SystemCall {
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;
  readonly address?: string;
  readonly port?: number;
}

/** An error of a system call, as Node makes it. `cause`: the injected fault behind it. */
export function systemError(code: SystemErrorCode, call: SystemCall, cause?: unknown): Error {
  const { syscall, path, dest, address, port } = call;
  const message =
    address === undefined
      ? `${code}: ${texts[code]}, ${syscall}${path === undefined ? '' : ` '${path}'`}${dest === undefined ? '' : ` -> '${dest}'`}`
      : `${syscall} ${code}${code.startsWith('EADDR') ? `: ${texts[code]}` : ''} ${address}${port === undefined ? '' : `:${port}`}`;
  const numbers: Readonly<Record<string, number>> = constants.errno;
  const error = cause === undefined ? new Error(message) : new Error(message, { cause });
  return Object.assign(error, { errno: -(numbers[code] ?? 1), code }, call);
}

const disk: Readonly<Partial<Record<ErrorCode, SystemErrorCode>>> = {
  FLOTILLA_DISK_FULL: 'ENOSPC',
  FLOTILLA_DISK_IO: 'EIO',
  FLOTILLA_DISK_NOT_FOUND: 'ENOENT',
  FLOTILLA_DISK_EXISTS: 'EEXIST',
};

/** What went wrong on the simulated disk, in Node's form; anything else as it is. */
export function fileError(cause: unknown, call: SystemCall): unknown {
  const code = isFlotillaError(cause) ? disk[cause.code] : undefined;
  return code === undefined ? cause : systemError(code, call, cause);
}
