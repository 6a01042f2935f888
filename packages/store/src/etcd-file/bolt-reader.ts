import { FlotillaError } from '@flotilla/platform';
import { compareBytes } from '../bytes.ts';
import { bolt, fnv64a } from './bolt-format.ts';

/** Reads up to `length` bytes, fewer only at the end. */
export interface ByteSource {
  readonly sizeBytes: number;
  read(position: number, length: number): Promise<Uint8Array>;
}

export interface BoltEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * Reads a bbolt file that may be anything: whatever is not as it must be is `FLOTILLA_SNAPSHOT_DAMAGED`, and nothing
 * makes it read for ever or more than the file holds. In memory is one page for each level of a tree.
 *
 * @example
 * const file = await BoltReader.open(source);
 * for await (const { key, value } of file.entries('lease')) use(key, value);
 */
export class BoltReader {
  /** In the order of their names. */
  readonly buckets: readonly string[];
  /** Size of a page times the number of pages: what the database is said to take. */
  readonly databaseBytes: number;
  readonly #source: ByteSource;
  readonly #meta: Meta;
  readonly #roots: ReadonlyMap<string, Uint8Array>;

  private constructor(source: ByteSource, meta: Meta, roots: ReadonlyMap<string, Uint8Array>) {
    this.#source = source;
    this.#meta = meta;
    this.#roots = roots;
    this.buckets = [...roots.keys()];
    this.databaseBytes = meta.pages * meta.pageBytes;
  }

  static async open(source: ByteSource): Promise<BoltReader> {
    const meta = await readMeta(source);
    const roots = new Map<string, Uint8Array>();
    const walk = new TreeWalk(source, meta);
    for await (const { key, value, isBucket } of walk.elements(meta.root)) {
      if (!isBucket) throw damaged('its root holds what is no bucket');
      if (value.length < bolt.bucketBytes) throw damaged('a bucket is cut short');
      roots.set(new TextDecoder().decode(key), value);
    }
    return new BoltReader(source, meta, roots);
  }

  /** Of a bucket that is not there: nothing. */
  async *entries(bucket: string): AsyncGenerator<BoltEntry> {
    const value = this.#roots.get(bucket);
    if (value === undefined) return;
    const walk = new TreeWalk(this.#source, this.#meta);
    const root = readUint64(viewOf(value), 0);
    const elements = root === 0 ? walk.inline(value.subarray(bolt.bucketBytes)) : walk.elements(root);
    for await (const { key, value: content, isBucket } of elements) {
      if (isBucket) throw damaged(`bucket ${bucket} holds another one`);
      yield { key, value: content };
    }
  }
}

interface Meta {
  readonly pageBytes: number;
  readonly root: number;
  readonly pages: number;
  readonly transaction: bigint;
}

/** The second meta page is where the page size says; when the first one is damaged, every size is tried. */
async function readMeta(source: ByteSource): Promise<Meta> {
  const first = await metaAt(source, 0);
  const sizes = first === null ? pageSizes : [first.pageBytes];
  let best = first;
  for (const pageBytes of sizes) {
    const second = await metaAt(source, pageBytes);
    if (second === null || second.pageBytes !== pageBytes) continue;
    if (best === null || second.transaction > best.transaction) best = second;
  }
  if (best === null) throw damaged('it has no valid meta page: it is no bbolt file');
  return best;
}

const pageSizes = Array.from({ length: 15 }, (_, i) => 1_024 << i);

async function metaAt(source: ByteSource, position: number): Promise<Meta | null> {
  const bytes = await source.read(position, bolt.pageHeaderBytes + bolt.metaBytes);
  if (bytes.length < bolt.pageHeaderBytes + bolt.metaBytes) return null;
  const meta = bytes.subarray(bolt.pageHeaderBytes);
  const view = viewOf(meta);
  if (view.getUint32(0, true) !== bolt.magic || view.getUint32(4, true) !== bolt.version) return null;
  if (view.getBigUint64(56, true) !== fnv64a(meta.subarray(0, 56))) return null;
  const pageBytes = view.getUint32(8, true);
  if (!pageSizes.includes(pageBytes)) return null;
  return {
    pageBytes,
    root: readUint64(view, 16),
    pages: readUint64(view, 40),
    transaction: view.getBigUint64(48, true),
  };
}

interface Element {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly isBucket: boolean;
}

/** One walk through one tree. Keys must rise all the way, so that no page can be come to twice. */
class TreeWalk {
  readonly #source: ByteSource;
  readonly #meta: Meta;
  #last: Uint8Array | null = null;
  #pages = 0;

  constructor(source: ByteSource, meta: Meta) {
    this.#source = source;
    this.#meta = meta;
  }

  async *elements(page: number, depth = 0): AsyncGenerator<Element> {
    if (depth > maxDepth) throw damaged('a tree is too deep');
    const { flags, count, bytes } = await this.#read(page);
    if (flags === bolt.leafFlag) {
      yield* this.#leaf(bytes, count);
      return;
    }
    if (flags !== bolt.branchFlag) throw damaged(`page ${page} is neither leaf nor branch`);
    if (count === 0) throw damaged(`branch page ${page} is empty`);
    const view = viewOf(bytes);
    for (let i = 0; i < count; i += 1) {
      const at = bolt.pageHeaderBytes + i * bolt.branchElementBytes;
      if (at + bolt.branchElementBytes > bytes.length) throw damaged(`branch page ${page} is cut short`);
      yield* this.elements(readUint64(view, at + 8), depth + 1);
    }
  }

  /** The one page of a small bucket, which its parent holds as a value. */
  *inline(bytes: Uint8Array): Generator<Element> {
    if (bytes.length < bolt.pageHeaderBytes) throw damaged('a bucket is cut short');
    const view = viewOf(bytes);
    if (view.getUint16(8, true) !== bolt.leafFlag) throw damaged('an inline bucket is no leaf');
    yield* this.#leaf(bytes, view.getUint16(10, true));
  }

  *#leaf(bytes: Uint8Array, count: number): Generator<Element> {
    const view = viewOf(bytes);
    for (let i = 0; i < count; i += 1) {
      const at = bolt.pageHeaderBytes + i * bolt.leafElementBytes;
      if (at + bolt.leafElementBytes > bytes.length) throw damaged('a leaf page is cut short');
      const start = at + view.getUint32(at + 4, true);
      const middle = start + view.getUint32(at + 8, true);
      const end = middle + view.getUint32(at + 12, true);
      if (end > bytes.length) throw damaged('an entry reaches beyond its page');
      const key = bytes.subarray(start, middle);
      if (this.#last !== null && compareBytes(this.#last, key) >= 0) throw damaged('keys are out of order');
      this.#last = key;
      const isBucket = (view.getUint32(at, true) & bolt.bucketFlag) !== 0;
      yield { key, value: bytes.subarray(middle, end), isBucket };
    }
  }

  async #read(
    page: number,
  ): Promise<{ readonly flags: number; readonly count: number; readonly bytes: Uint8Array }> {
    const { pageBytes, pages } = this.#meta;
    this.#pages += 1;
    if (page < 2 || page >= pages || this.#pages > pages) throw damaged(`page ${page} cannot be in a tree`);
    const position = page * pageBytes;
    const first = await this.#source.read(position, pageBytes);
    if (first.length < pageBytes) throw damaged(`page ${page} is missing`);
    const view = viewOf(first);
    if (readUint64(view, 0) !== page) throw damaged(`page ${page} says that it is another one`);
    const overflow = view.getUint32(12, true);
    if (page + overflow >= pages) throw damaged(`page ${page} reaches beyond the end`);
    const length = (overflow + 1) * pageBytes;
    if (position + length > this.#source.sizeBytes) throw damaged(`page ${page} is cut short`);
    const bytes = overflow === 0 ? first : await this.#source.read(position, length);
    if (bytes.length < length) throw damaged(`page ${page} is cut short`);
    return { flags: view.getUint16(8, true), count: view.getUint16(10, true), bytes };
  }
}

/** Even branches of two children make more leaves than there are disks. */
const maxDepth = 64;

/** A number beyond what is safe is no page. */
function readUint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(what: string): FlotillaError {
  return new FlotillaError('FLOTILLA_SNAPSHOT_DAMAGED', `damaged snapshot: ${what}`);
}
