import { CompactionRequest, KV } from '@flotilla/wire';
import type { Bytes } from '../bytes.ts';
import { answersOf } from '../connection/answers.ts';
import type { RequestOptions, Requester } from '../connection/requester.ts';
import type { Entry } from '../entry.ts';
import type { KeyOrSpan, Span } from '../span.ts';
import type { Condition } from './compare.ts';
import {
  deleteMessage,
  deleteResult,
  putMessage,
  putResult,
  rangeMessage,
  rangeResult,
  revisionOf,
  toEntry,
} from './operations.ts';
import type {
  DeleteOptions,
  DeleteResult,
  GetOptions,
  PutOptions,
  PutResult,
  RangeOptions,
  RangeResult,
} from './operations.ts';
import { pages } from './pages.ts';
import type { Page, PageOptions } from './pages.ts';
import { stm } from './stm.ts';
import type { StmBody, StmOptions } from './stm.ts';
import { Transaction } from './transaction.ts';

/** Of `client.stream`. */
export interface StreamOptions extends GetOptions, RequestOptions {
  readonly limit?: number;
  readonly keysOnly?: boolean;
}

/** Keys and values. */
export class KeyValues {
  protected readonly requester: Requester;

  constructor(requester: Requester) {
    this.requester = requester;
  }

  /** What is there; null: nothing. */
  async get(key: Bytes, options: GetOptions & RequestOptions = {}): Promise<Entry | null> {
    const response = await this.requester.call(KV.methods.Range, rangeMessage(key, options), 'read', options);
    return rangeResult(response).entries[0] ?? null;
  }

  /** All of a span at once. Of many keys, {@link entries} holds less in memory. */
  async range(keys: KeyOrSpan, options: RangeOptions & RequestOptions = {}): Promise<RangeResult> {
    const response = await this.requester.call(
      KV.methods.Range,
      rangeMessage(keys, options),
      'read',
      options,
    );
    return rangeResult(response);
  }

  async count(span: Span, options: GetOptions & RequestOptions = {}): Promise<number> {
    const message = rangeMessage(span, { ...options, countOnly: true });
    const response = await this.requester.call(KV.methods.Range, message, 'read', options);
    return response.count;
  }

  /**
   * A span of any size, page by page: one picture of the keys, as they were when the first page was read.
   *
   * @example
   * for await (const entry of client.entries({ prefix: 'users/' })) …
   */
  async *entries(span: Span, options: PageOptions = {}): AsyncGenerator<Entry> {
    for await (const page of pages(this.requester, span, options)) yield* page.entries;
  }

  /** {@link entries}, a page at a time, with the revision to watch from. */
  pages(span: Span, options: PageOptions = {}): AsyncGenerator<Page> {
    return pages(this.requester, span, options);
  }

  /**
   * A span of any size as its server reads it, in pieces of one picture, without a request for each. When the connection
   * breaks it fails, where {@link entries} goes on at another server. Needs Flotilla, or etcd since 3.7: others reject
   * with UNIMPLEMENTED. A reader that leaves a piece for a minute is given up.
   */
  async *stream(span: Span, options: StreamOptions = {}): AsyncGenerator<readonly Entry[]> {
    const endpoint = await this.requester.endpoint(options);
    const request = rangeMessage(span, options);
    for await (const answer of answersOf(
      this.requester,
      endpoint,
      KV.methods.RangeStream,
      request,
      options,
    )) {
      const piece = answer.rangeResponse?.kvs ?? [];
      if (piece.length > 0) yield piece.map(toEntry);
    }
  }

  async put(key: Bytes, value: Bytes, options: PutOptions & RequestOptions = {}): Promise<PutResult> {
    const message = putMessage(key, value, options);
    return putResult(await this.requester.call(KV.methods.Put, message, 'write', options));
  }

  async delete(keys: KeyOrSpan, options: DeleteOptions & RequestOptions = {}): Promise<DeleteResult> {
    const message = deleteMessage(keys, options);
    return deleteResult(await this.requester.call(KV.methods.DeleteRange, message, 'write', options));
  }

  /** A transaction, which begins with its conditions. */
  if(...conditions: readonly Condition[]): Transaction {
    return new Transaction(this.requester, conditions, [], []);
  }

  /** A transaction without conditions. */
  transaction(): Transaction {
    return this.if();
  }

  /**
   * Runs `body` on one picture of the keys, and commits what it writes if nothing that it has read was changed since;
   * else runs it again. What `body` throws ends it without effect.
   *
   * @example
   * await client.stm(async (tx) => {
   *   const from = Number((await tx.get('a'))?.text);
   *   if (from < 10) throw new Error('not enough');
   *   tx.put('a', String(from - 10));
   *   tx.put('b', String(Number((await tx.get('b'))?.text) + 10));
   * });
   */
  stm<T>(body: StmBody<T>, options: StmOptions = {}): Promise<T> {
    return stm(this.requester, body, options);
  }

  /** Forgets what was before a revision. `physical` waits until the space is free. Answers the cluster's revision. */
  async compact(
    revision: number,
    options: { readonly physical?: boolean } & RequestOptions = {},
  ): Promise<number> {
    const message = CompactionRequest.create({ revision, physical: options.physical ?? false });
    return revisionOf((await this.requester.call(KV.methods.Compact, message, 'write', options)).header);
  }
}
