import { FlotillaError, messageOf } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/** What the operating system said, as one of the codes that `Disk` promises. */
export function diskError(what: string, cause: unknown): FlotillaError {
  if (cause instanceof FlotillaError) return cause;
  return new FlotillaError(codeOf(systemCode(cause)), `cannot ${what}: ${messageOf(cause)}`, { cause });
}

/** `ENOENT` and its like; empty when the error is none of the operating system's. */
export function systemCode(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return '';
}

function codeOf(code: string): ErrorCode {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'FLOTILLA_DISK_NOT_FOUND';
    case 'EEXIST':
      return 'FLOTILLA_DISK_EXISTS';
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return 'FLOTILLA_DISK_FULL';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'FLOTILLA_DISK_PERMISSION';
    default:
      return 'FLOTILLA_DISK_IO';
  }
}
