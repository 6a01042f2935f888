import type {
  WatchEvent,
  WatchRecord,
  WatchRequest as CheckedRequest,
  WatchResponse as CheckedResponse,
} from '@flotilla/check';
import { FilterType, WatchCreateRequest } from '@flotilla/wire';
import type { WatchResponse } from '@flotilla/wire';
import { bytesOf, etcdEvent, keyValue } from './etcd-messages.ts';

/** One watch from its creation to its end, as its client sees it: what the watch checker judges. */
export class RecordedWatch {
  readonly responses: CheckedResponse[] = [];
  /** The header's revision where the member said that it was created; null: it has not. */
  createdRevision: number | null = null;
  /** The last revision whose events have come. */
  latest = 0;
  readonly #name: string;
  readonly #request: CheckedRequest;

  constructor(name: string, request: CheckedRequest) {
    this.#name = name;
    this.#request = request;
  }

  /** What a client sends for it. */
  create(more: Partial<WatchCreateRequest> = {}): WatchCreateRequest {
    const { key, rangeEnd, startRevision, prevKv, noPut, noDelete } = this.#request;
    return WatchCreateRequest.create({
      key: bytesOf(key),
      rangeEnd: bytesOf(rangeEnd),
      startRevision,
      prevKv,
      filters: [...(noPut ? [FilterType.NOPUT] : []), ...(noDelete ? [FilterType.NODELETE] : [])],
      ...more,
    });
  }

  take({ header, created, canceled, events, fragment }: WatchResponse): void {
    const revision = header?.revision ?? 0;
    if (created) this.createdRevision = revision;
    if (created || canceled) return;
    this.responses.push({
      revision,
      fragment,
      events: events.map((event): WatchEvent => {
        return { ...etcdEvent(event), prevKv: event.prevKv === null ? null : keyValue(event.prevKv) };
      }),
    });
    for (const { kv } of events) this.latest = Math.max(this.latest, kv?.modRevision ?? 0);
  }

  /** Null: it was never created. */
  record(completeThrough = 0): WatchRecord | null {
    const { createdRevision, responses } = this;
    if (createdRevision === null) return null;
    return { name: this.#name, request: this.#request, createdRevision, responses, completeThrough };
  }
}
