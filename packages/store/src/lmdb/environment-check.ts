import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { FlotillaError } from '@flotilla/platform';

/** From LMDB's `mdb.c`: a page header, then the meta's magic and version. */
const metaOffset = 24;
const magic = 0xbeefc0de;
const dataVersion = 2;
const pageSizeOffset = 48;

/**
 * Refuses a data file that LMDB would crash on: it maps the file and believes what it finds there. Throws
 * `FLOTILLA_STORAGE_CORRUPT`. A missing or empty file is a new environment.
 */
export function checkEnvironment(directory: string): void {
  const path = join(directory, 'data.mdb');
  if (!existsSync(path)) return;
  const file = openSync(path, 'r');
  try {
    const first = readMeta(file, 0);
    if (first.length === 0) return;
    if (!isMeta(first)) throw corrupt(path, 'the first meta page is not one of LMDB');
    const pageSize = first.readUInt32LE(pageSizeOffset);
    if (!isMeta(readMeta(file, pageSize))) throw corrupt(path, 'the second meta page is not one of LMDB');
  } finally {
    closeSync(file);
  }
}

function readMeta(file: number, position: number): Buffer {
  const meta = Buffer.alloc(64);
  return meta.subarray(0, readSync(file, meta, 0, meta.length, position));
}

function isMeta(page: Buffer): boolean {
  return (
    page.length === 64 &&
    page.readUInt32LE(metaOffset) === magic &&
    (page.readUInt32LE(metaOffset + 4) & 0xffff) === dataVersion
  );
}

function corrupt(path: string, what: string): FlotillaError {
  return new FlotillaError('FLOTILLA_STORAGE_CORRUPT', `${path} is damaged: ${what}`);
}
