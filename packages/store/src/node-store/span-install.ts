import { assert } from '@flotilla/platform';
import { compareBytes } from '../bytes.ts';
import { limits } from '../limits.ts';
import { BucketBuilder } from '../mvcc/bucket-builder.ts';
import { eventKey, revisionOfEvent, subOfEvent } from '../mvcc/keys.ts';
import { Table } from '../mvcc/tables.ts';
import type { KeySpan } from '../shard/key-span.ts';
import type { TableWrites, WriteBatch } from '../storage.ts';
import type { MetaRow } from './store-part.ts';

interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

type CommitBatch = (batch: WriteBatch) => Promise<{ readonly flushed: Promise<void> }>;

/**
 * Brings the rows of a shard from elsewhere into the storage, in commits of their own. Counts
 * follow from the keys; events go into a log of this node.
 */
export class SpanInstall {
  readonly #log: number;
  readonly #commitBatch: CommitBatch;
  readonly #buckets: BucketBuilder;
  readonly #tableCount: number;
  #tables: Row[][];
  #bytes = 0;

  constructor(span: KeySpan, log: number, tables: number, commit: CommitBatch) {
    this.#log = log;
    this.#commitBatch = commit;
    this.#buckets = new BucketBuilder(span.from);
    this.#tableCount = tables;
    this.#tables = this.#empty();
  }

  async write(table: number, rows: readonly Row[]): Promise<void> {
    for (const row of rows) this.#take(table, row);
    if (this.#bytes >= limits.installBatchBytes) await this.#commit([]);
  }

  /** The last commit; resolves when it is durable. */
  async finish(meta: readonly MetaRow[]): Promise<void> {
    this.#buckets.end();
    const { flushed } = await this.#commit(meta);
    await flushed;
  }

  #take(table: number, { key, value }: Row): void {
    this.#bytes += key.length + value.length;
    assert(carried.has(table), 'a snapshot carries no other rows');
    if (table === Table.LATEST) this.#buckets.add(key);
    const isEvent = table === Table.EVENTS;
    const place = isEvent ? eventKey(this.#log, revisionOfEvent(key), subOfEvent(key)) : key;
    (this.#tables[table] as Row[]).push({ key: place, value });
  }

  #commit(meta: readonly MetaRow[]): Promise<{ readonly flushed: Promise<void> }> {
    const rows: readonly (readonly MetaRow[])[] = this.#tables.map((own, table) =>
      table === Table.META ? meta : own,
    );
    const tables = rows.map((own) => writesOf(own));
    tables[Table.BUCKETS] = this.#buckets.take();
    this.#tables = this.#empty();
    this.#bytes = 0;
    return this.#commitBatch({ clear: false, tables });
  }

  #empty(): Row[][] {
    return Array.from({ length: this.#tableCount }, () => []);
  }
}

const carried: ReadonlySet<number> = new Set([Table.LATEST, Table.HISTORY, Table.EVENTS, Table.SYSTEM]);

function writesOf(rows: readonly MetaRow[]): TableWrites {
  const sorted = [...rows].sort((a, b) => compareBytes(a.key, b.key));
  return { keys: sorted.map(({ key }) => key), values: sorted.map(({ value }) => value) };
}
