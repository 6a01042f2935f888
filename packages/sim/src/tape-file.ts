import { crc32 } from 'node:zlib';
import { FlotillaError, messageOf } from '@flotilla/platform';
import { limits } from './limits.ts';
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
  const checksum = checksumOf(lanes);
  const content = { format: formatName, version: formatVersion, scenario, seed, violation, checksum, lanes };
  return `${JSON.stringify(content, null, 1)}\n`;
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
  const decoded = new Map(Object.entries(lanes).map(([label, value]) => [label, decodeLane(label, value)]));
  // A tape that differs by one choice is another run, which would fail to fail and explain nothing. Who edits one on
  // purpose takes the checksum out.
  if (content['checksum'] !== undefined && content['checksum'] !== checksumOf(lanes)) {
    throw invalid('its checksum is wrong, so it is not what was written');
  }
  return { scenario, seed, violation, lanes: decoded };
}

function checksumOf(lanes: Readonly<Record<string, unknown>>): string {
  return crc32(JSON.stringify(lanes)).toString(16).padStart(8, '0');
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
    const count = run === null ? 1 : Number(run[1]);
    if (values.length + count > limits.tapeChoicesMax) {
      throw invalid(`«${label}» has more than ${limits.tapeChoicesMax} choices`);
    }
    if (run !== null) {
      for (let i = count; i > 0; i -= 1) values.push(0);
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
