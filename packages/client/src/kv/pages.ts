import { KV } from '@flotilla/wire';
import type { RequestOptions, Requester } from '../connection/requester.ts';
import type { Entry } from '../entry.ts';
import { limits } from '../limits.ts';
import { keyRange, successor } from '../span.ts';
import type { Span } from '../span.ts';
import { rangeMessage, rangeResult } from './operations.ts';
import type { GetOptions } from './operations.ts';

export interface PageOptions extends GetOptions, RequestOptions {
  /** Entries of one request. */
  readonly pageEntries?: number;
  readonly keysOnly?: boolean;
}

/** Entries of one request of an iteration. */
export interface Page {
  readonly entries: readonly Entry[];
  /** Of all pages: they are one picture of the keys. */
  readonly revision: number;
}

/** Asks for the next page when the one before was used up. All are of the revision at which the first was read. */
export async function* pages(requester: Requester, span: Span, options: PageOptions): AsyncGenerator<Page> {
  const { rangeEnd, key } = keyRange(span);
  let from = key;
  let revision = options.revision ?? 0;
  for (;;) {
    const limit = options.pageEntries ?? limits.pageEntries;
    const request = { ...rangeMessage(span, { ...options, limit, revision }), key: from, rangeEnd };
    const response = await requester.call(KV.methods.Range, request, 'read', options);
    const page = rangeResult(response);
    if (revision === 0) revision = page.revision;
    yield { entries: page.entries, revision };
    const last = page.entries.at(-1);
    if (!page.more || last === undefined) return;
    from = successor(last.keyBytes);
  }
}
