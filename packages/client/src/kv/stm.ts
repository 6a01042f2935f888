import { Buffer } from 'node:buffer';
import { KV, KeyValue } from '@flotilla/wire';
import { toBytes } from '../bytes.ts';
import type { Bytes } from '../bytes.ts';
import type { RequestOptions, Requester } from '../connection/requester.ts';
import { Entry } from '../entry.ts';
import { EtcdError, clientError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Span } from '../span.ts';
import { backoffMs, sleep } from '../waiting.ts';
import { when } from './compare.ts';
import type { Condition } from './compare.ts';
import { op, rangeMessage, rangeResult } from './operations.ts';
import type { Operation, PutOptions } from './operations.ts';
import { Transaction } from './transaction.ts';

export type StmBody<T> = (transaction: SoftwareTransaction) => Promise<T> | T;

export interface StmOptions extends RequestOptions {
  /** Runs until it is given up with `FLOTILLA_STM_CONFLICT`. */
  readonly maxTries?: number;
}

/**
 * Serializable snapshot isolation, as etcd's `concurrency.STM`: every read is of the revision of the first one, and
 * the commit asks that no key that was read or is written has changed since.
 */
export async function stm<T>(requester: Requester, body: StmBody<T>, options: StmOptions): Promise<T> {
  const maxTries = options.maxTries ?? limits.stmTries;
  for (let tries = 1; tries <= maxTries; tries += 1) {
    const transaction = new SoftwareTransaction(requester, options);
    try {
      const result = await body(transaction);
      if (await transaction.commit()) return result;
    } catch (error) {
      // Its picture of the keys was compacted while it ran: a new one will do.
      if (!(error instanceof EtcdError) || error.reason !== 'compacted') throw error;
    }
    const pauseMs = backoffMs(requester.world.platform, tries - 1, 1, limits.stmBackoffMsMax);
    await sleep(requester.world.platform, pauseMs, options.signal);
  }
  throw clientError(
    'FLOTILLA_STM_CONFLICT',
    `others changed what the transaction had read ${maxTries} times`,
  );
}

interface Write {
  readonly key: Bytes;
  readonly operation: Operation;
  /** Null: the key is deleted. */
  readonly entry: Entry | null;
}

/** What the body of `client.stm` reads and writes through. */
export class SoftwareTransaction {
  readonly #requester: Requester;
  readonly #options: RequestOptions;
  readonly #read = new Map<string, { readonly key: Bytes; readonly entry: Promise<Entry | null> }>();
  readonly #spans: Span[] = [];
  readonly #writes = new Map<string, Write>();
  #first: Promise<number> | null = null;

  constructor(requester: Requester, options: RequestOptions) {
    this.#requester = requester;
    this.#options = options;
  }

  /** What this transaction has written there, with revision 0, or else what the first read's revision has. */
  get(key: Bytes): Promise<Entry | null> {
    const name = nameOf(key);
    const own = this.#writes.get(name);
    if (own !== undefined) return Promise.resolve(own.entry);
    const known = this.#read.get(name);
    if (known !== undefined) return known.entry;
    const entry = this.#range(key).then((entries) => entries[0] ?? null);
    this.#read.set(name, { key, entry });
    return entry;
  }

  /**
   * All keys of a span, without what this transaction has written; the commit asks for each of them, and that there are no others. A transaction of etcd has room
   * for 128 conditions.
   */
  async range(span: Span): Promise<readonly Entry[]> {
    const entries = await this.#range(span);
    this.#spans.push(span);
    for (const entry of entries) {
      const name = nameOf(entry.keyBytes);
      if (!this.#read.has(name)) {
        this.#read.set(name, { key: entry.keyBytes, entry: Promise.resolve(entry) });
      }
    }
    return entries;
  }

  put(key: Bytes, value: Bytes, options: Pick<PutOptions, 'lease'> = {}): void {
    const entry = new Entry(KeyValue.create({ key: toBytes(key), value: toBytes(value) }));
    this.#writes.set(nameOf(key), { key, entry, operation: op.put(key, value, options) });
  }

  delete(key: Bytes): void {
    this.#writes.set(nameOf(key), { key, entry: null, operation: op.delete(key) });
  }

  /** For `client.stm`. False: something that was read has changed. */
  async commit(): Promise<boolean> {
    // All reads were of one revision, and nothing is changed: there is nothing to ask for.
    if (this.#writes.size === 0) return true;
    const conditions = await this.#conditions();
    const operations = [...this.#writes.values()].map(({ operation }) => operation);
    const transaction = new Transaction(this.#requester, conditions, operations, []);
    return (await transaction.commit(this.#options)).succeeded;
  }

  async #range(keys: Bytes | Span): Promise<readonly Entry[]> {
    if (this.#first === null) {
      const first = this.#ask(keys, 0);
      this.#first = first.then(({ revision }) => revision);
      return (await first).entries;
    }
    return (await this.#ask(keys, await this.#first)).entries;
  }

  async #ask(
    keys: Bytes | Span,
    revision: number,
  ): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }> {
    const message = rangeMessage(keys, { revision });
    return rangeResult(await this.#requester.call(KV.methods.Range, message, 'read', this.#options));
  }

  async #conditions(): Promise<Condition[]> {
    const conditions: Condition[] = [];
    for (const { key, entry } of this.#read.values()) {
      conditions.push(when.modRevision(key, '=', (await entry)?.modRevision ?? 0));
    }
    if (this.#first === null) return conditions;
    const next = (await this.#first) + 1;
    // A key that has come into a span since is newer than the picture; one that has gone fails its own condition.
    for (const span of this.#spans) conditions.push(when.modRevision(span, '<', next));
    for (const [name, { key }] of this.#writes) {
      if (!this.#read.has(name)) conditions.push(when.modRevision(key, '<', next));
    }
    return conditions;
  }
}

function nameOf(key: Bytes): string {
  return Buffer.from(toBytes(key)).toString('latin1');
}
