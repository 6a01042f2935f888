import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/**
 * How a message of type `T` becomes bytes and back. One constant per message, named as the message's type.
 *
 * @example
 * const bytes = RangeRequest.encode(RangeRequest.create({ key, limit: 10 }));
 * RangeRequest.decode(bytes).limit; // 10
 */
export class Codec<T> {
  /** With its package: `etcdserverpb.RangeRequest`. */
  readonly name: string;
  /** What `decode` answers for no bytes: every field at its default. */
  readonly empty: T;
  /** A message with the given fields; the others have proto3's defaults. */
  readonly create: (partial?: Partial<T>) => T;
  readonly write: (writer: Writer, message: T) => void;
  readonly read: (reader: Reader, base: T) => T;

  constructor(
    name: string,
    create: (partial?: Partial<T>) => T,
    write: (writer: Writer, message: T) => void,
    read: (reader: Reader, base: T) => T,
  ) {
    this.name = name;
    this.create = create;
    this.write = write;
    this.read = read;
    this.empty = create();
  }

  /** Throws an assertion when a number does not fit its field. The answer must not be changed. */
  encode(message: T): Uint8Array {
    writer.begin();
    this.write(writer, message);
    return writer.finish();
  }

  /** {@link encode} with the five bytes before it that gRPC sends before an uncompressed message. */
  encodeFrame(message: T): Uint8Array {
    writer.begin();
    this.write(writer, message);
    writer.framePrefix();
    return writer.finish();
  }

  /**
   * Throws `FLOTILLA_WIRE_MALFORMED`. Fields of type bytes are views into `bytes`: they keep all of it in memory and
   * change with it. Say `copy` when they outlive the call or the buffer is used again.
   */
  decode(bytes: Uint8Array, options?: { readonly copy?: boolean }): T {
    return this.read(new Reader(bytes, options?.copy === true), this.empty);
  }
}

/** Encoding is synchronous and does not call out, so one writer serves all. */
const writer = new Writer();

export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);
/** Shared by all messages whose list is empty; frozen, so that nobody can fill it for everybody. */
export const EMPTY_LIST: readonly never[] = Object.freeze([]);
