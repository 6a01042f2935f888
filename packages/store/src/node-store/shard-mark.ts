import { FlotillaError } from '@flotilla/platform';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { readSpan, writeSpan } from '../shard/entry-fields.ts';
import type { KeySpan } from '../shard/key-span.ts';

/** A newer one is refused before anything is read. */
const markVersion = 1;
const kinds = ['installing', 'removing'] as const;

/** Stands instead of a shard's rows while it has no state: an install or a removal goes on. */
export interface ShardMark {
  readonly kind: (typeof kinds)[number];
  /** Rows of these keys may be there, of this shard. None: what there was has been removed. */
  readonly spans: readonly KeySpan[];
  /** What whoever began it wants to know after a crash. */
  readonly note: Uint8Array;
}

export function encodeMark({ kind, spans, note }: ShardMark): Uint8Array {
  const writer = new ByteWriter(64);
  writer.byte(markVersion);
  writer.byte(kinds.indexOf(kind));
  writer.varint(spans.length);
  for (const span of spans) writeSpan(writer, span);
  writer.bytes(note);
  return writer.take();
}

/** Throws `FLOTILLA_STORAGE_VERSION`. */
export function decodeMark(row: Uint8Array): ShardMark {
  const reader = new ByteReader(row);
  const version = reader.byte();
  if (version !== markVersion) {
    throw new FlotillaError(
      'FLOTILLA_STORAGE_VERSION',
      `the mark of a shard is in format ${version}; this program reads ${markVersion}`,
    );
  }
  const kind = kinds[reader.byte()] === 'removing' ? 'removing' : 'installing';
  const spans: KeySpan[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) spans.push(readSpan(reader));
  return { kind, spans, note: reader.rest().slice() };
}
