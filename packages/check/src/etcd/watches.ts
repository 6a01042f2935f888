import { limits } from '../limits.ts';
import { verdictOf, type Verdict, type Violation } from '../violation.ts';
import { describeEvents } from './describe.ts';
import { keyValueDifference, sameEvent } from './difference.ts';
import { keyOf } from './etcd-history.ts';
import { inRange, type EtcdEvent, type KeyValue, type RevisionEvents } from './requests.ts';

export interface WatchRequest {
  readonly key: string;
  readonly rangeEnd: string;
  /** 0: from now on. */
  readonly startRevision: number;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
}

export type WatchEvent = EtcdEvent & {
  /** Null when it was not asked for, or there was none. */
  readonly prevKv: KeyValue | null;
};

export interface WatchResponse {
  /** The header's. */
  readonly revision: number;
  /** None in a progress notification. */
  readonly events: readonly WatchEvent[];
  /** More of the same revision follows. */
  readonly fragment: boolean;
}

/** One watch from its creation to its end, as its client saw it. A resumed watch is a watch of its own. */
export interface WatchRecord {
  /** For reports. */
  readonly name: string;
  readonly request: WatchRequest;
  /** The header's revision in the response that said `created`. */
  readonly createdRevision: number;
  /** In the order in which they came. */
  readonly responses: readonly WatchResponse[];
  /**
   * Everything up to here must have come: the caller waited for it. 0: nothing is promised, the watch may have been
   * cut at any time.
   */
  readonly completeThrough: number;
}

export interface WatchCheckOptions {
  /** The store before the first of the revisions. */
  readonly baseline?: readonly KeyValue[];
  /** The highest revision that was ever compacted: previous values up to it may be gone. */
  readonly compactRevision?: number;
  readonly maxViolations?: number;
}

/**
 * What etcd promises a watch, by the names of its robustness suite. A violation's rule is `watch/` and the name:
 *
 * - *filter*: only keys and kinds of events that were asked for;
 * - *ordered*: revisions never go back;
 * - *unique*: no event comes twice;
 * - *atomic*: the events of one revision come in one response, unless it was fragmented;
 * - *bookmarkable*: after a notification of progress at R no event of R or before comes; notifications do not go back,
 *   are never older than what was delivered, nor sent before the revision that the watch waits for (etcd #20221);
 * - *resumable*: a watch from a start revision begins exactly there;
 * - *reliable*: no event between the first and the last is left out, nor before a progress notification;
 * - *prevKV* and *isCreate*: previous values, and which events create their key, are the real ones.
 */
export const watchGuarantees = [
  'filter',
  'ordered',
  'unique',
  'atomic',
  'bookmarkable',
  'resumable',
  'reliable',
  'prevKV',
  'isCreate',
] as const;

export type WatchGuarantee = (typeof watchGuarantees)[number];

/** `event`: it happened, and otherwise. `header`: it is newer than the header that it came with. */
type WatchRule = WatchGuarantee | 'event' | 'header';

/**
 * Whether watches kept the nine {@link watchGuarantees}, given what was really written (`revisions` of a revision
 * check).
 */
export function checkWatches(
  watches: readonly WatchRecord[],
  revisions: readonly RevisionEvents[],
  options: WatchCheckOptions = {},
): Verdict {
  const truth = new Truth(revisions, options.baseline ?? []);
  const violations: Violation[] = [];
  for (const watch of watches) {
    const judge = new WatchJudge(watch, truth, options.compactRevision ?? 0);
    violations.push(...judge.violations());
    if (violations.length >= (options.maxViolations ?? limits.violations)) break;
  }
  return verdictOf(violations);
}

/** What every watcher should see, each event with the value before it. */
class Truth {
  readonly events: readonly (WatchEvent & { readonly revision: number })[];
  readonly #firstOf = new Map<number, number>();

  constructor(revisions: readonly RevisionEvents[], baseline: readonly KeyValue[]) {
    const current = new Map(baseline.map((kv) => [kv.key, kv]));
    const all: (WatchEvent & { readonly revision: number })[] = [];
    for (const { revision, events } of revisions) {
      this.#firstOf.set(revision, all.length);
      for (const event of events) {
        const key = keyOf(event);
        // etcd sends nothing before an event that creates its key, also where the same revision deleted the key.
        all.push({ ...event, revision, prevKv: isCreate(event) ? null : (current.get(key) ?? null) });
        if (event.type === 'put') current.set(key, event.kv);
        else current.delete(key);
      }
    }
    this.events = all;
  }

  /** The position of the first event at or after `revision`. */
  from(revision: number): number {
    const known = this.#firstOf.get(revision);
    if (known !== undefined) return known;
    const position = this.events.findIndex((event) => event.revision >= revision);
    return position === -1 ? this.events.length : position;
  }

  find(revision: number, key: string): WatchEvent | undefined {
    for (let position = this.from(revision); position < this.events.length; position += 1) {
      const event = this.events[position];
      if (event === undefined || event.revision > revision) return undefined;
      if (keyOf(event) === key) return event;
    }
    return undefined;
  }
}

/** Follows one watch. */
class WatchJudge {
  readonly #watch: WatchRecord;
  readonly #truth: Truth;
  readonly #compactRevision: number;
  readonly #violations: Violation[] = [];
  readonly #seen = new Set<string>();
  readonly #start: number;
  /** The first true event that has not been delivered and not been reported as missing. */
  #position: number;
  #latest = 0;
  #progress = 0;
  /** The last revision of a response that was not a fragment. */
  #closed = 0;

  constructor(watch: WatchRecord, truth: Truth, compactRevision: number) {
    this.#watch = watch;
    this.#truth = truth;
    this.#compactRevision = compactRevision;
    const { startRevision } = watch.request;
    this.#start = startRevision > 0 ? startRevision : watch.createdRevision + 1;
    this.#position = truth.from(this.#start);
  }

  violations(): readonly Violation[] {
    for (const response of this.#watch.responses) {
      for (const event of response.events) this.#event(event, response);
      if (response.events.length === 0) {
        this.#notified(response.revision);
      } else if (!response.fragment) {
        this.#deliveredBefore(this.#latest + 1, `the end of the response with revision ${this.#latest}`);
        this.#closed = this.#latest;
      }
    }
    const { completeThrough } = this.#watch;
    if (completeThrough > 0) this.#deliveredBefore(completeThrough + 1, 'the end');
    return this.#violations;
  }

  /** A notification of progress. */
  #notified(revision: number): void {
    const message = `${this.#watch.name}: progress at revision ${revision}`;
    const rule = 'watch/bookmarkable';
    const newest = Math.max(this.#progress, this.#latest);
    if (revision < newest) {
      this.#violations.push({ rule, message: `${message} came after revision ${newest}`, calls: [] });
    }
    if (revision < this.#start - 1) {
      const why = `says nothing to a watch from ${this.#start}`;
      this.#violations.push({ rule, message: `${message} ${why}`, calls: [] });
    }
    this.#deliveredBefore(revision + 1, `progress at revision ${revision}`);
    this.#progress = Math.max(this.#progress, revision);
  }

  #event(event: WatchEvent, response: WatchResponse): void {
    const revision = revisionOf(event);
    const identity = `${revision} ${keyOf(event)}`;
    if (this.#seen.has(identity)) this.#report('unique', event, 'came twice');
    else if (revision < this.#latest) this.#report('ordered', event, `came after revision ${this.#latest}`);
    else if (revision === this.#closed) this.#report('atomic', event, 'came in a response of its own');
    if (revision <= this.#progress) {
      this.#report('bookmarkable', event, `came after progress at revision ${this.#progress}`);
    }
    if (revision < this.#start) this.#report('resumable', event, `is older than the start ${this.#start}`);
    if (revision > response.revision) {
      this.#report('header', event, `is newer than its header's revision ${response.revision}`);
    }
    if (!matches(this.#watch.request, event)) this.#report('filter', event, 'was not asked for');
    this.#compare(event, revision);
    const resumes = this.#watch.request.startRevision > 0 && this.#seen.size === 0;
    this.#seen.add(identity);
    this.#latest = Math.max(this.#latest, revision);
    this.#deliveredBefore(revision, `revision ${revision}`, resumes ? 'resumable' : 'reliable');
  }

  #compare(event: WatchEvent, revision: number): void {
    const real = this.#truth.find(revision, keyOf(event));
    if (real === undefined) return this.#report('event', event, 'never happened');
    if (isCreate(event) !== isCreate(real)) {
      return this.#report('isCreate', event, isCreate(real) ? 'created its key' : 'did not create its key');
    }
    if (!sameEvent(event, real)) {
      return this.#report('event', event, `was really ${describeEvents([real])}`);
    }
    const wanted = this.#watch.request.prevKv ? real.prevKv : null;
    const forgotten = event.prevKv === null && revision - 1 < this.#compactRevision;
    const wrong = keyValueDifference('prev_kv', wanted, event.prevKv, true);
    if (wrong !== null && !forgotten) this.#report('prevKV', event, `is wrong: ${wrong}`);
  }

  /** Reports every event before `revision` that should have come and has not. */
  #deliveredBefore(revision: number, when: string, guarantee: WatchGuarantee = 'reliable'): void {
    const { events } = this.#truth;
    for (; this.#position < events.length; this.#position += 1) {
      const event = events[this.#position];
      if (event === undefined || event.revision >= revision) return;
      if (!matches(this.#watch.request, event)) continue;
      if (this.#seen.has(`${event.revision} ${keyOf(event)}`)) continue;
      this.#report(guarantee, event, `had not come before ${when}`);
    }
  }

  #report(rule: WatchRule, event: WatchEvent, what: string): void {
    this.#violations.push({
      rule: `watch/${rule}`,
      message: `${this.#watch.name}: ${describeEvents([event])} at revision ${revisionOf(event)} ${what}`,
      calls: [],
    });
  }
}

function matches(request: WatchRequest, event: EtcdEvent): boolean {
  if (event.type === 'put' ? request.noPut : request.noDelete) return false;
  return inRange(keyOf(event), request.key, request.rangeEnd);
}

function isCreate(event: EtcdEvent): boolean {
  return event.type === 'put' && event.kv.createRevision === event.kv.modRevision;
}

function revisionOf(event: EtcdEvent): number {
  return event.type === 'put' ? event.kv.modRevision : event.modRevision;
}
