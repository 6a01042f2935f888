import type { Timer } from '@flotilla/platform';
import { EMPTY_LIST, WatchResponse, etcdErrors } from '@flotilla/wire';
import type { Event, WatchCreateRequest, WatchRequest } from '@flotilla/wire';
import { limits } from '../limits.ts';
import { header } from '../mvcc/header.ts';
import { isEmpty } from '../mvcc/key-range.ts';
import { eventBytes } from './event-size.ts';
import type { WatchHub } from './hub.ts';
import type { Watcher } from './watcher.ts';
import { watchedRange, watchRange } from './watcher.ts';

/**
 * Takes what a stream has to say. The server encodes a response and writes it to its client.
 *
 * `send` answers false when the client is slow: the response was taken, but none is sent after it until
 * {@link WatchStream.drained} is called.
 */
export interface WatchSink {
  send(response: WatchResponse): boolean;
  /** Absent: the client may watch everything. */
  readonly gate?: WatchGate;
}

/** What a client may watch. Each answers why it may not, as the client is told; null: it may. */
export interface WatchGate {
  /** A watch that is to be made. */
  admit(range: WatchedRange): string | null;
  /** One that is there, when users or roles have changed. */
  review(range: WatchedRange): string | null;
}

/** As a client asks for it; no key means the smallest one. */
export type WatchedRange = Pick<WatchCreateRequest, 'key' | 'rangeEnd'>;

interface WaitingRequest {
  readonly run: (arrival: number) => void;
  /** How often had been asked when it came. */
  readonly arrival: number;
}

/** etcd's text for an empty or inverted range. */
const emptyRange = 'mvcc: watcher range is empty';
const duplicateId = 'mvcc: duplicate watch ID provided on the WatchStream';
const noWatch = -1;

/**
 * One client's stream of watches. What its client has not taken is bounded: beyond the bound its watchers fall behind
 * and read from history later, so that a slow client costs no memory and never holds up apply.
 */
export class WatchStream {
  readonly watchers = new Map<number, Watcher>();
  readonly #hub: WatchHub;
  readonly #sink: WatchSink;
  #nextId = 0;
  #queue: { response: WatchResponse; bytes: number }[] = [];
  #head = 0;
  #queuedBytes = 0;
  #full = false;
  #closed = false;
  #progressTimer: Timer | null = null;
  /** A watch is being made: what was asked for after it has to wait. */
  #creating: Promise<void> | null = null;
  #later: WaitingRequest[] = [];
  /** How often it was asked at which revision a watch begins, and the last answer. */
  #asked = 0;
  #answered = { ask: 0, revision: 0 };

  constructor(hub: WatchHub, sink: WatchSink) {
    this.#hub = hub;
    this.#sink = sink;
  }

  /** The client does not take what it is sent: a server had better not read more of its requests. */
  get blocked(): boolean {
    return this.#full;
  }

  /** Whether events may be queued. Answers to requests always may: a server bounds those. */
  get accepts(): boolean {
    const { streamBufferBytes, streamBufferResponses } = this.#hub.options;
    return this.#queuedBytes < streamBufferBytes && this.#queue.length - this.#head < streamBufferResponses;
  }

  /** Not null: so many requests wait that a server had better not read more of them until it resolves. */
  get overwhelmed(): Promise<void> | null {
    return this.#later.length >= limits.watchWaitingRequests ? this.#creating : null;
  }

  /** Not null: a watch is being made, and what was asked for after it waits. */
  get creating(): Promise<void> | null {
    return this.#creating;
  }

  /** What a client sends on the stream. */
  request({ requestUnion: request }: WatchRequest): void {
    if (request === null) return;
    if (request.case === 'createRequest') this.create(request.value);
    else if (request.case === 'cancelRequest') this.cancel(request.value.watchId);
    else this.requestProgress();
  }

  create(request: WatchCreateRequest): void {
    this.#inTurn((arrival) => this.#create(request, arrival));
  }

  cancel(id: number): void {
    this.#inTurn(() => this.#cancel(id));
  }

  /** Answered, with watch id −1, only when every watcher of the stream has been told everything. */
  requestProgress(): void {
    this.#inTurn(() => this.#tellProgress());
  }

  #inTurn(request: WaitingRequest['run'], arrival = this.#asked): void {
    if (this.#closed) return;
    if (this.#creating === null) request(arrival);
    else this.#later.push({ run: request, arrival });
  }

  #create(request: WatchCreateRequest, arrival: number): void {
    const refusal = this.#refusalOf(request);
    if (refusal !== null) return this.#refuse(refusal);
    const newest = this.#newestFor(request, arrival);
    if (typeof newest === 'number') return this.#created(request, newest);
    this.#asked += 1;
    this.#creating = this.#createAt(request, newest, this.#asked);
  }

  /** What was asked after a request came holds for it, too: many watches at once ask once. */
  #newestFor({ startRevision }: WatchCreateRequest, arrival: number): number | Promise<number> {
    if (startRevision !== 0) return this.#hub.newestRevision;
    return this.#answered.ask > arrival ? this.#answered.revision : this.#hub.newest();
  }

  async #createAt(request: WatchCreateRequest, newest: Promise<number>, ask: number): Promise<void> {
    const revision = await newest;
    this.#answered = { ask, revision };
    this.#creating = null;
    if (this.#closed) return;
    // Users may have changed meanwhile.
    const refusal = this.#sink.gate?.review(watchedRange(request)) ?? null;
    if (refusal === null) this.#created(request, revision);
    else this.#refuse(refusal);
    const later = this.#later;
    this.#later = [];
    for (const { run, arrival } of later) this.#inTurn(run, arrival);
  }

  #refusalOf(request: WatchCreateRequest): string | null {
    if (request.startRevision < 0) return etcdErrors.compacted.message;
    const refusal = this.#sink.gate?.admit(watchedRange(request)) ?? null;
    if (refusal !== null) return refusal;
    if (isEmpty(watchRange(request))) return emptyRange;
    return request.watchId !== 0 && this.watchers.has(request.watchId) ? duplicateId : null;
  }

  #created(request: WatchCreateRequest, newest: number): void {
    const watcher = this.#hub.add(this, this.#chooseId(request.watchId), request, newest);
    this.watchers.set(watcher.id, watcher);
    this.#send(WatchResponse.create({ header: header(newest), watchId: watcher.id, created: true }));
    if (watcher.progressNotify) this.#startProgress();
  }

  /** An id that is not there is ignored, as etcd does. */
  #cancel(id: number): void {
    const watcher = this.watchers.get(id);
    if (watcher === undefined) return;
    this.#drop(watcher);
    this.#send(WatchResponse.create({ header: this.#newest(), watchId: id, canceled: true }));
  }

  /** The hub's: what the client may watch has changed, and watches that it may not have any more end. */
  review(): void {
    for (const watcher of this.watchers.values()) {
      const cancelReason = this.#sink.gate?.review(watcher.asked) ?? null;
      if (cancelReason === null) continue;
      this.#drop(watcher);
      const { id: watchId } = watcher;
      this.#send(WatchResponse.create({ header: this.#newest(), watchId, canceled: true, cancelReason }));
    }
  }

  #tellProgress(): void {
    if (this.watchers.size === 0) return;
    for (const watcher of this.watchers.values()) if (!this.#isCurrent(watcher)) return;
    this.#send(WatchResponse.create({ header: this.#header(), watchId: noWatch }));
  }

  /** The sink takes responses again. */
  drained(): void {
    if (!this.#full || this.#closed) return;
    this.#full = false;
    this.#flush();
  }

  /** The client is gone. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#progressTimer?.cancel();
    for (const watcher of this.watchers.values()) this.#hub.remove(watcher);
    this.watchers.clear();
    this.#queue = [];
    this.#later = [];
    this.#hub.closed(this);
  }

  /** The hub's: events of whole revisions, in order. */
  sendEvents(watcher: Watcher, events: readonly Event[], bytes: number): void {
    watcher.recentlySent = true;
    this.#hub.eventsSent += events.length;
    if (watcher.fragment && bytes >= this.#hub.options.fragmentBytes && events.length > 1) {
      this.#sendFragments(watcher, events);
      return;
    }
    this.#send(WatchResponse.create({ header: this.#header(), watchId: watcher.id, events }), bytes);
  }

  /** The hub's: what the watcher asks for was compacted. etcd gives this response no revision and no reason. */
  sendCompacted(watcher: Watcher, compactRevision: number): void {
    this.#drop(watcher);
    this.#send(
      WatchResponse.create({ header: header(0), watchId: watcher.id, canceled: true, compactRevision }),
    );
  }

  #chooseId(requested: number): number {
    if (requested !== 0) return requested;
    while (this.watchers.has(this.#nextId)) this.#nextId += 1;
    const id = this.#nextId;
    this.#nextId += 1;
    return id;
  }

  #refuse(cancelReason: string): void {
    this.#send(
      WatchResponse.create({
        header: this.#newest(),
        watchId: noWatch,
        created: true,
        canceled: true,
        cancelReason,
      }),
    );
  }

  #drop(watcher: Watcher): void {
    this.watchers.delete(watcher.id);
    this.#hub.remove(watcher);
  }

  /** Whether a notice «you know everything up to the current revision» would be true of the watcher. */
  #isCurrent(watcher: Watcher): boolean {
    const { revision } = this.#hub;
    if (watcher.state !== 'synced' || watcher.startRevision > revision) return false;
    return watcher.firstRevision <= revision + 1;
  }

  #sendFragments(watcher: Watcher, events: readonly Event[]): void {
    let fragment: Event[] = [];
    let bytes = 0;
    for (const event of events) {
      const size = eventBytes(event);
      if (fragment.length > 0 && bytes + size >= this.#hub.options.fragmentBytes) {
        this.#sendFragment(watcher, fragment, bytes, true);
        fragment = [];
        bytes = 0;
      }
      fragment.push(event);
      bytes += size;
    }
    this.#sendFragment(watcher, fragment, bytes, false);
  }

  #sendFragment(watcher: Watcher, events: readonly Event[], bytes: number, more: boolean): void {
    const response = { header: this.#header(), watchId: watcher.id, events, fragment: more };
    this.#send(WatchResponse.create(response), bytes);
  }

  #send(response: WatchResponse, bytes = 64): void {
    if (this.#closed) return;
    this.#queue.push({ response, bytes });
    this.#queuedBytes += bytes;
    if (!this.#full) this.#hub.flushSoon(this);
  }

  /** The hub's: once a turn, for all that the turn had to say. */
  flush(): void {
    if (!this.#full && !this.#closed) this.#flush();
  }

  #flush(): void {
    while (this.#head < this.#queue.length && !this.#full) {
      const { response, bytes } = this.#queue[this.#head] as { response: WatchResponse; bytes: number };
      this.#head += 1;
      this.#queuedBytes -= bytes;
      if (!this.#sink.send(response)) this.#full = true;
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > this.#hub.options.streamBufferResponses) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    if (this.accepts) this.#hub.resume();
  }

  #startProgress(): void {
    if (this.#progressTimer !== null) return;
    this.#progressTimer = this.#hub.progressTimer(() => {
      this.#progressTimer = null;
      this.#progressTick();
    });
  }

  #progressTick(): void {
    let wanted = false;
    for (const watcher of this.watchers.values()) {
      if (!watcher.progressNotify) continue;
      wanted = true;
      if (!watcher.recentlySent && this.#isCurrent(watcher)) {
        this.#send(WatchResponse.create({ header: this.#header(), watchId: watcher.id, events: EMPTY_LIST }));
      }
      watcher.recentlySent = false;
    }
    if (wanted) this.#startProgress();
  }

  /** Of what tells of changes: everything up to there was told. */
  #header(): ReturnType<typeof header> {
    return header(this.#hub.revision);
  }

  #newest(): ReturnType<typeof header> {
    return header(this.#hub.newestRevision);
  }
}
