import { FlotillaError } from '@flotilla/platform';

/** A program cannot be read, or is none. */
export function programInvalid(path: string, reason: string, cause?: unknown): FlotillaError {
  return new FlotillaError('FLOTILLA_PROGRAM_INVALID', `${path}: ${reason}`, { cause });
}

export function programNotFound(path: string): FlotillaError {
  return new FlotillaError('FLOTILLA_PROGRAM_NOT_FOUND', `there is no program ${path}`);
}

/** An error in the form of Node's own, such as those of its module loader. */
export function nodeError(code: string, message: string, fields: object = {}): Error {
  return Object.assign(new Error(message), { code }, fields);
}
