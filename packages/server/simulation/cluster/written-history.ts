import { checkWatches, describeVerdict } from '@flotilla/check';
import type { EtcdEvent, RevisionEvents, WatchRecord } from '@flotilla/check';
import type { Database } from '@flotilla/store';
import type { World } from '@flotilla/sim';
import { WatchRequest } from '@flotilla/wire';
import { etcdEvent } from './etcd-messages.ts';
import { RecordedWatch } from './recorded-watch.ts';

/** An empty store is at revision 1. */
const firstRevision = 2;

/**
 * What was really written at each revision: every member is watched from inside, in each of its lives, and all of them
 * must tell the same. With it the outcome of a request whose answer was lost is known, not guessed.
 */
export class WrittenHistory {
  readonly #world: World;
  readonly #revisions = new Map<number, { readonly events: readonly EtcdEvent[]; readonly from: string }>();
  readonly #next = new Map<string, number>();
  readonly #watches: RecordedWatch[] = [];
  readonly #databases = new Map<string, Database>();
  #compactRevision = -1;

  constructor(world: World) {
    this.#world = world;
  }

  /** Follows `database`, one life of the member `name`, from where its last life was seen. */
  follow(name: string, database: Database): void {
    this.#noteCompactions();
    this.#databases.set(name, database);
    let watch: RecordedWatch;
    const stream = database.watches.open({
      send: (response) => {
        const { events, canceled, compactRevision } = response;
        watch.take(response);
        if (canceled && compactRevision > 0) {
          this.#next.set(name, compactRevision);
          create();
        }
        this.#take(name, events.map(etcdEvent));
        return true;
      },
    });
    const create = (): void => {
      const startRevision = this.#next.get(name) ?? firstRevision;
      const range = { key: '\0', rangeEnd: '\0', noPut: false, noDelete: false };
      watch = new RecordedWatch(`inside ${name}`, { ...range, startRevision, prevKv: true });
      this.#watches.push(watch);
      stream.request(WatchRequest.create({ requestUnion: { case: 'createRequest', value: watch.create() } }));
    };
    create();
  }

  /** etcd's promises for watches, of those inside of members and of `others`. */
  judgeWatches(others: readonly WatchRecord[] = []): void {
    const revisions = this.complete();
    if (revisions === null) return this.#world.coverage.count('watches not judged: history is not whole');
    this.#noteCompactions();
    const inside = this.#watches.flatMap((watch) => watch.record() ?? []);
    const compactRevision = this.#compactRevision;
    this.#world.coverage.count('watches judged', inside.length + others.length);
    const verdict = checkWatches([...inside, ...others], revisions, { compactRevision });
    if (verdict.outcome === 'ok') return;
    const rule = verdict.outcome === 'illegal' ? verdict.violations[0]?.rule : null;
    this.#world.violate(rule ?? 'watch', describeVerdict(verdict));
  }

  /** Of members that will not be asked any more, too. */
  #noteCompactions(): void {
    for (const { compactRevision } of this.#databases.values()) {
      this.#compactRevision = Math.max(this.#compactRevision, compactRevision);
    }
  }

  /** Whether each of these members, in its last life, has told everything up to a revision. */
  isTold(names: readonly string[], revision: number): boolean {
    return names.every((name) => this.toldBy(name) >= revision);
  }

  /** The last revision that a member has told. */
  toldBy(name: string): number {
    return (this.#next.get(name) ?? firstRevision) - 1;
  }

  /** The events of a revision, when any member has told them. */
  eventsAt(revision: number): readonly EtcdEvent[] | null {
    return this.#revisions.get(revision)?.events ?? null;
  }

  /** Every revision from the first, or null when one was compacted before any member told it. */
  complete(): readonly RevisionEvents[] | null {
    const all: RevisionEvents[] = [];
    for (let revision = firstRevision; all.length < this.#revisions.size; revision += 1) {
      const events = this.eventsAt(revision);
      if (events === null) return null;
      all.push({ revision, events });
    }
    return all;
  }

  #take(name: string, events: readonly EtcdEvent[]): void {
    for (let begin = 0; begin < events.length;) {
      const revision = revisionOf(events[begin] as EtcdEvent);
      let end = begin + 1;
      while (end < events.length && revisionOf(events[end] as EtcdEvent) === revision) end += 1;
      this.#record(name, revision, events.slice(begin, end));
      begin = end;
    }
  }

  #record(name: string, revision: number, events: readonly EtcdEvent[]): void {
    const expected = this.#next.get(name) ?? firstRevision;
    // Revisions are dense, and this watch is on every key: each of them must come.
    if (revision !== expected) {
      this.#world.violate('watch', `inside ${name} revision ${revision} came where ${expected} was due`);
    }
    this.#next.set(name, revision + 1);
    const known = this.#revisions.get(revision);
    if (known === undefined) {
      this.#revisions.set(revision, { events, from: name });
      return;
    }
    const [ours, theirs] = [describeEvents(events), describeEvents(known.events)];
    if (ours === theirs) return;
    const message = `revision ${revision} is ${theirs} at ${known.from} and ${ours} at ${name}`;
    this.#world.violate('histories differ', message);
  }
}

export function revisionOf(event: EtcdEvent): number {
  return event.type === 'put' ? event.kv.modRevision : event.modRevision;
}

export function describeEvents(events: readonly EtcdEvent[]): string {
  return events
    .map((event) =>
      event.type === 'put'
        ? `put ${event.kv.key}=${event.kv.value} (created ${event.kv.createRevision}, version ${event.kv.version})`
        : `delete ${event.key}`,
    )
    .join(', ');
}
