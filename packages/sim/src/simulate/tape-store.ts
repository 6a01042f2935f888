import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FlotillaError, messageOf } from '@flotilla/platform';
import { decodeTape, encodeTape } from '../tape-file.ts';
import type { TapeFile } from '../tape-file.ts';
import type { TapeLanes } from '../tape.ts';

/** What the environment asks of a simulation, so that no program has to be changed to see a failure again. */
export interface ReplayOrders {
  /** A tape instead of a search. */
  readonly replay: string | TapeFile | null;
  /** Only this seed. */
  readonly seed: number | null;
}

/**
 * `FLOTILLA_SIM_REPLAY` names a tape file; simulations of another name than the tape's are not concerned.
 * `FLOTILLA_SIM_SEED` is the only seed to run.
 */
export function replayOrders(
  options: { readonly replay?: string | TapeFile; readonly seeds?: number },
  name: string,
): ReplayOrders {
  if (options.replay !== undefined) return { replay: options.replay, seed: null };
  const { FLOTILLA_SIM_REPLAY: path, FLOTILLA_SIM_SEED: seed } = process.env;
  if (path !== undefined && path !== '' && readTape(path).scenario === name) {
    return { replay: path, seed: null };
  }
  if (seed === undefined || seed === '') return { replay: null, seed: null };
  if (/^\d{1,10}$/.test(seed)) return { replay: null, seed: Number(seed) };
  throw new FlotillaError('FLOTILLA_INVALID_ARGUMENT', `FLOTILLA_SIM_SEED is «${seed}», which is no seed`);
}

/** Fails with `FLOTILLA_TAPE_INVALID` when there is no such file, or no tape in it. */
export function readTape(path: string): TapeFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FlotillaError('FLOTILLA_TAPE_INVALID', `the tape cannot be read: ${messageOf(cause)}`);
  }
  try {
    return decodeTape(text);
  } catch (cause) {
    throw new FlotillaError('FLOTILLA_TAPE_INVALID', `${path}: ${messageOf(cause)}`, { cause });
  }
}

/** @returns where it was written, or null. */
export function writeTape(
  options: { readonly tapeDirectory?: string | null },
  scenario: string,
  seed: number,
  violation: string,
  lanes: TapeLanes,
): string | null {
  const directory = options.tapeDirectory === undefined ? '.' : options.tapeDirectory;
  if (directory === null) return null;
  const name = `${scenario.replace(/[^\p{L}\p{N}]+/gu, '-')}-${seed}.tape.json`;
  const path = join(directory, name);
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(path, encodeTape({ scenario, seed, violation, lanes }));
  } catch {
    // The failure matters more than its tape, and says itself that there is none.
    return null;
  }
  return path;
}

/** Writes the page of a failure beside its tape. @returns where, or null. */
export function writePage(tapePath: string, html: string): string | null {
  const path = tapePath.replace(/\.tape\.json$/, '.report.html');
  try {
    writeFileSync(path, html);
  } catch {
    return null;
  }
  return path;
}
