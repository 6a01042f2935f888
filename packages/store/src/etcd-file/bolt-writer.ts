import { assert } from '@flotilla/platform';
import { compareBytes, copyBytes } from '../bytes.ts';
import { bolt, fnv64a } from './bolt-format.ts';

/** Where a file's bytes go: pages in order, and the meta pages last. */
export interface ByteSink {
  write(position: number, bytes: Uint8Array): void;
}

/**
 * Writes a bbolt file in one pass: buckets and keys come in order, pages are written as they fill, and what is kept in
 * memory is one page for each level of the tree. Before {@link BoltWriter.finish} the file is none.
 *
 * @example
 * const file = new BoltWriter(sink);
 * file.bucket('key', records);
 * const sizeBytes = file.finish();
 */
export class BoltWriter {
  readonly #sink: ByteSink;
  readonly #root: TreeWriter;
  #bucket: TreeWriter | null = null;
  #bucketName: Uint8Array | null = null;
  /** Behind the meta pages and the freelist. */
  #nextPage = 3;

  constructor(sink: ByteSink) {
    this.#sink = sink;
    this.#root = this.#tree();
  }

  /** Buckets come in the order of their names. */
  beginBucket(name: string): void {
    assert(this.#bucket === null, 'a bucket ends before the next one');
    this.#bucketName = new TextEncoder().encode(name);
    this.#bucket = this.#tree();
  }

  /** Keys of a bucket come in order, each once. */
  put(key: Uint8Array, value: Uint8Array): void {
    assert(this.#bucket !== null, 'a key is in a bucket');
    this.#bucket.add(key, value, 0);
  }

  endBucket(): void {
    assert(this.#bucket !== null && this.#bucketName !== null, 'a bucket that ends has begun');
    const header = new Uint8Array(bolt.bucketBytes);
    new DataView(header.buffer).setBigUint64(0, BigInt(this.#bucket.finish()), true);
    this.#root.add(this.#bucketName, header, bolt.bucketFlag);
    this.#bucket = null;
  }

  /** Writes what is left, and the pages that make it a file. Answers its size. */
  finish(): number {
    assert(this.#bucket === null, 'the last bucket has ended');
    const root = this.#root.finish();
    this.#writePage(freelistPage, bolt.freelistFlag, 0, new Uint8Array(0));
    for (const page of [0, 1]) this.#writePage(page, bolt.metaFlag, 0, metaOf(page, root, this.#nextPage));
    return this.#nextPage * bolt.pageBytes;
  }

  #tree(): TreeWriter {
    return new TreeWriter((flags, count, content) => {
      const page = this.#nextPage;
      this.#nextPage += this.#writePage(page, flags, count, content);
      return page;
    });
  }

  /** Answers how many pages it takes. */
  #writePage(id: number, flags: number, count: number, content: Uint8Array): number {
    const pages = Math.ceil((bolt.pageHeaderBytes + content.length) / bolt.pageBytes);
    const bytes = new Uint8Array(pages * bolt.pageBytes);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(id), true);
    view.setUint16(8, flags, true);
    view.setUint16(10, count, true);
    view.setUint32(12, pages - 1, true);
    bytes.set(content, bolt.pageHeaderBytes);
    this.#sink.write(id * bolt.pageBytes, bytes);
    return pages;
  }
}

const freelistPage = 2;

function metaOf(transaction: number, root: number, pages: number): Uint8Array {
  const meta = new Uint8Array(bolt.metaBytes);
  const view = new DataView(meta.buffer);
  view.setUint32(0, bolt.magic, true);
  view.setUint32(4, bolt.version, true);
  view.setUint32(8, bolt.pageBytes, true);
  view.setBigUint64(16, BigInt(root), true);
  view.setBigUint64(32, BigInt(freelistPage), true);
  view.setBigUint64(40, BigInt(pages), true);
  view.setBigUint64(48, BigInt(transaction), true);
  view.setBigUint64(56, fnv64a(meta.subarray(0, 56)), true);
  return meta;
}

/** Writes a page somewhere and answers where. */
type PagePlacer = (flags: number, count: number, content: Uint8Array) => number;

/** One B+ tree, from its leaves up: a page is written when the next element does not fit. */
class TreeWriter {
  readonly #place: PagePlacer;
  readonly #leaf = new LeafPage();
  /** Level by level above the leaves: the page that is being filled. */
  readonly #branches: BranchPage[] = [];
  #last: Uint8Array | null = null;

  constructor(place: PagePlacer) {
    this.#place = place;
  }

  add(key: Uint8Array, value: Uint8Array, flags: number): void {
    assert(this.#last === null || compareBytes(this.#last, key) < 0, 'keys of a bucket come in order');
    this.#last = copyBytes(key);
    if (!this.#leaf.fits(key, value)) this.#flushLeaf();
    this.#leaf.add(key, value, flags);
  }

  /** Answers the page of the root. */
  finish(): number {
    if (this.#branches.length === 0) return this.#placed(this.#leaf);
    if (this.#leaf.count > 0) this.#flushLeaf();
    for (let level = 0; ; level += 1) {
      const branch = this.#branches[level] as BranchPage;
      const isTop = level === this.#branches.length - 1;
      if (isTop) return branch.count === 1 ? branch.onlyChild : this.#placed(branch);
      if (branch.count > 0) this.#flushBranch(level);
    }
  }

  #flushLeaf(): void {
    const { firstKey } = this.#leaf;
    this.#addChild(0, firstKey, this.#placed(this.#leaf));
  }

  #flushBranch(level: number): void {
    const branch = this.#branches[level] as BranchPage;
    const { firstKey } = branch;
    this.#addChild(level + 1, firstKey, this.#placed(branch));
  }

  #addChild(level: number, key: Uint8Array, page: number): void {
    let branch = this.#branches[level];
    if (branch === undefined) {
      branch = new BranchPage();
      this.#branches.push(branch);
    }
    if (!branch.fits(key)) this.#flushBranch(level);
    branch.add(key, page);
  }

  #placed(page: LeafPage | BranchPage): number {
    const flags = page instanceof LeafPage ? bolt.leafFlag : bolt.branchFlag;
    const { count } = page;
    return this.#place(flags, count, page.take());
  }
}

const contentBytes = bolt.pageBytes - bolt.pageHeaderBytes;

class LeafPage {
  #elements: { readonly key: Uint8Array; readonly value: Uint8Array; readonly flags: number }[] = [];
  #bytes = 0;

  get count(): number {
    return this.#elements.length;
  }

  get firstKey(): Uint8Array {
    return (this.#elements[0] as { readonly key: Uint8Array }).key;
  }

  /** One that is larger than a page has pages of its own. */
  fits(key: Uint8Array, value: Uint8Array): boolean {
    if (this.count === 0) return true;
    return this.#bytes + bolt.leafElementBytes + key.length + value.length <= contentBytes;
  }

  add(key: Uint8Array, value: Uint8Array, flags: number): void {
    this.#elements.push({ key: copyBytes(key), value, flags });
    this.#bytes += bolt.leafElementBytes + key.length + value.length;
  }

  take(): Uint8Array {
    const content = new Uint8Array(this.#bytes);
    const view = new DataView(content.buffer);
    let data = this.count * bolt.leafElementBytes;
    this.#elements.forEach(({ key, value, flags }, i) => {
      const at = i * bolt.leafElementBytes;
      view.setUint32(at, flags, true);
      view.setUint32(at + 4, data - at, true);
      view.setUint32(at + 8, key.length, true);
      view.setUint32(at + 12, value.length, true);
      content.set(key, data);
      content.set(value, data + key.length);
      data += key.length + value.length;
    });
    this.#elements = [];
    this.#bytes = 0;
    return content;
  }
}

class BranchPage {
  #children: { readonly key: Uint8Array; readonly page: number }[] = [];
  #bytes = 0;

  get count(): number {
    return this.#children.length;
  }

  get firstKey(): Uint8Array {
    return (this.#children[0] as { readonly key: Uint8Array }).key;
  }

  get onlyChild(): number {
    return (this.#children[0] as { readonly page: number }).page;
  }

  fits(key: Uint8Array): boolean {
    return this.count < 2 || this.#bytes + bolt.branchElementBytes + key.length <= contentBytes;
  }

  add(key: Uint8Array, page: number): void {
    this.#children.push({ key, page });
    this.#bytes += bolt.branchElementBytes + key.length;
  }

  take(): Uint8Array {
    const content = new Uint8Array(this.#bytes);
    const view = new DataView(content.buffer);
    let data = this.count * bolt.branchElementBytes;
    this.#children.forEach(({ key, page }, i) => {
      const at = i * bolt.branchElementBytes;
      view.setUint32(at, data - at, true);
      view.setUint32(at + 4, key.length, true);
      view.setBigUint64(at + 8, BigInt(page), true);
      content.set(key, data);
      data += key.length;
    });
    this.#children = [];
    this.#bytes = 0;
    return content;
  }
}
