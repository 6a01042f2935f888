import { compareBytes } from '../bytes.ts';
import { textToBytes } from '../encoding/text.ts';
import { crc32c } from '../hash/crc32c.ts';
import type { BucketSink } from './etcd-contents.ts';

/** etcd's `Hash`: over all that a member stores, but for where it stands in the log. */
export class ContentsHash implements BucketSink {
  value = 0;
  #bucket = '';

  beginBucket(name: string): void {
    this.#bucket = name;
    this.#add(textToBytes(name));
  }

  put(key: Uint8Array, value: Uint8Array): void {
    if (this.#bucket === 'meta' && ignoredKeys.some((ignored) => compareBytes(ignored, key) === 0)) return;
    this.#add(key);
    this.#add(value);
  }

  endBucket(): void {
    this.#bucket = '';
  }

  #add(bytes: Uint8Array): void {
    this.value = crc32c(bytes, this.value);
  }
}

const ignoredKeys = ['consistent_index', 'term', 'confState'].map((name) => textToBytes(name));
