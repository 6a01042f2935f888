import type { Buffer } from 'node:buffer';
import { FlotillaError } from '@flotilla/platform';
import type { KeyValue } from '@flotilla/wire';
import { toBuffer, toText } from './bytes.ts';

/**
 * A key with its value, and what the cluster knows of both.
 *
 * @example
 * const entry = await client.get('config');
 * if (entry !== null) console.log(entry.text, entry.json<Config>().port, entry.modRevision);
 */
export class Entry {
  readonly #message: KeyValue;

  constructor(message: KeyValue) {
    this.#message = message;
  }

  /** As UTF-8. */
  get key(): string {
    return toText(this.#message.key);
  }

  get keyBytes(): Buffer {
    return toBuffer(this.#message.key);
  }

  /** The value as UTF-8. */
  get text(): string {
    return toText(this.#message.value);
  }

  /** The value as it is. */
  get bytes(): Buffer {
    return toBuffer(this.#message.value);
  }

  /** The value as JSON. Throws `FLOTILLA_VALUE_MALFORMED` when it is none. */
  json<T>(): T {
    try {
      return JSON.parse(this.text) as T;
    } catch (cause) {
      throw new FlotillaError('FLOTILLA_VALUE_MALFORMED', `the value of ${this.key} is not JSON`, { cause });
    }
  }

  /** The revision that made the key; a key that was deleted is made anew. */
  get createRevision(): number {
    return this.#message.createRevision;
  }

  /** The revision of the last change. */
  get modRevision(): number {
    return this.#message.modRevision;
  }

  /** Changes since it was made, from 1. */
  get version(): number {
    return this.#message.version;
  }

  /** The lease that the key ends with; 0n: none. */
  get lease(): bigint {
    return this.#message.lease;
  }
}
