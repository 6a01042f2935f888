import { FlotillaError, messageOf } from '@flotilla/platform';
import type { TapeLanes } from './tape.ts';

/** A run that can be repeated: the content of a tape file. */
export interface TapeFile {
  readonly scenario: string;
  /** The seed whose run this was before it was shrunk. */
  readonly seed: number;
  /** The name of the violation that it shows. */
  readonly violation: string;
  readonly lanes: TapeLanes;
}

const formatName = 'flotilla-tape';
const formatVersion = 1;

/** JSON with one text per label: numbers in decimal, `0x12` for twelve zeros. */
export function encodeTape(file: TapeFile): string {
  const lanes = Object.fromEntries([...file.lanes].map(([label, values]) => [label, encodeLane(values)]));
  const { scenario, seed, violation } = file;
  return `${JSON.stringify({ format: formatName, version: formatVersion, scenario, seed, violation, lanes }, null, 1)}\n`;
}

/** Fails with `FLOTILLA_TAPE_INVALID` on anything that {@link encodeTape} has not made, newer versions included. */
export function decodeTape(text: string): TapeFile {
  const content = parse(text);
  if (content['format'] !== formatName) throw invalid('it is not a tape');
  if (content['version'] !== formatVersion) {
    throw invalid(`its version is ${String(content['version'])}, this program reads ${formatVersion}`);
  }
  const { scenario, seed, violation, lanes } = content;
  if (
    typeof scenario !== 'string' ||
    typeof seed !== 'number' ||
    typeof violation !== 'string' ||
    !isRecord(lanes)
  ) {
    throw invalid('a field is missing');
  }
  return {
    scenario,
    seed,
    violation,
    lanes: new Map(Object.entries(lanes).map(([label, value]) => [label, decodeLane(label, value)])),
  };
}

function parse(text: string): Record<string, unknown> {
  try {
    const content: unknown = JSON.parse(text);
    if (isRecord(content)) return content;
  } catch (cause) {
    throw invalid(messageOf(cause));
  }
  throw invalid('it is not an object');
}

function encodeLane(values: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < values.length;) {
    let end = i;
    while (values[end] === 0) end += 1;
    if (end - i > 1) {
      parts.push(`0x${end - i}`);
      i = end;
    } else {
      parts.push(String(values[i]));
      i += 1;
    }
  }
  return parts.join(' ');
}

function decodeLane(label: string, value: unknown): number[] {
  if (typeof value !== 'string') throw invalid(`the choices of «${label}» are not a text`);
  const values: number[] = [];
  for (const part of value.split(' ').filter((word) => word !== '')) {
    const run = /^0x(\d{1,9})$/.exec(part);
    if (run !== null) {
      for (let i = Number(run[1]); i > 0; i -= 1) values.push(0);
    } else if (/^\d{1,10}$/.test(part)) values.push(Number(part));
    else throw invalid(`«${part}» is not a choice`);
  }
  return values;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(reason: string): FlotillaError {
  return new FlotillaError('FLOTILLA_TAPE_INVALID', `the tape cannot be read: ${reason}`);
}
