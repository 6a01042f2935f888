import { binaryString, prefixEnd } from '@flotilla/check';
import type { EtcdEvent, KeyValue, RevisionEvents, WatchRecord } from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import type { World } from '@flotilla/sim';
import {
  RpcError,
  Status,
  Watch,
  WatchRequest,
  etcdErrors,
  openFramedChannel,
  openStream,
} from '@flotilla/wire';
import type { ClientStream, Event, RpcChannel, WatchResponse } from '@flotilla/wire';
import { etcdEvent, keyValue, revisionOf as headerRevision } from './etcd-messages.ts';
import { clientPort } from './member-node.ts';
import { RecordedWatch } from './recorded-watch.ts';
import { revisionOf } from './written-history.ts';

/** How often a watcher asks how far it is, and when it takes a stream that does not answer for dead. */
const progressMs = 1500;
const silentMs = 5000;

export interface WatcherOptions {
  readonly world: World;
  readonly name: string;
  readonly memberNames: readonly string[];
  readonly prefix: string;
  /** Whether events must carry what was there before. */
  readonly prevKv: boolean;
  /** Leaves puts or deletions out. */
  readonly filter: 'none' | 'puts' | 'deletions';
  /** Never the same member twice in a row: it may be gone for ever. */
  readonly movesOn?: boolean;
}

/**
 * Watches a prefix from revision 1 for the whole run, through one member after the other: when its stream ends it asks
 * for what comes after the last revision that it has. What it collects must be the history, in order, each revision
 * once; gaps only where history was compacted before it came.
 */
export class SimWatcher {
  readonly prefix: string;
  readonly name: string;
  readonly revisions: RevisionEvents[] = [];
  /** Revisions that were compacted before they were delivered, as inclusive ranges. */
  readonly gaps: { readonly from: number; readonly to: number }[] = [];
  /** By revision and key: what the event said was there before; empty without `prevKv`. */
  readonly previous = new Map<string, KeyValue | null>();
  readonly filter: WatcherOptions['filter'];
  readonly #options: WatcherOptions;
  readonly #watches: RecordedWatch[] = [];
  #next = 1;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.prefix = options.prefix;
    this.name = options.name;
    this.filter = options.filter;
  }

  /** Everything up to here has been delivered, compacted or promised not to exist. */
  get seenRevision(): number {
    return this.#next - 1;
  }

  /** Each stream that it had. */
  get records(): readonly WatchRecord[] {
    return this.#watches.flatMap((watch) => watch.record() ?? []);
  }

  async main(platform: Platform): Promise<void> {
    const { world, memberNames } = this.#options;
    const channels = memberNames.map((host) =>
      openFramedChannel(platform, { endpoints: [{ host, port: clientPort }] }),
    );
    for (let attempt = 0; ; attempt += 1) {
      const drawn = world.tape.choose(channels.length, 'member to watch');
      const index = this.#options.movesOn === true ? (drawn + attempt) % channels.length : drawn;
      const channel = channels[index] as RpcChannel;
      try {
        await this.#watch(platform, channel);
        world.coverage.count('watch ended by the member');
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        const isLearner = error.message === etcdErrors.notSupportedForLearner.message;
        if (!isLearner && error.status !== Status.UNAVAILABLE && error.status !== Status.CANCELLED) {
          world.violate('unexpected error', `a watch ended with ${error.status} ${error.message}`);
        }
        world.coverage.count('watch broken');
      }
      await new Promise<void>((resolve) => platform.timer(200, 'watch again', resolve));
    }
  }

  async #watch(platform: Platform, channel: RpcChannel): Promise<void> {
    const { world, name, prefix, filter, prevKv } = this.#options;
    const stream = openStream(channel, Watch.methods.Watch);
    const watch = new RecordedWatch(`${name}, stream ${this.#watches.length + 1}`, {
      key: prefix,
      rangeEnd: prefix === '\0' ? '\0' : prefixEnd(prefix),
      startRevision: this.#next,
      noPut: filter === 'puts',
      noDelete: filter === 'deletions',
      prevKv,
    });
    this.#watches.push(watch);
    const value = watch.create({ progressNotify: true, fragment: world.tape.chance(1, 2, 'fragments') });
    stream.write(WatchRequest.create({ requestUnion: { case: 'createRequest', value } }));
    // A silent connection would never be noticed; real clients use keep-alive pings for this.
    let timer = platform.timer(silentMs, 'watch is silent', () => stream.cancel());
    const progress = this.#askForProgress(platform, stream);
    try {
      let fragments: EtcdEvent[] = [];
      for (let response = await stream.read(); response !== null; response = await stream.read()) {
        timer.cancel();
        timer = platform.timer(silentMs, 'watch is silent', () => stream.cancel());
        watch.take(response);
        if (response.canceled) {
          this.#canceled(response);
          stream.cancel();
          return;
        }
        fragments.push(...response.events.map(etcdEvent));
        this.#keepPrevious(response.events);
        if (response.fragment) continue;
        this.#take(fragments);
        // A progress notice promises that nothing up to its revision will come any more: one may go on after it.
        if (!response.created && fragments.length === 0) this.#progress(headerRevision(response.header));
        fragments = [];
      }
    } finally {
      timer.cancel();
      progress.stop();
    }
  }

  #askForProgress(
    platform: Platform,
    stream: ClientStream<WatchRequest, WatchResponse>,
  ): { readonly stop: () => void } {
    const ask = (): void => {
      stream.write(WatchRequest.create({ requestUnion: { case: 'progressRequest', value: {} } }));
      timer = platform.timer(progressMs, 'ask for progress', ask);
    };
    let timer = platform.timer(progressMs, 'ask for progress', ask);
    return { stop: () => timer.cancel() };
  }

  #canceled(response: WatchResponse): void {
    const { world, name } = this.#options;
    if (response.compactRevision === 0) {
      world.violate('watch', `${name} was canceled: ${response.cancelReason}`);
      return;
    }
    world.coverage.count('watch found history compacted');
    if (response.compactRevision < this.#next) {
      world.violate(
        'watch',
        `${name} asked for ${this.#next} and was told that ${response.compactRevision} is compacted`,
      );
    }
    this.gaps.push({ from: this.#next, to: response.compactRevision - 1 });
    this.#next = response.compactRevision;
  }

  #keepPrevious(events: readonly Event[]): void {
    if (!this.#options.prevKv) return;
    for (const { kv, prevKv } of events) {
      if (kv === null) continue;
      const key = `${kv.modRevision} ${binaryString(kv.key)}`;
      this.previous.set(key, prevKv === null ? null : keyValue(prevKv));
    }
  }

  #progress(revision: number): void {
    this.#options.world.coverage.count('watch progress');
    this.#next = Math.max(this.#next, revision + 1);
  }

  #take(events: readonly EtcdEvent[]): void {
    for (const event of events) {
      const revision = revisionOf(event);
      const last = this.revisions.at(-1);
      if (last?.revision === revision && revision >= this.#next) {
        (last.events as EtcdEvent[]).push(event);
      } else if (revision >= this.#next && revision > (last?.revision ?? 0)) {
        this.revisions.push({ revision, events: [event] });
      } else {
        const { world, name } = this.#options;
        world.violate('watch', `${name} got revision ${revision} after ${last?.revision ?? this.#next - 1}`);
      }
    }
    // Only whole responses count: a revision's events come in one, or in fragments of one.
    const newest = this.revisions.at(-1)?.revision ?? 0;
    this.#next = Math.max(this.#next, newest + 1);
  }
}
